"""Why a command is refused, a hold is missing, or an order stops: stable names for machines."""

from __future__ import annotations

from enum import StrEnum


class OrderReason(StrEnum):
    """Why a command was refused (``OrderRefused.reason``)."""

    UNKNOWN_ORDER = "UNKNOWN_ORDER"  # no such order, or another's
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"  # the client key names an order with another body
    EXPIRED_INTENT = "EXPIRED_INTENT"  # placed before the idempotency window
    NOT_CREATED = "NOT_CREATED"  # still reserving: nothing to pay yet
    NOT_PAID = "NOT_PAID"
    NOT_CONFIRMED = "NOT_CONFIRMED"  # paid, but the goods are not deducted yet
    ALREADY_PAID = "ALREADY_PAID"
    PAID_USE_REFUND = "PAID_USE_REFUND"  # a paid order is refunded, not cancelled
    ORDER_ENDING = "ORDER_ENDING"  # it is being cancelled or refunded
    ORDER_ENDED = "ORDER_ENDED"
    ORDER_PARKED = "ORDER_PARKED"  # a human is needed first
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    SURPLUS_NOT_RETURNED = "SURPLUS_NOT_RETURNED"  # money that nobody needs is stuck: alerted


class ParkReason(StrEnum):
    """Why an order was parked (``OrderParked.reason``)."""

    PAYMENT_MISMATCH = "PAYMENT_MISMATCH"  # amount or currency is not the order's
    CONFIRM_UNANSWERED = "CONFIRM_UNANSWERED"
    CANCEL_UNANSWERED = "CANCEL_UNANSWERED"
    CANCEL_CONTRADICTED = "CANCEL_CONTRADICTED"  # a hold of an unpaid order is sold
    REFUND_UNANSWERED = "REFUND_UNANSWERED"
    REFUND_FAILED = "REFUND_FAILED"  # under every number it was tried with
    REFUND_REFUSED = "REFUND_REFUSED"  # the payments stage will not


TIMEOUT = "TIMEOUT"
"""Reason in a Refusal: nobody answered for this resource."""

HOLD_LOST = "HOLD_LOST"
"""Reason of a refund: the goods were no longer held when they were to be sold."""

SURPLUS = "SURPLUS"
"""Reason of the refund of money that no order needs."""
