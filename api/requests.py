"""What clients send, as JSON. Limits are those of admission, which has the last word.

Who asks is not in a body: shop, user and operator come from the token, and the key of a request
from its header. The names of fields are those of the commands, so whoever knows one way in knows
the other.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from schemas.inventory import Allocation, HoldTerms, Shortage
from schemas.order import CartLine, OperatorAction, SkuUnits
from schemas.payment import TicketResolution
from streams.admission.entries import MAX_ENTRY_QTY, MAX_REF_LENGTH
from streams.admission.fields import MAX_REASON_LENGTH
from streams.admission.placing import MAX_LINES, MAX_QTY, MAX_WAREHOUSES
from streams.admission.requests import MAX_NAME_LENGTH

_MAX_ID = 2**63 - 1
_MAX_FEN = 10**18  # the dearest order: see ``admission.placing.MAX_QTY``
_PRINTABLE = r"^[^\x00-\x1f\x7f-\xa0\xad]*$"

SkuId: TypeAlias = Annotated[int, Meta(ge=1, le=_MAX_ID, description="The sku.")]
Fen: TypeAlias = Annotated[
    int, Meta(ge=0, le=_MAX_FEN, description="Money in the currency's minor unit.")
]
Qty: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_QTY, description="Units.")]
Currency: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217.")]
Channel: TypeAlias = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_.-]{1,32}$", description="A payment channel.")
]
Warehouse: TypeAlias = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_.-]{1,32}$", description="A warehouse's id.")
]
Reason: TypeAlias = Annotated[
    str,
    Meta(
        max_length=MAX_REASON_LENGTH,
        pattern=_PRINTABLE,
        description="A code or a short phrase. It is public: no personal data.",
    ),
]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH, pattern=_PRINTABLE)]
Ref: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_REF_LENGTH,
        pattern=_PRINTABLE,
        description="The document's number: the same one has no second effect.",
    ),
]
EntryQty: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_ENTRY_QTY, description="Units.")]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every request body: an unknown field is a mistake, not a wish."""


class OwnBody(Body, frozen=True):
    """Of something that is a user's.

    Whose it is says the token; a shop's or an operator's token names no user, so the body does.
    """

    shop_id: Annotated[int, Meta(ge=0, le=_MAX_ID, description="0: the token's.")] = 0
    user_id: Annotated[int, Meta(ge=0, le=_MAX_ID, description="0: the token's.")] = 0


class ShopBody(Body, frozen=True):
    """Of something that is a shop's; the token of an operator of all shops names none."""

    shop_id: Annotated[int, Meta(ge=0, le=_MAX_ID, description="0: the token's.")] = 0


# --- orders --------------------------------------------------------------------------------------


class Terms(Body, frozen=True):
    """How the units of a line may be held, unless whole and from one warehouse."""

    allocation: Allocation = Allocation.SINGLE_FIRST
    shortage: Shortage = Shortage.REJECT
    warehouses: Annotated[
        tuple[Warehouse, ...], Meta(max_length=MAX_WAREHOUSES, description="The nearest first.")
    ] = ()


class Line(Body, frozen=True):
    """Units of a sku at the unit price that the buyer was shown."""

    sku_id: SkuId
    qty: Qty
    unit_price_fen: Fen
    terms: Terms | None = None


Lines: TypeAlias = Annotated[tuple[Line, ...], Meta(min_length=1, max_length=MAX_LINES)]


class PlaceOrderBody(OwnBody, frozen=True, kw_only=True):
    """An order. Its total and unit prices must be those of a quote made now."""

    lines: Lines
    total_fen: Fen
    currency: Currency = "CNY"
    pay_channel: Annotated[
        Channel | None, Meta(description="Open a payment over this channel at once.")
    ] = None


class AmendOrderBody(OwnBody, frozen=True, kw_only=True):
    """Other lines for an order that is not paid; they replace the old ones."""

    lines: Lines
    total_fen: Fen
    currency: Currency = "CNY"


class PayOrderBody(OwnBody, frozen=True, kw_only=True):
    """The channel to pay over."""

    channel: Channel


class CancelOrderBody(OwnBody, frozen=True, kw_only=True):
    """Why the order is given up."""

    reason: Reason = ""


class CompleteOrderBody(OwnBody, frozen=True):
    """The buyer has the goods."""


class Units(Body, frozen=True):
    """Units of a sku of the order."""

    sku_id: SkuId
    qty: Annotated[int, Meta(ge=1, le=MAX_LINES * MAX_QTY)]


class RefundOrderBody(OwnBody, frozen=True, kw_only=True):
    """What to refund: some units, or without them everything that is not refunded yet."""

    reason: Reason = ""
    units: Annotated[tuple[Units, ...], Meta(max_length=MAX_LINES)] = ()


class QuoteLine(Body, frozen=True):
    """Units of a sku."""

    sku_id: SkuId
    qty: Qty


class QuoteBody(ShopBody, frozen=True, kw_only=True):
    """A cart to be priced."""

    lines: Annotated[tuple[QuoteLine, ...], Meta(min_length=1, max_length=MAX_LINES)]
    currency: Currency = "CNY"


# --- operators -----------------------------------------------------------------------------------


class ShipOrderBody(ShopBody, frozen=True, kw_only=True):
    """A parcel left: some units of the order, or without them everything that had not left yet."""

    waybill_no: Name
    carrier: Annotated[str, Meta(max_length=MAX_NAME_LENGTH, pattern=_PRINTABLE)] = ""
    units: Annotated[tuple[Units, ...], Meta(max_length=MAX_LINES)] = ()


class OperateOrderBody(ShopBody, frozen=True, kw_only=True):
    """What an operator does to an order, and why."""

    action: OperatorAction
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON_LENGTH, pattern=_PRINTABLE)]


class RestockBody(ShopBody, frozen=True, kw_only=True):
    """Goods arrived."""

    ref: Ref
    sku_id: SkuId
    warehouse_id: Warehouse
    qty: EntryQty


class AdjustStockBody(ShopBody, frozen=True, kw_only=True):
    """A correction: ``delta`` units more, or fewer."""

    ref: Ref
    sku_id: SkuId
    warehouse_id: Warehouse
    delta: Annotated[
        int,
        Meta(
            ge=-MAX_ENTRY_QTY,
            le=MAX_ENTRY_QTY,
            description="Not 0.",
            extra_json_schema={"not": {"const": 0}},
        ),
    ]
    reason: Reason = ""


class TransferStockBody(ShopBody, frozen=True, kw_only=True):
    """Goods moved from one warehouse to another."""

    ref: Ref
    sku_id: SkuId
    from_warehouse_id: Warehouse
    to_warehouse_id: Warehouse
    qty: EntryQty


class CountStockBody(ShopBody, frozen=True, kw_only=True):
    """Somebody counted what is on the shelf."""

    ref: Ref
    sku_id: SkuId
    warehouse_id: Warehouse
    counted: Annotated[int, Meta(ge=0, le=MAX_ENTRY_QTY)]


class StockRulesBody(ShopBody, frozen=True, kw_only=True):
    """Limits of a sku; 0: no limit for a buyer, no units beyond what there is."""

    ref: Ref
    sku_id: SkuId
    buyer_limit: Annotated[int, Meta(ge=0, le=MAX_ENTRY_QTY)] = 0
    backorder_cap: Annotated[int, Meta(ge=0, le=MAX_ENTRY_QTY)] = 0


class ResendBody(Body, frozen=True):
    """Of which order."""

    order_no: Annotated[str, Meta(pattern="^[0-9A-Z]{16}$")]


class ResolveTicketBody(ShopBody, frozen=True, kw_only=True):
    """What becomes of an open ticket of an order's payments."""

    ticket_no: Annotated[str, Meta(min_length=1, max_length=64, pattern=_PRINTABLE)]
    resolution: TicketResolution
    note: Reason = ""


def cart_lines(lines: tuple[Line, ...]) -> tuple[CartLine, ...]:
    """Return the lines as intents have them."""
    return tuple([CartLine(o.sku_id, o.qty, o.unit_price_fen, _terms(o.terms)) for o in lines])


def sku_units(units: tuple[Units, ...]) -> tuple[SkuUnits, ...]:
    """Return units as commands have them."""
    return tuple([SkuUnits(one.sku_id, one.qty) for one in units])


def _terms(terms: Terms | None) -> HoldTerms | None:
    return None if terms is None else HoldTerms(terms.allocation, terms.shortage, terms.warehouses)
