"""What each record says in a story: one sentence per record, after the name of who says it.

``{field}`` is a field of the record, formatted by what follows the colon (``sentences``):
``money`` an amount in the order's currency, ``goods`` lines, holds or refusals, ``clock`` a time of
day, ``why`` a reason. ``{left}`` is what a movement of stock leaves to be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from schemas import inventory, order, payment
from schemas.record import Record


class Who(StrEnum):
    """Who speaks in a story."""

    BUYER = "buyer"
    ADMISSION = "admission"
    ORDERS = "orders"
    INVENTORY = "inventory"
    PAYMENTS = "payments"
    GATEWAY = "gateway"
    OPERATOR = "operator"


OUTSIDERS = frozenset({Who.BUYER, Who.GATEWAY, Who.OPERATOR})
"""Those whose messages tell why something began: they are lines of a story although no facts."""


class Words(NamedTuple):
    """Who says it, and the sentence."""

    who: Who
    says: str


_B, _O, _I, _P, _G = Who.BUYER, Who.ORDERS, Who.INVENTORY, Who.PAYMENTS, Who.GATEWAY

WORDS: Mapping[type[Record], Words] = {
    # --- what is asked from outside
    order.PlaceOrder: Words(_B, "asks for {lines:goods}, {total_fen:money} in all"),
    order.PayOrder: Words(_B, "wants to pay over {channel}"),
    order.CancelOrder: Words(_B, "cancels the order: {reason:why}"),
    order.CompleteOrder: Words(_B, "says that the goods have arrived"),
    order.RefundOrder: Words(_B, "asks for the money back: {reason:why}"),
    payment.GatewayReport: Words(_G, "says that {movement:report}"),
    # --- orders
    order.OrderPlaced: Words(_O, "takes the order and asks inventory to hold {holds:goods}"),
    order.OrderCreated: Words(
        _O, "has all goods held: {total_fen:money} to be paid by {expires_at_ms:clock}"
    ),
    order.OrderRejected: Words(_O, "rejects the order: it cannot have {refusals:goods}"),
    order.OrderPaymentOpened: Words(_O, "asks for a payment of {amount_fen:money} over {channel}"),
    order.OrderPaid: Words(
        _O, "counts the order as paid ({total_fen:money}) and tells inventory to deduct the goods"
    ),
    order.OrderConfirmed: Words(_O, "has all goods deducted: they may leave the warehouse"),
    order.OrderCompleted: Words(_O, "completes the order: the buyer has the goods"),
    order.OrderCancelling: Words(
        _O, "gives the order up, because {cause:why}, and gives back what it holds"
    ),
    order.OrderCancelled: Words(_O, "ends the order as cancelled: nothing is held any more"),
    order.OrderExpired: Words(_O, "ends the order as expired: nothing is held any more"),
    order.OrderRefunding: Words(_O, "begins to give {amount_fen:money} back: {reason:why}"),
    order.OrderRefunded: Words(_O, "ends the order as refunded: {amount_fen:money} went back"),
    order.OrderParked: Words(
        _O, "parks the order in step {step}, because {reason:why}: an operator is needed"
    ),
    order.OrderRefused: Words(_O, "refuses {command:request}: {reason:why}"),
    # --- inventory
    inventory.StockHeld: Words(
        _I,
        "holds {qty} of sku {sku_id} in {warehouse_id} until {expires_at_ms:clock}; {left} left",
    ),
    inventory.StockDeducted: Words(
        _I, "deducts {qty} of sku {sku_id} in {warehouse_id}: sold; {left} left"
    ),
    inventory.StockReleased: Words(
        _I,
        "puts {qty} of sku {sku_id} back on sale in {warehouse_id} ({cause:why}); {left} left",
    ),
    inventory.StockReceived: Words(
        _I, "receives {delta_on_hand} of sku {sku_id} in {warehouse_id}; {left} left"
    ),
    inventory.StockAdjusted: Words(
        _I,
        "corrects sku {sku_id} in {warehouse_id} by {delta_on_hand:+d} ({reason:why}); {left} left",
    ),
    inventory.StockRefused: Words(
        _I,
        "refuses to hold {requested} of sku {sku_id}: {reason:why} ({available} to be had)",
    ),
    inventory.HoldExtended: Words(
        _I, "keeps sku {sku_id} held for longer, until {expires_at_ms:clock}"
    ),
    inventory.HoldFenced: Words(
        _I, "has nothing of sku {sku_id} to give back: it was cancelled before it was held"
    ),
    inventory.HoldEndRefused: Words(_I, "refuses {command:request} for sku {sku_id}: {reason:why}"),
    inventory.StockEntryRefused: Words(
        _I, "refuses {command:request} for sku {sku_id} in {warehouse_id}: {reason:why}"
    ),
    # --- payments
    payment.PaymentRequested: Words(
        _P, "asks the gateway for {amount_fen:money} over {channel} (payment {pay_no})"
    ),
    payment.PaymentSucceeded: Words(
        _P, "keeps {amount_fen:money} for the order (payment {pay_no}, {gateway} {gateway_txn_no})"
    ),
    payment.PaymentFailed: Words(_P, "got no money from payment {pay_no}: {reason:why}"),
    payment.PaymentClosed: Words(_P, "closes payment {pay_no}: {reason:why}"),
    payment.PaymentSurplus: Words(
        _P,
        "got {amount_fen:money} that is not needed ({gateway} {gateway_txn_no}), "
        "because {reason:why}",
    ),
    payment.RefundRequested: Words(
        _P, "asks the gateway to give {amount_fen:money} back (refund {refund_no}): {reason:why}"
    ),
    payment.RefundSucceeded: Words(
        _P, "has given {amount_fen:money} back (refund {refund_no}, {gateway_txn_no})"
    ),
    payment.RefundFailed: Words(_P, "could not give refund {refund_no} back: {reason:why}"),
    payment.PaymentRefused: Words(_P, "refuses {message:request}: {reason:why}"),
}
"""Every fact that can concern an order, and every request from outside."""

REQUESTS: Mapping[str, str] = {
    "PlaceOrder": "the order",
    "PlaceOrderIntent": "the order",
    "PayOrder": "to take a payment",
    "CancelOrder": "to cancel",
    "CompleteOrder": "to complete the order",
    "RefundOrder": "to refund",
    "RequestPayment": "to ask for the payment",
    "RequestRefund": "to refund",
    "GatewayReport": "what the gateway said",
    "ConfirmHold": "to deduct the goods",
    "CancelHold": "to give the goods back",
    "ExtendHold": "to hold the goods for longer",
    "TryHold": "to hold the goods",
    "Restock": "the delivery",
    "AdjustStock": "the correction",
}
"""What was refused, after "refuses"."""
