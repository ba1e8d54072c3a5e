"""Folds the facts that nobody outside hears of; those of the public life are in ``evolve``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import State
from streams.orders.facts import (
    AmendAnswered,
    AmendAsked,
    AmendEnded,
    AmendHeld,
    AttemptEnded,
    HoldAnswered,
    HoldDenied,
    HoldReasked,
    HoldRegained,
    HoldShortened,
    HoldsReturned,
    HoldUndone,
    OrderForgotten,
    PaymentsEnded,
    PaymentTaken,
    PromotionsReturned,
    RefundWanted,
    StepAsked,
    StepRetried,
    SurplusAsked,
    SurplusReturned,
    SurplusStuck,
    TimerHeld,
)
from streams.orders.limits import OrderLimits
from streams.orders.state import (
    Amended,
    Amendment,
    FinishedOrder,
    HoldMark,
    Order,
    OrderStatus,
    RefundPart,
    SurplusRefund,
    with_amount,
    with_mark,
)

R = TypeVar("R", bound=Record)

_REFUSED = HoldMark.REFUSED.value


def present(state: State, kind: type[R], key: str) -> R:
    """Return a record that must be there."""
    record = state.get(kind, key)
    if record is None:
        raise StageDefect(f"there is no {kind.__name__} {key}")
    return record


def _hold_answered(_limits: OrderLimits, state: State, fact: HoldAnswered, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    marks = with_mark(order.hold_marks, fact.index, fact.mark)
    state.put(fact.order_no, replace(order, hold_marks=marks))


def _hold_denied(_limits: OrderLimits, state: State, fact: HoldDenied, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    marks = with_mark(order.hold_marks, fact.index, _REFUSED)
    refusals = (*order.refusals, fact.refusal)
    state.put(fact.order_no, replace(order, hold_marks=marks, refusals=refusals))


def _attempt_ended(_limits: OrderLimits, state: State, fact: AttemptEnded, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(fact.order_no, replace(order, channel=""))


def _payment_taken(_limits: OrderLimits, state: State, fact: PaymentTaken, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(fact.order_no, replace(order, paid_attempt=fact.attempt, odd_fen=fact.amount_fen))


def _step_retried(limits: OrderLimits, state: State, fact: StepRetried, now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    retries = order.retries + 1
    due_ms = now_ms + limits.step_wait_ms(retries)
    if order.amendment is not None:
        due_ms = min(due_ms, order.amendment.expires_at_ms)
    state.put(fact.order_no, replace(order, retries=retries, due_ms=due_ms))


def _hold_shortened(_limits: OrderLimits, state: State, fact: HoldShortened, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    holds = with_amount(order.holds, fact.index, fact.amount)
    state.put(fact.order_no, replace(order, holds=holds))


def _hold_undone(_limits: OrderLimits, state: State, fact: HoldUndone, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    marks = with_mark(order.hold_marks, fact.index, HoldMark.CANCELLING)
    state.put(fact.order_no, replace(order, hold_marks=marks))


def _hold_reasked(limits: OrderLimits, state: State, fact: HoldReasked, now_ms: int) -> None:
    order, index = present(state, Order, fact.order_no), fact.index
    holds = (*order.holds[:index], fact.hold, *order.holds[index + 1 :])
    marks = with_mark(order.hold_marks, index, HoldMark.ASKED)
    _put_in_step(limits, state, replace(order, holds=holds, hold_marks=marks), now_ms)


def _hold_regained(limits: OrderLimits, state: State, fact: HoldRegained, now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    marks = with_mark(order.hold_marks, fact.index, HoldMark.CONFIRMING)
    _put_in_step(limits, state, replace(order, hold_marks=marks), now_ms)


def _put_in_step(limits: OrderLimits, state: State, order: Order, now_ms: int) -> None:
    """Keep a paid order that asks for something new: a parked one waits without a clock."""
    due_ms = now_ms + limits.step_timeout_ms if order.status is OrderStatus.PAID else 0
    state.put(order.order_no, replace(order, retries=0, due_ms=due_ms))


def _timer_held(limits: OrderLimits, state: State, fact: TimerHeld, now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(fact.order_no, replace(order, due_ms=now_ms + limits.step_timeout_cap_ms))


def _refund_wanted(_limits: OrderLimits, state: State, fact: RefundWanted, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    part = RefundPart(fact.refund_key, fact.units, fact.amount_fen)
    state.put(
        fact.order_no, replace(order, refund_wanted=True, reason=fact.reason, refunds=(part,))
    )


def _forgotten(_limits: OrderLimits, state: State, fact: OrderForgotten, _now_ms: int) -> None:
    state.delete(FinishedOrder, fact.order_no)


# --- a change before payment ----------------------------------------------------------------------


def _amend_asked(limits: OrderLimits, state: State, fact: AmendAsked, now_ms: int) -> None:
    order, change = present(state, Order, fact.order_no), fact.amendment
    due_ms = min(now_ms + limits.step_timeout_ms, change.expires_at_ms)
    state.put(fact.order_no, replace(order, amendment=change, retries=0, due_ms=due_ms))


def _amend_answered(_limits: OrderLimits, state: State, fact: AmendAnswered, _now_ms: int) -> None:
    order, change = _amending(state, fact.order_no)
    marks = with_mark(change.marks, fact.index, fact.mark)
    refusals = change.refusals if fact.refusal is None else (*change.refusals, fact.refusal)
    change = replace(change, marks=marks, refusals=refusals)
    state.put(fact.order_no, replace(order, amendment=change))


def _amend_held(limits: OrderLimits, state: State, fact: AmendHeld, now_ms: int) -> None:
    order, change = _amending(state, fact.order_no)
    marks = HoldMark.HELD.value * len(change.added)
    due_ms = min(now_ms + limits.step_timeout_ms, change.expires_at_ms)
    change = replace(change, marks=marks, is_held=True)
    state.put(fact.order_no, replace(order, amendment=change, retries=0, due_ms=due_ms))


def _amend_ended(_limits: OrderLimits, state: State, fact: AmendEnded, _now_ms: int) -> None:
    order, change = _amending(state, fact.order_no)
    amends = (*order.amends, Amended(change.amend_key, change.fingerprint))
    state.put(
        fact.order_no,
        replace(order, amendment=None, amends=amends, retries=0, due_ms=change.expires_at_ms),
    )


def _amending(state: State, order_no: str) -> tuple[Order, Amendment]:
    order = present(state, Order, order_no)
    if order.amendment is None:
        raise StageDefect(f"order {order_no} is not being amended")
    return order, order.amendment


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


def _surplus_stuck(_limits: OrderLimits, state: State, fact: SurplusStuck, _now_ms: int) -> None:
    surplus = present(state, SurplusRefund, fact.pay_no)
    state.put(fact.pay_no, replace(surplus, due_ms=0))


def _surplus_returned(
    _limits: OrderLimits, state: State, fact: SurplusReturned, _now_ms: int
) -> None:
    state.delete(SurplusRefund, fact.pay_no)


def no_change(limits: OrderLimits, state: State, fact: Record, now_ms: int) -> None:
    """Fold in a fact that only tells others something."""


STEPS: Mapping[type[Record], Callable[[OrderLimits, State, Any, int], None]] = {
    HoldAnswered: _hold_answered,
    HoldShortened: _hold_shortened,
    HoldDenied: _hold_denied,
    HoldsReturned: no_change,
    HoldUndone: _hold_undone,
    PromotionsReturned: no_change,
    HoldReasked: _hold_reasked,
    HoldRegained: _hold_regained,
    PaymentsEnded: no_change,
    AttemptEnded: _attempt_ended,
    PaymentTaken: _payment_taken,
    AmendAsked: _amend_asked,
    AmendAnswered: _amend_answered,
    AmendHeld: _amend_held,
    AmendEnded: _amend_ended,
    StepRetried: _step_retried,
    StepAsked: no_change,
    TimerHeld: _timer_held,
    RefundWanted: _refund_wanted,
    OrderForgotten: _forgotten,
    SurplusAsked: _surplus_asked,
    SurplusReturned: _surplus_returned,
    SurplusStuck: _surplus_stuck,
}
"""Every kind of fact of ``facts``, once."""
