"""Payment attempts of a created order, and the money that comes."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.order import CancelCause, OrderPaid, PayOrder
from schemas.payment import PaymentClosed, PaymentFailed, PaymentRefused, PaymentSucceeded
from schemas.record import Record
from streams.kernel.stage import View
from streams.orders import amending, surplus
from streams.orders.commands import find, judge_live, refused, repeated
from streams.orders.facts import AttemptEnded, PaymentTaken
from streams.orders.limits import OrderLimits
from streams.orders.parking import parked
from streams.orders.placing import payment_opened
from streams.orders.reasons import OrderReason, ParkReason
from streams.orders.refunding import refund_refused
from streams.orders.state import Order, OrderStatus, attempt_of

_CREATED = OrderStatus.CREATED


def pay_order(
    limits: OrderLimits, state: View, message: PayOrder, _now_ms: int
) -> Sequence[Record]:
    """Open a payment attempt. A client may switch channels: the payments stage keeps one payment.

    Guards, in this order:

    1. those of ``judge``;
    2. an attempt over the same channel is open: no effect;
    3. the order is being amended, so its total may be another soon: AMEND_UNDER_WAY;
    4. too many attempts: TOO_MANY_ATTEMPTS.
    """
    order = judge_live(state, message)
    if not isinstance(order, Order):
        return order
    if order.attempts and order.channel == message.channel:
        return (repeated(message, order),)
    if order.amendment is not None:
        return (refused(message, order, OrderReason.AMEND_UNDER_WAY),)
    if order.attempts >= limits.payment_attempts:
        return (refused(message, order, OrderReason.TOO_MANY_ATTEMPTS),)
    return (payment_opened(order, order.version + 1, message.channel),)


def payment_succeeded(
    _limits: OrderLimits, state: View, message: PaymentSucceeded, _now_ms: int
) -> Sequence[Record]:
    """Take money in.

    Guards, in this order:

    1. the order has this payment: a repeat, no effect;
    2. the order does not wait for money, or not for that of this attempt (it is none of its own, or
       asked for the total before an amend): the money goes back (``surplus``). After ClosePayments
       the payments stage refunds by itself and reports no success, so a success that meets a
       CANCELLING order was accepted before the close;
    3. amount or currency differ: parked, for a human has to look at it.

    An order that is expiring, and was not given up by anybody, still waits: its holds are on their
    way back, so their confirms are refused and they are held anew (``reholding``). Money ends an
    amend that is under way: the order is paid as it was.
    """
    order_no = message.order_no
    order = find(state, order_no)
    if order is None:
        return surplus.taken(state, message, user_id=0)
    attempt = attempt_of(order_no, message.pay_no)
    if attempt and attempt == order.paid_attempt:
        return ()
    if not isinstance(order, Order) or not _awaits_money(order):
        return surplus.taken(state, message, order.user_id)
    if not order.void_attempts < attempt <= order.attempts:
        return surplus.taken(state, message, order.user_id)
    if message.amount_fen != order.total_fen or message.currency != order.currency:
        taken = PaymentTaken(order_no, attempt, message.amount_fen)
        as_it_was = amending.given_up(order, OrderReason.ORDER_PARKED)
        return (*as_it_was, taken, parked(order, ParkReason.PAYMENT_MISMATCH))
    paid = OrderPaid(
        order_no=order_no,
        version=order.version + 1,
        shop_id=order.shop_id,
        user_id=order.user_id,
        currency=order.currency,
        total_fen=order.total_fen,
        pay_no=message.pay_no,
        paid_at_ms=message.paid_at_ms,
        trace_id=order.trace_id,
    )
    if order.amendment is None:
        return (paid,)
    return (*amending.given_up(order, OrderReason.ALREADY_PAID), paid)


def _awaits_money(order: Order) -> bool:
    if order.status is OrderStatus.CANCELLING:
        return order.cause is not CancelCause.REQUESTED
    return order.status is _CREATED


def payment_failed(
    _limits: OrderLimits, state: View, message: PaymentFailed, _now_ms: int
) -> Sequence[Record]:
    """Let the client open another attempt if this was the open one; the order stays created."""
    return _attempt_ended(state, message)


def payment_closed(
    _limits: OrderLimits, state: View, message: PaymentClosed, _now_ms: int
) -> Sequence[Record]:
    """Take in that no money of the attempts so far can come: an amend waited for that."""
    order = state.get(Order, message.order_no)
    if order is None:
        return ()
    amended = amending.attempts_closed(order, message)
    return _attempt_ended(state, message) if amended is None else amended


def payment_refused(
    _limits: OrderLimits, state: View, message: PaymentRefused, _now_ms: int
) -> Sequence[Record]:
    """Take in that the payments stage will not make a refund, or open a payment.

    A payment that is refused because another one succeeded, or because the order ends, needs
    nothing: the order hears of these by themselves.
    """
    if message.refund_no:
        return refund_refused(state, message)
    return _attempt_ended(state, message)


def _attempt_ended(
    state: View, message: PaymentFailed | PaymentClosed | PaymentRefused
) -> Sequence[Record]:
    order = state.get(Order, message.order_no)
    if order is None or order.status is not _CREATED or not order.channel:
        return ()
    if attempt_of(order.order_no, message.pay_no) != order.attempts:
        return ()
    return (AttemptEnded(order.order_no),)
