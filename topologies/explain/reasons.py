"""Every reason that a machine gives, in words that finish a sentence."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    # a hold or an entry of stock
    "INSUFFICIENT": "not enough in stock",
    "UNKNOWN_SKU": "the shop has no such goods",
    "FENCED": "the hold had been cancelled before it was asked for",
    "HOLD_EXPIRED": "the hold had run out",
    "ALREADY_CONFIRMED": "the units were sold already",
    "ALREADY_CANCELLED": "the hold had been given back already",
    "UNKNOWN_HOLD": "there is no such hold",
    "BUYER_LIMIT": "this buyer has as many as one buyer may have",
    "BELOW_HELD": "it would leave less in stock than orders hold",
    "TIMEOUT": "inventory did not answer in time",
    "NOT_AWAITED": "the order no longer waited for it",
    # a promotion
    "UNKNOWN_RESOURCE": "the shop has no such promotion",
    "NOT_YOURS": "it is another buyer's",
    "OVER": "its time is over",
    "CLAIM_LIMIT": "the buyer has claimed as many as one buyer may",
    "KEPT_SPENT": "it stays used up when the order is refunded",
    # a hold given back
    "CANCELLED": "the order gave them back",
    "EXPIRED": "the hold had run out",
    "REJECTED": "the order was rejected",
    "REFUNDED": "the order is refunded",
    # the end of an order
    "REQUESTED": "it was asked for",
    "PAYMENT_TIMEOUT": "nobody paid in time",
    "HOLD_LOST": "the goods were no longer held",
    # a command to an order
    "UNKNOWN_ORDER": "this buyer has no such order",
    "IDEMPOTENCY_CONFLICT": "the same client key was used for another order",
    "EXPIRED_INTENT": "the request was too old",
    "NOT_CREATED": "its goods were not all held yet",
    "NOT_PAID": "it was not paid",
    "NOT_CONFIRMED": "its goods were not deducted from the stock yet",
    "ALREADY_PAID": "it was paid already",
    "PAID_USE_REFUND": "it was paid: a paid order is refunded, not cancelled",
    "ORDER_ENDING": "it was being cancelled or refunded",
    "ORDER_ENDED": "it had ended",
    "ORDER_PARKED": "it is parked and waits for an operator",
    "TOO_MANY_ATTEMPTS": "there were too many attempts to pay",
    "AMENDED": "the order was changed",
    "AMEND_CONFLICT": "the same amend key was used for another change",
    "AMEND_UNDER_WAY": "another change is under way",
    "AMEND_NOT_HELD": "something new could not be held",
    "AMEND_UNANSWERED": "payments did not say that the old payment is closed",
    "TOO_MANY_AMENDS": "it was changed too often",
    "NOT_SHIPPED": "parcels are still to leave",
    "ALREADY_SHIPPED": "nothing is left to be sent",
    "MORE_THAN_ORDERED": "less than that is left to be sent",
    "WAYBILL_CONFLICT": "the same waybill names another parcel",
    "REFUND_UNDER_WAY": "another refund is under way",
    "REFUND_CONFLICT": "the same refund key was used for other units",
    "MORE_THAN_SOLD": "less than that is left to be refunded",
    "TOO_MANY_REFUNDS": "there were too many refunds",
    "NOTHING_AWAITED": "the order waits for no answer",
    "NOT_SAFE": "goods or money would be wrong afterwards",
    "SURPLUS_NOT_RETURNED": "the money could not be given back, and somebody has to do it by hand",
    # an order that was parked
    "PAYMENT_MISMATCH": "the amount or the currency that was paid is not the order's",
    "CONFIRM_UNANSWERED": "inventory did not confirm the sale in time",
    "CANCEL_UNANSWERED": "inventory did not give the goods back in time",
    "CANCEL_CONTRADICTED": "inventory had sold goods of an order that was never paid",
    "REFUND_UNANSWERED": "payments did not answer for the refund",
    "REFUND_FAILED": "the refund failed every time it was tried",
    "REFUND_REFUSED": "payments refused the refund",
    # payments
    "CONFLICT": "the same number was used for something else",
    "ORDER_CLOSED": "the order takes no more money",
    "UNKNOWN_PAYMENT": "nobody had asked for such a payment",
    "UNKNOWN_REFUND": "nobody had asked for such a refund",
    "AMOUNT_MISMATCH": "the amount is not the one that was asked for",
    "CURRENCY_MISMATCH": "the currency is not the one that was asked for",
    "NOTHING_TO_REFUND": "there is no such money left to give back",
    "NOT_A_REPEAT": "it is a second movement of money for the same number",
    "DUPLICATE": "the order was paid already",
    "SURPLUS": "the order did not need the money",
    "REFUND_STUCK": "an earlier refund failed and waits for an operator",
    "TICKET_NOT_OPEN": "there is no such open ticket",
    "WRONG_RESOLUTION": "that does not fit the ticket",
    "PAYMENT_UNKNOWN": "nobody knows how the payment ended",
    "REFUND_UNPAID": "the money could not be given back, or nobody knows whether it was",
    "REFUND_OVERPAID": "more went back than was asked for",
    "MONEY_MISMATCH": "money moved that is not what was asked for",
    "RETRY": "the gateway is asked again",
    "SETTLED": "the money moved outside of the gateway",
    "WRITTEN_OFF": "no money moved, and none is expected",
    "ANSWERED": "the gateway answered after all",
    "GAVE_UP": "it failed every time, and somebody has to do it by hand",
    "FAILED": "the gateway declined",
    "CLOSED": "the gateway closed it without money",
}
"""Reason as it stands in a record -> words after "because" or in brackets."""


def in_words(reason: str) -> str:
    """Return ``reason`` in words; what a person wrote is quoted, a new code is spelt out."""
    if not reason:
        return "no reason given"
    known = WORDS.get(reason)
    if known is not None:
        return known
    if reason.isupper():
        return reason.lower().replace("_", " ")
    return f"“{reason}”"
