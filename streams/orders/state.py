"""What the orders stage keeps, and the one table of an order's transitions.

``docs/orders.md`` is drawn from here by ``streams.orders.diagram``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from schemas.order import (
    CancelCause,
    HoldRef,
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderPaid,
    OrderParked,
    OrderPaymentOpened,
    OrderPlaced,
    OrderRefunded,
    OrderRefunding,
    OrderRejected,
    Refusal,
)
from schemas.record import Record


class OrderStatus(StrEnum):
    """Where an order stands."""

    RESERVING = "RESERVING"  # it has asked for what it must hold
    CREATED = "CREATED"  # everything is held: the client may pay
    PAID = "PAID"  # the money is there, the holds are being confirmed
    FULFILLING = "FULFILLING"  # the goods may leave
    COMPLETED = "COMPLETED"  # the buyer has the goods
    CANCELLING = "CANCELLING"  # it gives back what it holds
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"  # nobody paid in time
    REJECTED = "REJECTED"  # something could not be held
    REFUNDING = "REFUNDING"  # the money is on its way back
    REFUNDED = "REFUNDED"
    PARKED = "PARKED"  # a human is needed


_S = OrderStatus

TRANSITIONS: Mapping[tuple[OrderStatus | None, type[Record]], OrderStatus] = {
    (None, OrderPlaced): _S.RESERVING,
    (_S.RESERVING, OrderCreated): _S.CREATED,
    (_S.RESERVING, OrderRejected): _S.REJECTED,
    (_S.RESERVING, OrderCancelling): _S.CANCELLING,
    (_S.CREATED, OrderPaymentOpened): _S.CREATED,
    (_S.CREATED, OrderPaid): _S.PAID,
    (_S.CREATED, OrderCancelling): _S.CANCELLING,
    (_S.CREATED, OrderParked): _S.PARKED,
    (_S.PAID, OrderConfirmed): _S.FULFILLING,
    (_S.PAID, OrderRefunding): _S.REFUNDING,
    (_S.PAID, OrderParked): _S.PARKED,
    (_S.FULFILLING, OrderCompleted): _S.COMPLETED,
    (_S.FULFILLING, OrderRefunding): _S.REFUNDING,
    (_S.COMPLETED, OrderRefunding): _S.REFUNDING,
    (_S.CANCELLING, OrderCancelled): _S.CANCELLED,
    (_S.CANCELLING, OrderExpired): _S.EXPIRED,
    (_S.CANCELLING, OrderParked): _S.PARKED,
    (_S.REFUNDING, OrderRefunded): _S.REFUNDED,
    (_S.REFUNDING, OrderParked): _S.PARKED,
    # The answer that a parked order waited for came after all.
    (_S.PARKED, OrderConfirmed): _S.FULFILLING,
    (_S.PARKED, OrderRefunding): _S.REFUNDING,
    (_S.PARKED, OrderCancelled): _S.CANCELLED,
    (_S.PARKED, OrderExpired): _S.EXPIRED,
    (_S.PARKED, OrderRefunded): _S.REFUNDED,
}
"""(status, fact) -> status; None: before the order exists. What is not here cannot happen."""

FINISHED = frozenset({_S.COMPLETED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED, _S.REFUNDED})
"""Statuses in which only a FinishedOrder is left of the order."""


class HoldMark(StrEnum):
    """How far one hold is: a letter, so that a whole order's holds are one short string."""

    ASKED = "A"
    HELD = "H"
    REFUSED = "X"  # the try was refused
    CONFIRMING = "F"
    DEDUCTED = "D"
    CANCELLING = "C"
    RELEASED = "R"  # given back, run out, or fenced


class Order(Record, frozen=True):
    """A live order. Key: ``order_no``. Times are epoch ms, money is in fen of ``currency``.

    ``hold_marks`` has one HoldMark per hold, in the order of ``holds``. A mark says which answer is
    awaited, so it also says what an answer means when the order is PARKED.
    """

    order_no: str
    status: OrderStatus
    version: int
    shop_id: int
    user_id: int
    currency: str
    total_fen: int
    placed_at_ms: int
    fingerprint: str
    trace_id: str
    holds: tuple[HoldRef, ...]
    hold_marks: str
    due_ms: (
        int  # when the awaited answer is late, or the payment window is over; 0: nothing awaited
    )
    retries: int = 0  # how often the present step was asked again
    refusals: tuple[Refusal, ...] = ()
    channel: str = ""  # asked for at placement, then that of the open payment attempt
    attempts: int = 0  # payment attempts so far; the n-th is ``pay_no(order_no, n)``
    paid_attempt: int = 0  # the attempt that brought the money
    refund_attempts: int = 0  # the n-th is ``refund_no(pay_no, n)``
    refund_failed: bool = False  # the last one failed: the next number is used when due
    refund_wanted: bool = False  # asked for while the holds are still being confirmed
    cause: CancelCause | None = None
    reason: str = ""  # of the cancellation or the refund


class FinishedOrder(Record, frozen=True):
    """What is left of an order that ended. Key: ``order_no``. Forgotten at ``due_ms``.

    It tells a repeated request from a conflicting one (``fingerprint``: 8 bytes), and knows enough
    to refund a completed order and to send late money back. About 60 bytes in Avro.
    """

    order_no: str
    outcome: OrderStatus
    version: int
    shop_id: int
    user_id: int
    currency: str
    total_fen: int
    paid_attempt: int
    fingerprint: bytes
    due_ms: int


class SurplusRefund(Record, frozen=True):
    """Money on its way back that no order needs. Key: ``pay_no``. Outlives its order if it must.

    ``due_ms`` 0: a human is needed. It is kept until the refund succeeds.
    """

    pay_no: str
    order_no: str
    shop_id: int
    user_id: int
    amount_fen: int
    currency: str
    attempts: int
    retries: int
    failed: bool
    due_ms: int
    trace_id: str


def status_of(order: Order | FinishedOrder) -> OrderStatus:
    """Return where an order stands, live or finished."""
    return order.status if isinstance(order, Order) else order.outcome


def pay_no(order_no: str, attempt: int) -> str:
    """Return the number of an order's payment attempt (1, 2, 3 ...)."""
    return f"{order_no}-{attempt}"


def attempt_of(order_no: str, pay_no: str) -> int:
    """Return which attempt of the order ``pay_no`` names; 0: none of this order's."""
    head, _, attempt = pay_no.rpartition("-")
    return int(attempt) if head == order_no and attempt.isdecimal() else 0


def refund_no(pay_no: str, attempt: int) -> str:
    """Return the number of a payment's refund attempt (1, 2, 3 ...)."""
    return f"{pay_no}-R{attempt}"


def hold_index(order: Order, hold_id: str) -> int:
    """Return the place of a hold in the order; -1: not one of its holds."""
    for index, hold in enumerate(order.holds):
        if hold.hold_id == hold_id:
            return index
    return -1


def with_mark(marks: str, index: int, mark: str) -> str:
    """Return ``marks`` with that of the hold at ``index`` replaced."""
    return marks[:index] + mark + marks[index + 1 :]


def marked(order: Order, marks: str, wanted: str) -> tuple[HoldRef, ...]:
    """Return the holds whose mark is one of ``wanted``, in the order of the holds."""
    return tuple(hold for hold, mark in zip(order.holds, marks, strict=True) if mark in wanted)
