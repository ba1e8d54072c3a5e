"""What the orders stage keeps, and the one table of an order's transitions.

``docs/orders.md`` is drawn from here by ``streams.orders.diagram``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec.structs import replace

from schemas.inventory import HoldTerms, Shortage
from schemas.order import (
    AppliedRule,
    CancelCause,
    HoldRef,
    OrderAmended,
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderOperated,
    OrderPaid,
    OrderParked,
    OrderPartlyRefunded,
    OrderPartlyShipped,
    OrderPaymentOpened,
    OrderPlaced,
    OrderRefunded,
    OrderRefunding,
    OrderRejected,
    OrderShipped,
    PricedLine,
    Refusal,
    SkuUnits,
)
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.orders.reasons import ParkReason

STOCK, PROMOTION = "stock", "promotion"
"""Kinds of holds."""


class OrderStatus(StrEnum):
    """Where an order stands."""

    RESERVING = "RESERVING"  # it has asked for what it must hold
    CREATED = "CREATED"  # everything is held: the client may pay
    PAID = "PAID"  # the money is there, the holds are being confirmed
    FULFILLING = "FULFILLING"  # the goods may leave
    PARTLY_SHIPPED = "PARTLY_SHIPPED"  # a parcel left, others are still to leave
    SHIPPED = "SHIPPED"  # the last parcel left
    COMPLETED = "COMPLETED"  # the buyer has the goods
    CANCELLING = "CANCELLING"  # it gives back what it holds
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"  # nobody paid in time
    REJECTED = "REJECTED"  # something could not be held
    REFUNDING = "REFUNDING"  # the money is on its way back
    PARTLY_REFUNDED = "PARTLY_REFUNDED"  # some of the money is back, what else was sold goes on
    REFUNDED = "REFUNDED"
    PARKED = "PARKED"  # a human is needed


_S = OrderStatus

FINISHED = frozenset({_S.COMPLETED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED, _S.REFUNDED})
"""Statuses in which only a FinishedOrder is left of the order."""

TRANSITIONS: Mapping[tuple[OrderStatus | None, type[Record]], OrderStatus] = {
    (None, OrderPlaced): _S.RESERVING,
    (_S.RESERVING, OrderCreated): _S.CREATED,
    (_S.RESERVING, OrderRejected): _S.REJECTED,
    (_S.RESERVING, OrderCancelling): _S.CANCELLING,
    (_S.CREATED, OrderAmended): _S.CREATED,
    (_S.CREATED, OrderPaymentOpened): _S.CREATED,
    (_S.CREATED, OrderPaid): _S.PAID,
    (_S.CREATED, OrderCancelling): _S.CANCELLING,
    (_S.CREATED, OrderParked): _S.PARKED,
    (_S.PAID, OrderConfirmed): _S.FULFILLING,
    (_S.PAID, OrderRefunding): _S.REFUNDING,
    (_S.PAID, OrderParked): _S.PARKED,
    (_S.FULFILLING, OrderPartlyShipped): _S.PARTLY_SHIPPED,
    (_S.FULFILLING, OrderShipped): _S.SHIPPED,
    (_S.FULFILLING, OrderCompleted): _S.COMPLETED,
    (_S.FULFILLING, OrderRefunding): _S.REFUNDING,
    (_S.PARTLY_SHIPPED, OrderPartlyShipped): _S.PARTLY_SHIPPED,
    (_S.PARTLY_SHIPPED, OrderShipped): _S.SHIPPED,
    (_S.PARTLY_SHIPPED, OrderRefunding): _S.REFUNDING,
    (_S.SHIPPED, OrderCompleted): _S.COMPLETED,
    (_S.SHIPPED, OrderRefunding): _S.REFUNDING,
    (_S.COMPLETED, OrderRefunding): _S.REFUNDING,
    (_S.CANCELLING, OrderPaid): _S.PAID,  # expiring when the money came: it is held anew
    (_S.CANCELLING, OrderCancelled): _S.CANCELLED,
    (_S.CANCELLING, OrderExpired): _S.EXPIRED,
    (_S.CANCELLING, OrderParked): _S.PARKED,
    (_S.REFUNDING, OrderPartlyRefunded): _S.PARTLY_REFUNDED,
    (_S.REFUNDING, OrderRefunded): _S.REFUNDED,
    (_S.REFUNDING, OrderParked): _S.PARKED,
    (_S.PARTLY_REFUNDED, OrderPartlyShipped): _S.PARTLY_SHIPPED,
    (_S.PARTLY_REFUNDED, OrderShipped): _S.SHIPPED,
    (_S.PARTLY_REFUNDED, OrderCompleted): _S.COMPLETED,
    (_S.PARTLY_REFUNDED, OrderRefunding): _S.REFUNDING,
    # The answer that a parked order waited for came after all, or an operator decided.
    (_S.PARKED, OrderConfirmed): _S.FULFILLING,
    (_S.PARKED, OrderRefunding): _S.REFUNDING,
    (_S.PARKED, OrderCancelled): _S.CANCELLED,
    (_S.PARKED, OrderExpired): _S.EXPIRED,
    (_S.PARKED, OrderPartlyRefunded): _S.PARTLY_REFUNDED,
    (_S.PARKED, OrderRefunded): _S.REFUNDED,
    # An operator's hand moves nothing by itself: what follows from it are facts of their own.
    **{(status, OrderOperated): status for status in _S if status not in FINISHED},
}
"""(status, fact) -> status; None: before the order exists. What is not here cannot happen."""


def after(status: OrderStatus | None, fact: Record) -> OrderStatus:
    """Return the status after ``fact``; StageDefect when it cannot happen in ``status``."""
    to = TRANSITIONS.get((status, type(fact)))
    if to is None:
        raise StageDefect(f"{type(fact).__name__} cannot happen to an order in {status}")
    return to


class HoldMark(StrEnum):
    """How far one hold is: a letter, so that a whole order's holds are one short string."""

    ASKED = "A"
    HELD = "H"
    REFUSED = "X"  # the try was refused
    CONFIRMING = "F"
    DEDUCTED = "D"
    CANCELLING = "C"
    RELEASED = "R"  # given back, run out, or fenced


class Amendment(Record, frozen=True):
    """A change that is under way: the order stays as it was until everything is held.

    ``added`` is still to be held (one HoldMark each in ``marks``), ``dropped`` are the ids of the
    order's holds that go back then. ``is_held``: only the payment attempts are still to be closed.
    """

    amend_key: str
    fingerprint: str
    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...]
    total_fen: int
    added: tuple[HoldRef, ...]
    marks: str
    dropped: tuple[str, ...]
    expires_at_ms: int  # when the payment window of the order is over
    refusals: tuple[Refusal, ...] = ()
    is_held: bool = False


class Amended(Record, frozen=True):
    """An amend that was done or refused: a repeat has no effect."""

    amend_key: str
    fingerprint: str


class Parcel(Record, frozen=True):
    """What left under one waybill."""

    waybill_no: str
    units: tuple[SkuUnits, ...]


class RefundPart(Record, frozen=True):
    """One refund of an order."""

    refund_key: str
    units: tuple[SkuUnits, ...]
    amount_fen: int


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
    refund_attempts: int = 0  # the n-th refund is ``refund_no(pay_no, n)``
    refund_wanted: bool = False  # asked for while the holds are still being confirmed
    cause: CancelCause | None = None
    reason: str = ""  # of the cancellation or the refund
    sold: bytes = b""  # what each unit costs: see ``streams.orders.sold``
    amendment: Amendment | None = None
    amends: tuple[Amended, ...] = ()
    void_attempts: int = 0  # payment attempts up to this one asked for a total of before
    parcels: tuple[Parcel, ...] = ()
    refunds: tuple[RefundPart, ...] = ()  # while REFUNDING or wanted, the last is under way
    park_reason: ParkReason | None = None
    paused: bool = False  # timers wait
    odd_fen: int = 0  # the money that came, when it is not the total


class FinishedOrder(Record, frozen=True):
    """What is left of an order that ended. Key: ``order_no``. Forgotten at ``due_ms``.

    It tells a repeated request from a conflicting one (``fingerprint``: 8 bytes), and knows enough
    to refund a completed order and to send late money back. About 60 bytes in Avro; a completed
    order also keeps ``sold``, from which partial refunds are counted: some 10 bytes a line; and
    ``promotions``, its holds that a refund may bring back.
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
    sold: bytes = b""
    refunds: tuple[RefundPart, ...] = ()
    promotions: tuple[HoldRef, ...] = ()


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
    """Return the number of a payment's n-th refund (1, 2, 3 ...)."""
    return f"{pay_no}-R{attempt}"


def under_way(order: Order) -> RefundPart:
    """Return the refund that is under way or wanted."""
    return order.refunds[-1] if order.refunds else RefundPart("", (), order.total_fen)


def hold_index(order: Order, hold_id: str) -> int:
    """Return the place of a hold in the order; -1: not one of its holds."""
    for index, hold in enumerate(order.holds):
        if hold.hold_id == hold_id:
            return index
    return -1


def promotions_of(holds: tuple[HoldRef, ...]) -> tuple[HoldRef, ...]:
    """Return the holds that are of promotions; mostly there are none."""
    return tuple(hold for hold in holds if hold.kind != STOCK)


def with_mark(marks: str, index: int, mark: str) -> str:
    """Return ``marks`` with that of the hold at ``index`` replaced."""
    return marks[:index] + mark + marks[index + 1 :]


def with_amount(holds: tuple[HoldRef, ...], index: int, amount: int) -> tuple[HoldRef, ...]:
    """Return ``holds`` with the amount of the one at ``index`` replaced."""
    return (*holds[:index], replace(holds[index], amount=amount), *holds[index + 1 :])


def whole(terms: HoldTerms | None) -> HoldTerms | None:
    """Return ``terms`` on which a part does not do: the price of the units is fixed."""
    if terms is None or terms.shortage is not Shortage.PARTIAL:
        return terms
    return replace(terms, shortage=Shortage.REJECT)


def marked(order: Order, marks: str, wanted: str) -> tuple[HoldRef, ...]:
    """Return the holds whose mark is one of ``wanted``, in the order of the holds."""
    return tuple(hold for hold, mark in zip(order.holds, marks, strict=True) if mark in wanted)
