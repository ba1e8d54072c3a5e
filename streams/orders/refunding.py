"""Giving the payment of an order back."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.order import OrderRefunded, OrderRefunding, RefundOrder
from schemas.payment import PaymentRefused, RefundFailed, RefundSucceeded
from schemas.record import Record
from streams.kernel.stage import View
from streams.orders import surplus
from streams.orders.commands import judge
from streams.orders.facts import (
    HoldAnswered,
    HoldsReturned,
    RefundDelayed,
    RefundReasked,
    RefundWanted,
    StepRetried,
)
from streams.orders.limits import OrderLimits
from streams.orders.parking import parked
from streams.orders.reasons import HOLD_LOST, ParkReason
from streams.orders.state import (
    FinishedOrder,
    HoldMark,
    Order,
    OrderStatus,
    attempt_of,
    marked,
    pay_no,
    refund_no,
    with_mark,
)

_CONFIRMING = HoldMark.CONFIRMING


def refund_order(
    _limits: OrderLimits, state: View, message: RefundOrder, _now_ms: int
) -> Sequence[Record]:
    """Give the whole payment back. Guards: those of ``judge``.

    While holds are being confirmed the refund waits for their answers, which come anyway: a cancel
    cannot overtake a confirm, and the books of stock and orders agree on what was sold.
    """
    order = judge(state, message)
    if isinstance(order, tuple):
        return order
    if isinstance(order, FinishedOrder) or order.status is not OrderStatus.PAID:
        trace_id = order.trace_id if isinstance(order, Order) else message.trace_id
        return (_refunding(order, order.version + 1, message.reason, trace_id),)
    if order.refund_wanted:
        return ()
    return (RefundWanted(order.order_no, message.reason),)


def hold_lost_paid(order: Order, index: int) -> Sequence[Record]:
    """Refund a paid order because its hold at ``index`` is gone; give the others back.

    A hold whose confirm arrived before the cancel stays deducted: its units left the stock.
    """
    order_no, shop_id, trace_id = order.order_no, order.shop_id, order.trace_id
    reason = order.reason if order.refund_wanted else HOLD_LOST
    facts: list[Record] = [
        HoldAnswered(order_no, index, HoldMark.RELEASED),
        _refunding(order, order.version + 1, reason, trace_id),
    ]
    marks = with_mark(order.hold_marks, index, HoldMark.RELEASED)
    holds = marked(order, marks, _CONFIRMING)
    if holds:
        facts.append(HoldsReturned(order_no, shop_id, holds, HOLD_LOST, trace_id))
    return facts


def wanted_refund(order: Order, version: int) -> OrderRefunding:
    """Return the start of the refund that was asked for while the holds were being confirmed."""
    return _refunding(order, version, order.reason, order.trace_id)


def confirm_unanswered(order: Order) -> Sequence[Record]:
    """Stop a paid order whose holds nobody confirms; a refund that waits for them starts."""
    if not order.refund_wanted:
        return (parked(order, ParkReason.CONFIRM_UNANSWERED),)
    holds = marked(order, order.hold_marks, _CONFIRMING)
    returned = HoldsReturned(order.order_no, order.shop_id, holds, "REFUNDED", order.trace_id)
    return (wanted_refund(order, order.version + 1), returned)


def refund_succeeded(
    _limits: OrderLimits, state: View, message: RefundSucceeded, _now_ms: int
) -> Sequence[Record]:
    """End the refund; of a payment that is not the order's own see ``surplus``."""
    order = _refunding_order(state, message)
    if order is None:
        return surplus.returned(state, message.pay_no)
    return (
        OrderRefunded(
            order_no=order.order_no,
            version=order.version + 1,
            shop_id=order.shop_id,
            user_id=order.user_id,
            refund_no=message.refund_no,
            amount_fen=order.total_fen,
            trace_id=order.trace_id,
        ),
    )


def refund_failed(
    limits: OrderLimits, state: View, message: RefundFailed, _now_ms: int
) -> Sequence[Record]:
    """Try again under the next number after a while; after the last the order is parked.

    No effect for a number that is not the last one asked for.
    """
    order = _refunding_order(state, message)
    if order is None:
        return surplus.refund_failed(limits, state, message)
    if order.status is not OrderStatus.REFUNDING or order.refund_failed:
        return ()
    if message.refund_no != refund_no(message.pay_no, order.refund_attempts):
        return ()
    if order.refund_attempts >= limits.refund_attempts:
        return (parked(order, ParkReason.REFUND_FAILED),)
    return (RefundDelayed(order.order_no),)


def refund_refused(state: View, message: PaymentRefused) -> Sequence[Record]:
    """Park an order whose refund the payments stage will not make, now or later."""
    order = _refunding_order(state, message)
    if order is None:
        return surplus.refund_refused(state, message)
    if order.status is not OrderStatus.REFUNDING:
        return ()
    return (parked(order, ParkReason.REFUND_REFUSED),)


def refund_due(limits: OrderLimits, order: Order) -> Sequence[Record]:
    """Drive a refund on: the next number after a failure, else the same question again."""
    if order.refund_failed:
        return (RefundReasked(order.order_no),)
    if order.retries < limits.step_retries:
        return (StepRetried(order.order_no),)
    return (parked(order, ParkReason.REFUND_UNANSWERED),)


def _refunding_order(
    state: View, message: RefundSucceeded | RefundFailed | PaymentRefused
) -> Order | None:
    """Return the order that awaits the refund of this payment, also when it is parked meanwhile."""
    order = state.get(Order, message.order_no)
    if order is None or not order.refund_attempts:
        return None
    return order if attempt_of(order.order_no, message.pay_no) == order.paid_attempt else None


def _refunding(
    order: Order | FinishedOrder, version: int, reason: str, trace_id: str
) -> OrderRefunding:
    payment = pay_no(order.order_no, order.paid_attempt)
    return OrderRefunding(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        pay_no=payment,
        refund_no=refund_no(payment, 1),
        amount_fen=order.total_fen,
        currency=order.currency,
        reason=reason,
        trace_id=trace_id,
    )
