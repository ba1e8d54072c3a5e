"""Every reason of a refusal by a stage, in words that tell a client what to do."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.inventory import StockReason
from streams.orders.reasons import OrderReason as R

DETAILS: Mapping[str, str] = {
    R.UNKNOWN_ORDER: "there is no such order",
    R.IDEMPOTENCY_CONFLICT: "the key names an order with another body; use a new key",
    R.EXPIRED_INTENT: "the request is too old; send it anew with a new key",
    R.NOT_CREATED: "its goods are not held yet; try again in a moment",
    R.NOT_PAID: "the order is not paid",
    R.NOT_CONFIRMED: "its goods are being taken from the stock; try again in a moment",
    R.ALREADY_PAID: "the order is paid already",
    R.PAID_USE_REFUND: "the order is paid: ask for a refund",
    R.ORDER_ENDING: "the order is being cancelled or refunded",
    R.ORDER_ENDED: "the order has ended",
    R.ORDER_PARKED: "the order waits for an operator",
    R.TOO_MANY_ATTEMPTS: "there were too many attempts to pay: place a new order",
    R.AMEND_CONFLICT: "the key names another change of this order; use a new key",
    R.AMEND_UNDER_WAY: "another change is under way; try again in a moment",
    R.AMEND_NOT_HELD: "not everything new could be held; the order stays as it was",
    R.AMEND_UNANSWERED: "the open payment could not be closed; the order stays as it was",
    R.TOO_MANY_AMENDS: "the order was changed too often: place a new one",
    R.CURRENCY_MISMATCH: "an order keeps its currency",
    R.NOT_SHIPPED: "parcels are still to leave",
    R.ALREADY_SHIPPED: "nothing is left to leave",
    R.MORE_THAN_ORDERED: "of some sku fewer units are left to leave",
    R.WAYBILL_CONFLICT: "the waybill names a parcel with other units",
    R.REFUND_UNDER_WAY: "another refund is under way; try again in a moment",
    R.REFUND_CONFLICT: "the key names a refund of other units; use a new key",
    R.MORE_THAN_SOLD: "of some sku fewer units are left to refund",
    R.NOTHING_TO_REFUND: "these units cost nothing",
    R.TOO_MANY_REFUNDS: "there were too many refunds",
    R.NOTHING_AWAITED: "the order waits for no answer that could be asked for again",
    R.NOT_SAFE: "goods or money would be wrong afterwards",
    R.SURPLUS_NOT_RETURNED: "money could not be given back and waits for an operator",
    StockReason.CONFLICT: "the document's number was used for something else",
    StockReason.INSUFFICIENT: "there is not enough in stock",
    StockReason.UNKNOWN_SKU: "the shop has no such sku",
    StockReason.BELOW_HELD: "it would leave less in stock than orders hold",
    "TICKET_NOT_OPEN": "there is no such open ticket",
    "WRONG_RESOLUTION": "that does not fit the ticket",
}


def detail_of(reason: str) -> str:
    """Return ``reason`` in words; one that is not known here is spelt out."""
    return DETAILS.get(reason) or reason.lower().replace("_", " ")
