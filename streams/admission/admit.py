"""The one way in: what is admitted, to which inbox, under which key."""

from __future__ import annotations

from schemas.inventory import (
    AdjustStock,
    CountStock,
    ExtendHold,
    Restock,
    SetStockRules,
    TransferStock,
)
from schemas.order import AmendOrderIntent, PlaceOrderIntent
from schemas.payment import ResolveTicket
from schemas.record import Record
from schemas.resource import ClaimCoupon, GrantCapacity, IssueCoupons, lot_id, partition_key
from schemas.topics import (
    INVENTORY_COMMANDS,
    ORDER_COMMANDS,
    PAYMENT_COMMANDS,
    PROMOTION_COMMANDS,
)
from streams.admission.entries import admit_entry, admit_extension
from streams.admission.placing import admit_amend, admit_order
from streams.admission.problems import InvalidIntent, Problem, ProblemCode
from streams.admission.requests import OrderRequest, admit_request
from streams.admission.resources import admit_promotion
from streams.admission.tickets import admit_resolution
from streams.kernel.stage import Output
from streams.pricing.packs import Packs
from streams.pricing.price_list import PriceList

_ORDERS = ORDER_COMMANDS.name
_INVENTORY = INVENTORY_COMMANDS.name
_PAYMENTS = PAYMENT_COMMANDS.name
_PROMOTIONS = PROMOTION_COMMANDS.name


def admit(
    message: Record, price_list: PriceList, now_ms: int, packs: Packs | None = None
) -> Output:
    """Return the command for a stage's inbox that follows from an untrusted intent.

    ``now_ms`` is the broker's log-append time of the intent (epoch ms). The answer depends on
    nothing else than the arguments. Raises InvalidIntent (an InvalidMessage), which names
    every bad field and what to do about it.
    """
    if isinstance(message, PlaceOrderIntent):
        order = admit_order(message, price_list, now_ms, packs)
        return Output(_ORDERS, order.order_no, order)
    if isinstance(message, AmendOrderIntent):
        amended = admit_amend(message, price_list, now_ms, packs)
        return Output(_ORDERS, message.order_no, amended)
    if isinstance(message, OrderRequest):
        return Output(_ORDERS, message.order_no, admit_request(message))
    if isinstance(message, Restock | AdjustStock | TransferStock | CountStock | SetStockRules):
        return Output(_INVENTORY, str(message.sku_id), admit_entry(message))
    if isinstance(message, ResolveTicket):
        return Output(_PAYMENTS, message.order_no, admit_resolution(message))
    if isinstance(message, ExtendHold):
        return Output(_INVENTORY, str(message.sku_id), admit_extension(message))
    if isinstance(message, GrantCapacity):
        return Output(_PROMOTIONS, partition_key(message.resource_id), admit_promotion(message))
    if isinstance(message, IssueCoupons | ClaimCoupon):
        key = lot_id(message.shop_id, message.lot)
        return Output(_PROMOTIONS, key, admit_promotion(message))
    detail = f"{type(message).__name__} is not taken from outside; send one of the intents"
    raise InvalidIntent((Problem(ProblemCode.NOT_AN_INTENT, "record", detail),))
