"""Folds the facts of orders into the state. Nothing else changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from schemas.order import (
    CancelCause,
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
    OrderRefused,
    OrderRejected,
)
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import State
from streams.orders.facts import (
    AttemptEnded,
    HoldAnswered,
    HoldDenied,
    HoldsReturned,
    OrderForgotten,
    PaymentsEnded,
    PaymentTaken,
    RefundDelayed,
    RefundReasked,
    RefundWanted,
    StepRetried,
    SurplusAsked,
    SurplusDelayed,
    SurplusReturned,
    SurplusStuck,
)
from streams.orders.limits import OrderLimits
from streams.orders.state import (
    TRANSITIONS,
    FinishedOrder,
    HoldMark,
    Order,
    OrderStatus,
    SurplusRefund,
    attempt_of,
    status_of,
    with_mark,
)

R = TypeVar("R", bound=Record)

# Plain strings: looking a member up in its enum at every fold would cost as much as the fold.
_ASKED, _HELD, _REFUSED = HoldMark.ASKED.value, HoldMark.HELD.value, HoldMark.REFUSED.value
_CONFIRMING, _DEDUCTED = HoldMark.CONFIRMING.value, HoldMark.DEDUCTED.value
_CANCELLING = HoldMark.CANCELLING.value

_CANCEL = str.maketrans({_ASKED: _CANCELLING, _HELD: _CANCELLING})
_STOP_CONFIRM = str.maketrans({_CONFIRMING: _CANCELLING})


def after(status: OrderStatus | None, fact: Record) -> OrderStatus:
    """Return the status after ``fact``; StageDefect when it cannot happen in ``status``."""
    to = TRANSITIONS.get((status, type(fact)))
    if to is None:
        raise StageDefect(f"{type(fact).__name__} cannot happen to an order in {status}")
    return to


def _present(state: State, kind: type[R], key: str) -> R:
    record = state.get(kind, key)
    if record is None:
        raise StageDefect(f"there is no {kind.__name__} {key}")
    return record


# --- the life of an order ------------------------------------------------------------------------


def _placed(limits: OrderLimits, state: State, fact: OrderPlaced, now_ms: int) -> None:
    order_no = fact.order_no
    state.put(
        order_no,
        Order(
            order_no=order_no,
            status=after(None, fact),
            version=fact.version,
            shop_id=fact.shop_id,
            user_id=fact.user_id,
            currency=fact.currency,
            total_fen=fact.total_fen,
            placed_at_ms=fact.placed_at_ms,
            fingerprint=fact.fingerprint,
            trace_id=fact.trace_id,
            holds=fact.holds,
            hold_marks=_ASKED * len(fact.holds),
            due_ms=now_ms + limits.step_timeout_ms,
            channel=fact.pay_channel or "",
        ),
    )


def _created(_limits: OrderLimits, state: State, fact: OrderCreated, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=_HELD * len(order.holds),
            due_ms=fact.expires_at_ms,
            retries=0,
        ),
    )


def _payment_opened(
    _limits: OrderLimits, state: State, fact: OrderPaymentOpened, _now_ms: int
) -> None:
    order = _present(state, Order, fact.order_no)
    status = after(order.status, fact)
    attempts = order.attempts + 1
    state.put(
        fact.order_no,
        replace(
            order, status=status, version=fact.version, channel=fact.channel, attempts=attempts
        ),
    )


def _paid(limits: OrderLimits, state: State, fact: OrderPaid, now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=_CONFIRMING * len(order.holds),
            due_ms=now_ms + limits.step_timeout_ms,
            retries=0,
            paid_attempt=attempt_of(fact.order_no, fact.pay_no),
        ),
    )


def _confirmed(_limits: OrderLimits, state: State, fact: OrderConfirmed, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=_DEDUCTED * len(order.holds),
            due_ms=0,
            retries=0,
        ),
    )


def _cancelling(limits: OrderLimits, state: State, fact: OrderCancelling, now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=order.hold_marks.translate(_CANCEL),
            due_ms=now_ms + limits.step_timeout_ms,
            retries=0,
            cause=CancelCause(fact.cause),
            reason=fact.reason,
        ),
    )


def _refunding(limits: OrderLimits, state: State, fact: OrderRefunding, now_ms: int) -> None:
    order_no = fact.order_no
    order = state.get(Order, order_no)
    if order is None:
        order = _revived(_present(state, FinishedOrder, order_no), fact.trace_id)
        state.delete(FinishedOrder, order_no)
    state.put(
        order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=order.hold_marks.translate(_STOP_CONFIRM),
            due_ms=now_ms + limits.step_timeout_ms,
            retries=0,
            refund_attempts=1,
            refund_wanted=False,
            reason=fact.reason,
        ),
    )


def _parked(_limits: OrderLimits, state: State, fact: OrderParked, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    status = after(order.status, fact)
    state.put(fact.order_no, replace(order, status=status, version=fact.version, due_ms=0))


def _finished(
    limits: OrderLimits,
    state: State,
    fact: OrderRejected | OrderCompleted | OrderCancelled | OrderExpired | OrderRefunded,
    now_ms: int,
) -> None:
    """Keep a FinishedOrder until no repeat of the placement is let in any more.

    A placement passes until ``placed_at_ms + idempotency_window_ms``, and ``placed_at_ms``, a
    client's clock, may be ahead of the log's time.
    """
    order_no = fact.order_no
    order = _present(state, Order, order_no)
    finished = FinishedOrder(
        order_no=order_no,
        outcome=after(order.status, fact),
        version=fact.version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        currency=order.currency,
        total_fen=order.total_fen,
        paid_attempt=order.paid_attempt,
        fingerprint=bytes.fromhex(order.fingerprint),
        due_ms=max(now_ms, order.placed_at_ms) + limits.idempotency_window_ms,
    )
    state.delete(Order, order_no)
    state.put(order_no, finished)


def _revived(finished: FinishedOrder, trace_id: str) -> Order:
    return Order(
        order_no=finished.order_no,
        status=status_of(finished),
        version=finished.version,
        shop_id=finished.shop_id,
        user_id=finished.user_id,
        currency=finished.currency,
        total_fen=finished.total_fen,
        placed_at_ms=0,  # long ago: the memory of its end is counted from the second end
        fingerprint=finished.fingerprint.hex(),
        trace_id=trace_id,
        holds=(),
        hold_marks="",
        due_ms=0,
        paid_attempt=finished.paid_attempt,
    )


def _no_change(limits: OrderLimits, state: State, fact: Record, now_ms: int) -> None:
    """Fold in a fact that only tells others something."""


# --- steps that nobody outside hears of -----------------------------------------------------------


def _hold_answered(_limits: OrderLimits, state: State, fact: HoldAnswered, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    marks = with_mark(order.hold_marks, fact.index, fact.mark)
    state.put(fact.order_no, replace(order, hold_marks=marks))


def _hold_denied(_limits: OrderLimits, state: State, fact: HoldDenied, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    marks = with_mark(order.hold_marks, fact.index, _REFUSED)
    refusals = (*order.refusals, fact.refusal)
    state.put(fact.order_no, replace(order, hold_marks=marks, refusals=refusals))


def _attempt_ended(_limits: OrderLimits, state: State, fact: AttemptEnded, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(fact.order_no, replace(order, channel=""))


def _payment_taken(_limits: OrderLimits, state: State, fact: PaymentTaken, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(fact.order_no, replace(order, paid_attempt=fact.attempt))


def _step_retried(limits: OrderLimits, state: State, fact: StepRetried, now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    retries = order.retries + 1
    due_ms = now_ms + limits.step_wait_ms(retries)
    state.put(fact.order_no, replace(order, retries=retries, due_ms=due_ms))


def _refund_wanted(_limits: OrderLimits, state: State, fact: RefundWanted, _now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(fact.order_no, replace(order, refund_wanted=True, reason=fact.reason))


def _refund_delayed(limits: OrderLimits, state: State, fact: RefundDelayed, now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    due_ms = now_ms + limits.step_wait_ms(order.refund_attempts - 1)
    state.put(fact.order_no, replace(order, refund_failed=True, due_ms=due_ms))


def _refund_reasked(limits: OrderLimits, state: State, fact: RefundReasked, now_ms: int) -> None:
    order = _present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            refund_attempts=order.refund_attempts + 1,
            refund_failed=False,
            retries=0,
            due_ms=now_ms + limits.step_timeout_ms,
        ),
    )


def _forgotten(_limits: OrderLimits, state: State, fact: OrderForgotten, _now_ms: int) -> None:
    state.delete(FinishedOrder, fact.order_no)


# --- money that no order needs --------------------------------------------------------------------


def _surplus_asked(limits: OrderLimits, state: State, fact: SurplusAsked, now_ms: int) -> None:
    state.put(
        fact.pay_no,
        SurplusRefund(
            pay_no=fact.pay_no,
            order_no=fact.order_no,
            shop_id=fact.shop_id,
            user_id=fact.user_id,
            amount_fen=fact.amount_fen,
            currency=fact.currency,
            attempts=fact.attempt,
            retries=fact.retries,
            failed=False,
            due_ms=now_ms + limits.step_wait_ms(fact.retries),
            trace_id=fact.trace_id,
        ),
    )


def _surplus_delayed(limits: OrderLimits, state: State, fact: SurplusDelayed, now_ms: int) -> None:
    surplus = _present(state, SurplusRefund, fact.pay_no)
    due_ms = now_ms + limits.step_wait_ms(surplus.attempts - 1)
    state.put(fact.pay_no, replace(surplus, failed=True, due_ms=due_ms))


def _surplus_stuck(_limits: OrderLimits, state: State, fact: SurplusStuck, _now_ms: int) -> None:
    surplus = _present(state, SurplusRefund, fact.pay_no)
    state.put(fact.pay_no, replace(surplus, due_ms=0))


def _surplus_returned(
    _limits: OrderLimits, state: State, fact: SurplusReturned, _now_ms: int
) -> None:
    state.delete(SurplusRefund, fact.pay_no)


# The parameter of each fold is the fact it is under: a test compares the two.
EVOLVE: Mapping[type[Record], Callable[[OrderLimits, State, Any, int], None]] = {
    OrderPlaced: _placed,
    OrderCreated: _created,
    OrderRejected: _finished,
    OrderPaymentOpened: _payment_opened,
    OrderPaid: _paid,
    OrderConfirmed: _confirmed,
    OrderCompleted: _finished,
    OrderCancelling: _cancelling,
    OrderCancelled: _finished,
    OrderExpired: _finished,
    OrderRefunding: _refunding,
    OrderRefunded: _finished,
    OrderParked: _parked,
    OrderRefused: _no_change,
    HoldAnswered: _hold_answered,
    HoldDenied: _hold_denied,
    HoldsReturned: _no_change,
    PaymentsEnded: _no_change,
    AttemptEnded: _attempt_ended,
    PaymentTaken: _payment_taken,
    StepRetried: _step_retried,
    RefundWanted: _refund_wanted,
    RefundDelayed: _refund_delayed,
    RefundReasked: _refund_reasked,
    OrderForgotten: _forgotten,
    SurplusAsked: _surplus_asked,
    SurplusDelayed: _surplus_delayed,
    SurplusReturned: _surplus_returned,
    SurplusStuck: _surplus_stuck,
}
