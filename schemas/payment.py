"""Messages of the payments domain. Key: ``order_no``; all attempts of an order live together.

Money is in minor units of ``currency``. ``version`` is 1, 2, 3 ... per order's payments without a
gap. A refusal changes nothing and repeats the version it was judged at.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.record import Record

# --- commands (payment.commands) -----------------------------------------------------------------


class RequestPayment(Record, frozen=True):
    """Open an attempt. ``pay_no`` is the idempotency key towards the gateway."""

    pay_no: str
    order_no: str
    shop_id: int
    user_id: int
    channel: str
    amount_fen: int
    currency: str
    trace_id: str


class RequestRefund(Record, frozen=True):
    """Give back ``amount_fen`` of what ``pay_no`` brought. ``refund_no`` makes it idempotent."""

    refund_no: str
    pay_no: str
    order_no: str
    shop_id: int
    amount_fen: int
    currency: str
    reason: str
    trace_id: str


class ClosePayments(Record, frozen=True):
    """Close every open attempt. Money that comes for one of them later is given back.

    Without ``pay_no`` the order ended and takes no more money. With it only the attempts so far are
    void, ``pay_no`` being the last of them: the order may open others. That is answered, by
    PaymentClosed of ``pay_no``, or by PaymentSucceeded of the attempt whose money was kept before.
    """

    order_no: str
    shop_id: int
    reason: str
    trace_id: str
    pay_no: str = ""


class GatewayStatus(StrEnum):
    """What a gateway says of a payment or a refund."""

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CLOSED = "CLOSED"


class GatewayReport(Record, frozen=True):
    """One message of a gateway about a payment (``refund_no`` empty) or a refund.

    It may come twice, late and in any order. ``gateway_txn_no`` is the gateway's own number of the
    movement of money.
    """

    order_no: str
    pay_no: str
    refund_no: str
    gateway: str
    gateway_txn_no: str
    status: GatewayStatus
    amount_fen: int
    currency: str
    occurred_at_ms: int
    trace_id: str


# --- facts (payment.events) ----------------------------------------------------------------------


class PaymentRequested(Record, frozen=True):
    """An attempt is open: the gateway must be asked."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    pay_no: str
    channel: str
    amount_fen: int
    currency: str
    trace_id: str


class PaymentSucceeded(Record, frozen=True):
    """The money of this attempt is kept for the order."""

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    gateway: str
    gateway_txn_no: str
    amount_fen: int
    currency: str
    paid_at_ms: int
    trace_id: str


class PaymentFailed(Record, frozen=True):
    """The attempt ended without money."""

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    reason: str
    trace_id: str


class PaymentClosed(Record, frozen=True):
    """An open attempt was closed: its order ended, or another attempt paid for it."""

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    reason: str
    trace_id: str


class PaymentSurplus(Record, frozen=True):
    """Money came that the order does not need (a second payment, or after its end): it is refunded.

    ``reason`` is DUPLICATE, ORDER_CLOSED, or VOID: asked for before the order got another total.
    """

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    gateway: str
    gateway_txn_no: str
    amount_fen: int
    currency: str
    reason: str
    trace_id: str


class RefundRequested(Record, frozen=True):
    """A refund is open: the gateway must be asked.

    ``(gateway, paid_txn_no)`` names the movement of money to give back, for one ``pay_no`` may have
    brought two. Asked again after a failure it keeps its ``refund_no``: one number, one movement.
    """

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    channel: str
    amount_fen: int
    currency: str
    reason: str
    trace_id: str
    gateway: str = ""
    paid_txn_no: str = ""


class RefundSucceeded(Record, frozen=True):
    """The money went back."""

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    gateway_txn_no: str
    amount_fen: int
    currency: str
    trace_id: str


class RefundFailed(Record, frozen=True):
    """The gateway did not give the money back."""

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    reason: str
    trace_id: str


class PaymentReason(StrEnum):
    """Why a request or a gateway's message was refused."""

    CONFLICT = "CONFLICT"  # same number, other body
    ALREADY_PAID = "ALREADY_PAID"
    ORDER_CLOSED = "ORDER_CLOSED"
    UNKNOWN_PAYMENT = "UNKNOWN_PAYMENT"
    UNKNOWN_REFUND = "UNKNOWN_REFUND"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    NOTHING_TO_REFUND = "NOTHING_TO_REFUND"
    NOT_A_REPEAT = "NOT_A_REPEAT"  # a second movement of money for one attempt or refund
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"


class PaymentRefused(Record, frozen=True):
    """A request or a gateway's message was refused; nothing changed.

    ``message`` is the name of the record that was refused; ``shop_id`` is 0 when the order is not
    known. Of a gateway's message the last four fields say which money it spoke of, so that somebody
    can look for it.
    """

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    refund_no: str
    message: str
    reason: PaymentReason
    trace_id: str
    gateway: str = ""
    gateway_txn_no: str = ""
    amount_fen: int = 0
    currency: str = ""
