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
    AMEND_CONFLICT = "AMEND_CONFLICT"  # the amend key names a change with another body
    AMEND_UNDER_WAY = "AMEND_UNDER_WAY"  # ask again when it is done
    AMEND_NOT_HELD = "AMEND_NOT_HELD"  # something new could not be held: ``refusals`` names it
    AMEND_UNANSWERED = "AMEND_UNANSWERED"  # nobody said that the old payment is closed
    TOO_MANY_AMENDS = "TOO_MANY_AMENDS"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"  # an order keeps its currency
    NOT_SHIPPED = "NOT_SHIPPED"  # parcels are still to leave
    ALREADY_SHIPPED = "ALREADY_SHIPPED"  # nothing is left to leave
    MORE_THAN_ORDERED = "MORE_THAN_ORDERED"  # of some sku less is left to leave
    WAYBILL_CONFLICT = "WAYBILL_CONFLICT"  # the waybill names a parcel with other units
    REFUND_UNDER_WAY = "REFUND_UNDER_WAY"  # one at a time: ask again when it is done
    REFUND_CONFLICT = "REFUND_CONFLICT"  # the refund key names a refund of other units
    MORE_THAN_SOLD = "MORE_THAN_SOLD"  # of some sku less is left to refund
    NOTHING_TO_REFUND = "NOTHING_TO_REFUND"  # these units cost nothing
    TOO_MANY_REFUNDS = "TOO_MANY_REFUNDS"
    NOTHING_AWAITED = "NOTHING_AWAITED"  # no answer is outstanding that could be asked for again
    NOT_SAFE = "NOT_SAFE"  # goods or money would be wrong afterwards
    SURPLUS_NOT_RETURNED = "SURPLUS_NOT_RETURNED"  # money that nobody needs is stuck: alerted


class ParkReason(StrEnum):
    """Why an order was parked (``OrderParked.reason``)."""

    PAYMENT_MISMATCH = "PAYMENT_MISMATCH"  # amount or currency is not the order's
    CONFIRM_UNANSWERED = "CONFIRM_UNANSWERED"
    CANCEL_UNANSWERED = "CANCEL_UNANSWERED"
    CANCEL_CONTRADICTED = "CANCEL_CONTRADICTED"  # a hold of an unpaid order is sold
    REFUND_UNANSWERED = "REFUND_UNANSWERED"
    REFUND_FAILED = "REFUND_FAILED"  # after every try; payments have a ticket open
    REFUND_REFUSED = "REFUND_REFUSED"  # the payments stage will not


TIMEOUT = "TIMEOUT"
"""Reason in a Refusal: nobody answered for this resource."""

HOLD_LOST = "HOLD_LOST"
"""Reason of a refund: the goods were no longer held when they were to be sold."""

REFUNDED = "REFUNDED"
"""Reason of undoing the holds of an order that is refunded before they are confirmed."""

SURPLUS = "SURPLUS"
"""Reason of the refund of money that no order needs."""

PARTLY_HELD = "PARTLY_HELD"
"""Amend key of the change to what could be held of an order whose terms allow for less."""

AMENDED = "AMENDED"
"""Reason of giving back what an amended order needs no more, and of closing its old payment."""
