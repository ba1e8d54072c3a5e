"""What each record says in a story, by its name: one sentence, after the name of who says it.

``{field}`` is a field of the record, formatted by what follows the colon (``sentences``):
``money`` an amount in the order's currency, ``goods`` lines, holds or refusals, ``units`` the units
of a parcel or a refund (none: all), ``clock`` a time of day, ``why`` a reason, ``hand`` what an
operator does. ``{left}`` is what a movement of stock leaves to be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Who(StrEnum):
    """Who speaks in a story."""

    BUYER = "buyer"
    ADMISSION = "admission"
    ORDERS = "orders"
    INVENTORY = "inventory"
    PAYMENTS = "payments"
    PROMOTIONS = "promotions"
    GATEWAY = "gateway"
    SHOP = "shop"
    OPERATOR = "operator"


OUTSIDERS = frozenset({Who.BUYER, Who.GATEWAY, Who.SHOP, Who.OPERATOR})
"""Those whose messages tell why something began: they are lines of a story although no facts."""


class Words(NamedTuple):
    """Who says it, and the sentence."""

    who: Who
    says: str


_B, _O, _I, _P, _G = Who.BUYER, Who.ORDERS, Who.INVENTORY, Who.PAYMENTS, Who.GATEWAY
_S, _H, _R = Who.SHOP, Who.OPERATOR, Who.PROMOTIONS

WORDS: Mapping[str, Words] = {
    # --- what is asked from outside
    "PlaceOrder": Words(_B, "asks for {lines:goods}, {total_fen:money} in all"),
    "AmendOrder": Words(_B, "wants {lines:goods} instead, {total_fen:money} in all"),
    "PayOrder": Words(_B, "wants to pay over {channel}"),
    "CancelOrder": Words(_B, "cancels the order: {reason:why}"),
    "CompleteOrder": Words(_B, "says that the goods have arrived"),
    "RefundOrder": Words(_B, "asks for a refund of {units:units}: {reason:why}"),
    "ShipOrder": Words(_S, "sends parcel {waybill_no} with {units:units}"),
    "OperateOrder": Words(_H, "{operator} wants to {action:hand}: {reason:why}"),
    "ResolveTicket": Words(
        _H, "{operator} resolves ticket {ticket_no}: {resolution:why}, {note:why}"
    ),
    "GrantCapacity": Words(_H, "{operator} grants {delta:+d} of {resource_id}"),
    "IssueCoupons": Words(_H, "{operator} issues {qty} coupons of lot {lot}"),
    "ClaimCoupon": Words(_B, "claims a coupon of lot {lot}"),
    "GatewayReport": Words(_G, "says that {movement:report}"),
    # --- orders
    "OrderPlaced": Words(_O, "takes the order and asks to have held {holds:goods}"),
    "OrderCreated": Words(
        _O, "has all goods held: {total_fen:money} to be paid by {expires_at_ms:clock}"
    ),
    "OrderRejected": Words(_O, "rejects the order: it cannot have {refusals:goods}"),
    "OrderAmended": Words(
        _O,
        "changes the order to {lines:goods}, {total_fen:money} in all, "
        "to be paid by {expires_at_ms:clock}",
    ),
    "OrderPaymentOpened": Words(_O, "asks for a payment of {amount_fen:money} over {channel}"),
    "OrderPaid": Words(
        _O, "counts the order as paid ({total_fen:money}) and tells inventory to deduct the goods"
    ),
    "OrderConfirmed": Words(_O, "has all goods deducted: they may leave the warehouse"),
    "OrderPartlyShipped": Words(
        _O, "counts parcel {waybill_no} with {units:goods} as sent; more is to follow"
    ),
    "OrderShipped": Words(
        _O, "counts parcel {waybill_no} with {units:goods} as sent: it was the last one"
    ),
    "OrderCompleted": Words(_O, "completes the order: the buyer has the goods"),
    "OrderCancelling": Words(
        _O, "gives the order up, because {cause:why}, and gives back what it holds"
    ),
    "OrderCancelled": Words(_O, "ends the order as cancelled: nothing is held any more"),
    "OrderExpired": Words(_O, "ends the order as expired: nothing is held any more"),
    "OrderRefunding": Words(_O, "begins to give {amount_fen:money} back: {reason:why}"),
    "OrderRefunded": Words(_O, "ends the order as refunded: {amount_fen:money} went back"),
    "OrderPartlyRefunded": Words(
        _O, "counts {amount_fen:money} as given back and keeps the rest of the payment"
    ),
    "OrderOperated": Words(_O, "lets {operator} {action:hand}: {reason:why}"),
    "OrderParked": Words(
        _O, "parks the order in step {step}, because {reason:why}: an operator is needed"
    ),
    "OrderRepeated": Words(_O, "had been asked for that before: nothing changes"),
    "OrderRefused": Words(_O, "refuses {command:request}: {reason:why}"),
    # --- inventory
    "StockHeld": Words(
        _I,
        "holds {qty} of sku {sku_id} in {warehouse_id} until {expires_at_ms:clock}; {left} left",
    ),
    "StockDeducted": Words(
        _I, "deducts {qty} of sku {sku_id} in {warehouse_id}: sold; {left} left"
    ),
    "StockReleased": Words(
        _I,
        "puts {qty} of sku {sku_id} back on sale in {warehouse_id} ({cause:why}); {left} left",
    ),
    "StockReceived": Words(
        _I, "receives {delta_on_hand} of sku {sku_id} in {warehouse_id}; {left} left"
    ),
    "StockAdjusted": Words(
        _I,
        "corrects sku {sku_id} in {warehouse_id} by {delta_on_hand:+d} ({reason:why}); {left} left",
    ),
    "StockReturned": Words(
        _I,
        "takes {qty} of sku {sku_id} that were sold back into {warehouse_id} ({reason:why}); "
        "{left} left",
    ),
    "StockTransferred": Words(
        _I,
        "moves {delta_on_hand:+d} of sku {sku_id} in {warehouse_id}, "
        "the other side is {other_warehouse_id}; {left} left",
    ),
    "StockCounted": Words(
        _I,
        "counted {on_hand} of sku {sku_id} in {warehouse_id}, "
        "{delta_on_hand:+d} against the books; {left} left",
    ),
    "StockBackordered": Words(
        _I,
        "promises {qty} of sku {sku_id} that are still to come, until {expires_at_ms:clock}",
    ),
    "BackorderServed": Words(
        _I, "keeps its promise of {qty} of sku {sku_id} from new stock in {warehouse_id}"
    ),
    "BackorderConfirmed": Words(_I, "owes {qty} of sku {sku_id}: sold before they have come"),
    "BackorderReleased": Words(_I, "takes its promise of {qty} of sku {sku_id} back ({cause:why})"),
    "BuyerCounted": Words(
        _I, "counts {units} of sku {sku_id} as this buyer's ({delta:+d} by this order)"
    ),
    "StockRulesSet": Words(
        _I,
        "sells at most {buyer_limit} of sku {sku_id} to one buyer (0: any number) and promises "
        "at most {backorder_cap} that are still to come",
    ),
    "StockRefused": Words(
        _I,
        "refuses to hold {requested} of sku {sku_id}: {reason:why} ({available} to be had)",
    ),
    "HoldExtended": Words(_I, "keeps sku {sku_id} held for longer, until {expires_at_ms:clock}"),
    "HoldFenced": Words(
        _I, "has nothing of sku {sku_id} to give back: it was cancelled before it was held"
    ),
    "HoldEndRefused": Words(_I, "refuses {command:request} for sku {sku_id}: {reason:why}"),
    "StockEntryRefused": Words(
        _I, "refuses {command:request} for sku {sku_id} in {warehouse_id}: {reason:why}"
    ),
    # --- promotions
    "CapacityGranted": Words(_R, "grants {delta_on_hand:+d} of {resource_id}; {left} left"),
    "CouponsIssued": Words(_R, "has {delta_on_hand} more coupons of {resource_id}; {left} left"),
    "CouponClaimed": Words(
        _R, "gives the user {coupon_id}, the {claimed}. of at most {per_user}; {left} left"
    ),
    "PromotionHeld": Words(
        _R, "holds {amount} of {resource_id} until {expires_at_ms:clock}; {left} left"
    ),
    "PromotionSpent": Words(_R, "counts {amount} of {resource_id} as used up; {left} left"),
    "PromotionReleased": Words(
        _R, "has {amount} of {resource_id} to give again ({cause:why}); {left} left"
    ),
    "PromotionReturned": Words(
        _R, "takes {amount} of {resource_id} that were used up back ({reason:why}); {left} left"
    ),
    "PromotionRefused": Words(
        _R,
        "refuses to hold {requested} of {resource_id}: {reason:why} ({available} to be had)",
    ),
    "PromotionFenced": Words(
        _R, "has nothing of {resource_id} to give back: it was cancelled before it was held"
    ),
    "PromotionEndRefused": Words(_R, "refuses {command:request} for {resource_id}: {reason:why}"),
    "PromotionEntryRefused": Words(_R, "refuses {command:request} of {resource_id}: {reason:why}"),
    # --- payments
    "PaymentRequested": Words(
        _P, "asks the gateway for {amount_fen:money} over {channel} (payment {pay_no})"
    ),
    "PaymentSucceeded": Words(
        _P, "keeps {amount_fen:money} for the order (payment {pay_no}, {gateway} {gateway_txn_no})"
    ),
    "PaymentFailed": Words(_P, "got no money from payment {pay_no}: {reason:why}"),
    "PaymentClosed": Words(_P, "closes payment {pay_no}: {reason:why}"),
    "PaymentSurplus": Words(
        _P,
        "got {amount_fen:money} that is not needed ({gateway} {gateway_txn_no}), "
        "because {reason:why}",
    ),
    "RefundRequested": Words(
        _P, "asks the gateway to give {amount_fen:money} back (refund {refund_no}): {reason:why}"
    ),
    "RefundSucceeded": Words(
        _P, "has given {amount_fen:money} back (refund {refund_no}, {gateway_txn_no})"
    ),
    "RefundFailed": Words(_P, "could not give refund {refund_no} back: {reason:why}"),
    "RefundOverpaid": Words(
        _P,
        "finds that {amount_fen:money} went back a second time (refund {refund_no}, "
        "{gateway_txn_no}): the shop is owed it",
    ),
    "PaymentQueried": Words(_P, "asks the gateway how payment {pay_no} ended (question {nth})"),
    "RefundQueried": Words(_P, "asks the gateway how refund {refund_no} ended (question {nth})"),
    "PaymentTicketOpened": Words(
        _P,
        "opens ticket {ticket_no} over {amount_fen:money}, because {reason:why}: "
        "an operator is needed",
    ),
    "PaymentTicketClosed": Words(_P, "closes ticket {ticket_no}: {resolution:why}"),
    "PaymentRefused": Words(_P, "refuses {message:request}: {reason:why}"),
}
"""Every fact that can concern an order, and every request from outside."""

REQUESTS: Mapping[str, str] = {
    "PlaceOrder": "the order",
    "PlaceOrderIntent": "the order",
    "PayOrder": "to take a payment",
    "CancelOrder": "to cancel",
    "CompleteOrder": "to complete the order",
    "RefundOrder": "to refund",
    "AmendOrder": "the change",
    "AmendOrderIntent": "the change",
    "ShipOrder": "the parcel",
    "OperateOrder": "what the operator wants",
    "ResolveTicket": "to resolve the ticket",
    "RequestPayment": "to ask for the payment",
    "RequestRefund": "to refund",
    "GatewayReport": "what the gateway said",
    "ConfirmHold": "to deduct the goods",
    "CancelHold": "to give the goods back",
    "ExtendHold": "to hold the goods for longer",
    "TryHold": "to hold the goods",
    "ReturnStock": "to take the goods back",
    "TryPromotion": "to hold the promotion",
    "ConfirmPromotion": "to count the promotion as used up",
    "CancelPromotion": "to give the promotion back",
    "ReturnPromotion": "to take the promotion back",
    "GrantCapacity": "the grant",
    "IssueCoupons": "the coupons",
    "ClaimCoupon": "the coupon",
    "Restock": "the delivery",
    "AdjustStock": "the correction",
    "TransferStock": "the transfer",
    "CountStock": "the stock-take",
    "SetStockRules": "the rules of the sku",
}
"""What was refused, after "refuses"."""

HANDS: Mapping[str, str] = {
    "RETRY": "have the order ask again for the answer that it waits for",
    "SKIP": "skip the step",
    "FORCE": "drive the order to its end",
    "PAUSE": "pause the order",
    "RESUME": "let the order go on",
}
"""What an operator does to an order, after "wants to" or "lets"."""
