"""The end of an unpaid order (cancelled, expired) and of a delivered one (completed)."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.order import (
    CancelCause,
    CancelOrder,
    CompleteOrder,
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderExpired,
)
from schemas.record import Record
from streams.kernel.stage import View
from streams.orders.amending import given_up
from streams.orders.commands import judge_live
from streams.orders.facts import HoldAnswered, HoldsReturned, PaymentsEnded
from streams.orders.limits import OrderLimits
from streams.orders.reasons import OrderReason
from streams.orders.state import HoldMark, Order, marked, with_mark

_OPEN = HoldMark.ASKED + HoldMark.HELD


def cancel_order(
    _limits: OrderLimits, state: View, message: CancelOrder, _now_ms: int
) -> Sequence[Record]:
    """Give up an order that is not paid. Guards: those of ``judge``."""
    order = judge_live(state, message)
    if not isinstance(order, Order):
        return order
    return cancelling(order, order.hold_marks, CancelCause.REQUESTED, message.reason)


def complete_order(
    _limits: OrderLimits, state: View, message: CompleteOrder, _now_ms: int
) -> Sequence[Record]:
    """Complete an order whose goods the buyer has. Guards: those of ``judge``."""
    order = judge_live(state, message)
    if not isinstance(order, Order):
        return order
    return (completed(order, order.version + 1),)


def completed(order: Order, version: int) -> OrderCompleted:
    """Return the end of an order whose goods the buyer has, or should have had for long."""
    return OrderCompleted(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        trace_id=order.trace_id,
    )


def payment_window_over(order: Order) -> Sequence[Record]:
    """Expire an order that nobody paid."""
    cause = CancelCause.PAYMENT_TIMEOUT
    return cancelling(order, order.hold_marks, cause, cause)


def hold_lost_unpaid(order: Order, index: int) -> Sequence[Record]:
    """Expire a created order because its hold at ``index`` is gone."""
    cause = CancelCause.HOLD_LOST
    marks = with_mark(order.hold_marks, index, HoldMark.RELEASED)
    lost = HoldAnswered(order.order_no, index, HoldMark.RELEASED)
    return (lost, *cancelling(order, marks, cause, cause))


def cancelling(order: Order, marks: str, cause: CancelCause, reason: str) -> Sequence[Record]:
    """Begin to end an unpaid order whose holds are at ``marks``.

    Every hold that is held or asked for is cancelled, and the order ends when all have answered: at
    once when there is none. Payments are closed only if there was an attempt: without one no money
    can come. An amend that is under way is given up.
    """
    order_no, shop_id, trace_id = order.order_no, order.shop_id, order.trace_id
    facts: list[Record] = [
        *given_up(order, OrderReason.ORDER_ENDING),
        OrderCancelling(
            order_no=order_no,
            version=order.version + 1,
            shop_id=shop_id,
            user_id=order.user_id,
            cause=cause,
            reason=reason,
            trace_id=trace_id,
        ),
    ]
    holds = marked(order, marks, _OPEN)
    if holds:
        facts.append(HoldsReturned(order_no, shop_id, holds, cause, trace_id))
    if order.attempts:
        facts.append(PaymentsEnded(order_no, shop_id, cause, trace_id))
    if not holds:
        facts.append(_ended(order, order.version + 2, cause, reason))
    return facts


def cancel_answered(order: Order, index: int, mark: HoldMark) -> Sequence[Record]:
    """Take in that the cancelled hold at ``index`` holds nothing; the last answer ends the order.

    A refund does not wait for holds, so there the answer changes nothing.
    """
    if order.refund_attempts:
        return ()
    if HoldMark.CANCELLING in with_mark(order.hold_marks, index, mark):
        return (HoldAnswered(order.order_no, index, mark),)
    return (cancelled(order, order.version + 1),)


def cancelled(order: Order, version: int) -> Record:
    """Return the end of an order that was being cancelled."""
    return _ended(order, version, order.cause or CancelCause.REQUESTED, order.reason)


def _ended(order: Order, version: int, cause: CancelCause, reason: str) -> Record:
    kind = OrderCancelled if cause is CancelCause.REQUESTED else OrderExpired
    return kind(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        reason=reason,
        trace_id=order.trace_id,
    )
