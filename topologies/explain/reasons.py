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
    "BELOW_HELD": "it would leave less in stock than orders hold",
    "TIMEOUT": "inventory did not answer in time",
    "NOT_AWAITED": "the order no longer waited for it",
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
    "SURPLUS_NOT_RETURNED": "the money could not be given back: somebody has to do it by hand",
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
    "GAVE_UP": "it failed every time it was tried: somebody has to do it by hand",
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
