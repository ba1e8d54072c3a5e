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


class TicketResolution(StrEnum):
    """What became of a ticket; ``docs/payments.md`` says which fits which, and what it does."""

    RETRY = "RETRY"  # the gateway is asked again, from the first wait
    SETTLED = "SETTLED"  # the money moved outside of what the gateway reports
    WRITTEN_OFF = "WRITTEN_OFF"  # no money moved, and none is expected
    ANSWERED = "ANSWERED"  # the gateway gave the answer after all; no operator may send it


class ResolveTicket(Record, frozen=True):
    """An operator decides what becomes of an open ticket. Also taken on payment.intents."""

    ticket_no: str
    order_no: str
    shop_id: int
    operator: str
    resolution: TicketResolution
    note: str
    trace_id: str = ""


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
    brought two; ``is_surplus``: it is money that the order did not need. Asked again after a
    failure (``is_repeat``) it keeps its ``refund_no``: one number, one movement.
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
    is_surplus: bool = False
    is_repeat: bool = False


class RefundSucceeded(Record, frozen=True):
    """The money went back over ``gateway``; ``manual``: an operator settled it outside."""

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    gateway_txn_no: str
    amount_fen: int
    currency: str
    trace_id: str
    gateway: str = ""


class RefundFailed(Record, frozen=True):
    """The gateway did not give the money back: it is still owed, and asked for again.

    ``reason`` GAVE_UP: not by itself any more, a ticket is open.
    """

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    reason: str
    trace_id: str


class RefundOverpaid(Record, frozen=True):
    """The gateway gave the money of one refund back a second time: somebody owes it to the shop."""

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    gateway: str
    gateway_txn_no: str
    amount_fen: int
    currency: str
    trace_id: str


class PaymentQueried(Record, frozen=True):
    """How the attempt ended is not known: the gateway must be asked, for the ``nth`` time (1 ...).

    Whoever answers reports how the payment stands and takes none. ``is_closed``: the order wants
    the money no more; a payment that is not made yet is closed at the gateway, and reported CLOSED.
    """

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    channel: str
    amount_fen: int
    currency: str
    nth: int
    is_closed: bool
    trace_id: str


class RefundQueried(Record, frozen=True):
    """How the refund ended is not known: the gateway must be asked.

    Whoever answers reports how it stands and gives nothing back; a refund that the gateway never
    heard of is FAILED. ``nth`` counts how often it was asked, by requests and queries together.
    """

    order_no: str
    version: int
    shop_id: int
    refund_no: str
    pay_no: str
    channel: str
    gateway: str
    paid_txn_no: str
    amount_fen: int
    currency: str
    nth: int
    trace_id: str


class TicketReason(StrEnum):
    """Why a human is needed."""

    PAYMENT_UNKNOWN = "PAYMENT_UNKNOWN"  # the last query was not answered by an end
    REFUND_UNPAID = "REFUND_UNPAID"  # the last try failed, or nobody knows how it ended
    REFUND_OVERPAID = "REFUND_OVERPAID"  # more went back than was asked for
    MONEY_MISMATCH = "MONEY_MISMATCH"  # money moved that is not what was asked for


class PaymentTicketOpened(Record, frozen=True):
    """Nothing more happens by itself: a human is needed.

    ``amount_fen`` is the money at stake; of a payment ``refund_no`` is empty. ``since_ms``: when
    the gateway was first asked, or when the money came.
    """

    order_no: str
    version: int
    shop_id: int
    ticket_no: str
    reason: TicketReason
    pay_no: str
    refund_no: str
    amount_fen: int
    currency: str
    since_ms: int
    trace_id: str


class PaymentTicketClosed(Record, frozen=True):
    """The ticket is done with: by an operator, or because the gateway answered after all."""

    order_no: str
    version: int
    shop_id: int
    ticket_no: str
    reason: TicketReason
    pay_no: str
    refund_no: str
    amount_fen: int
    currency: str
    resolution: TicketResolution
    operator: str
    note: str
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
    REFUND_STUCK = "REFUND_STUCK"  # an earlier refund failed and waits for a human
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    TICKET_NOT_OPEN = "TICKET_NOT_OPEN"
    WRONG_RESOLUTION = "WRONG_RESOLUTION"  # it does not fit the ticket


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
