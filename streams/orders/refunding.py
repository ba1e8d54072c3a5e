"""Giving the payment of an order back."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.order import OrderPartlyRefunded, OrderRefunded, OrderRefunding, RefundOrder, SkuUnits
from schemas.payment import PaymentRefused, RefundFailed, RefundSucceeded
from schemas.record import Record
from streams.kernel.stage import View
from streams.orders import surplus
from streams.orders.commands import owned, refused, repeated, ruled
from streams.orders.facts import (
    HoldUndone,
    PromotionsReturned,
    RefundWanted,
    StepRetried,
)
from streams.orders.limits import OrderLimits
from streams.orders.parking import parked
from streams.orders.reasons import HOLD_LOST, REFUNDED, OrderReason, ParkReason
from streams.orders.sold import lines_of, revived
from streams.orders.state import (
    HoldMark,
    Order,
    OrderStatus,
    RefundPart,
    attempt_of,
    marked,
    pay_no,
    promotions_of,
    refund_no,
    under_way,
)
from streams.orders.units import asked, cost_fen, exceeds, listed, to_refund

_UNDO = HoldMark.ASKED + HoldMark.HELD + HoldMark.CONFIRMING + HoldMark.DEDUCTED
_REFUND_STEPS = (OrderStatus.REFUNDING, OrderStatus.PARKED)


def refund_order(
    limits: OrderLimits, state: View, message: RefundOrder, _now_ms: int
) -> Sequence[Record]:
    """Give the payment back: of some units, or of everything that is not refunded yet.

    Guards, in this order:

    1. it is malformed: InvalidMessage (BAD_UNITS);
    2. those of ``owned``;
    3. the refund key is known. Same units (or all): no effect. Otherwise REFUND_CONFLICT;
    4. the status, by VERDICTS; also REFUND_UNDER_WAY while one waits for holds to be confirmed;
    5. more units of a sku than are left: MORE_THAN_SOLD;
    6. what is left of them cost nothing: NOTHING_TO_REFUND;
    7. too many refunds: TOO_MANY_REFUNDS.

    While holds are being confirmed the refund waits for their answers, which come anyway: a cancel
    cannot overtake a confirm, and the books of stock and orders agree on what was sold.
    """
    units = asked(message.units)
    order = owned(state, message)
    if isinstance(order, tuple):
        return order
    found = order if isinstance(order, Order) else revived(order, message.trace_id)
    for part in found.refunds:
        if part.refund_key == message.refund_key:
            if units in ((), part.units):
                return (repeated(message, order),)
            return (refused(message, order, OrderReason.REFUND_CONFLICT),)
    verdict = ruled(order, message)
    if isinstance(verdict, tuple):
        return verdict
    if found.refund_wanted:
        return (refused(message, order, OrderReason.REFUND_UNDER_WAY),)
    if exceeds(units, to_refund(found, found.refunds)):
        return (refused(message, order, OrderReason.MORE_THAN_SOLD),)
    part = _part(found, message.refund_key, units)
    if part.amount_fen < 1:
        return (refused(message, order, OrderReason.NOTHING_TO_REFUND),)
    if len(found.refunds) >= limits.refunds:
        return (refused(message, order, OrderReason.TOO_MANY_REFUNDS),)
    if found.status is OrderStatus.PAID:
        return (_wanted(found, part, message.reason),)
    return (_refunding(found, found.version + 1, part, message.reason, found.trace_id),)


def refund_rest(order: Order, version: int, reason: str) -> Record:
    """Return the start of the refund of everything left, when the holds are not in the way."""
    part = _part(order, "", ())
    if order.status is OrderStatus.PAID:
        return _wanted(order, part, reason)
    return _refunding(order, version, part, reason, order.trace_id)


def refund_undone(order: Order, version: int, reason: str, lost: int = -1) -> Sequence[Record]:
    """Refund an order that is not confirmed, and undo its holds, all but the one at ``lost``.

    Those that are confirmed by now, or while the question is on its way, come back to stock: a
    refunded order keeps no goods.
    """
    order_no, shop_id, user_id = order.order_no, order.shop_id, order.user_id
    undone = [
        HoldUndone(
            order_no=order_no,
            shop_id=shop_id,
            user_id=user_id,
            index=index,
            hold=hold,
            is_sold=mark == HoldMark.DEDUCTED,
            reason=HOLD_LOST if lost >= 0 else REFUNDED,
            trace_id=order.trace_id,
        )
        for index, (hold, mark) in enumerate(zip(order.holds, order.hold_marks, strict=True))
        if index != lost and mark in _UNDO
    ]
    return (_refunding(order, version, _whole(order), reason, order.trace_id), *undone)


def wants_it_all(order: Order) -> bool:
    """Tell whether a refund of the whole payment waits for the holds."""
    return order.refund_wanted and under_way(order).amount_fen >= order.total_fen


def wanted_refund(order: Order, version: int) -> OrderRefunding:
    """Return the start of the refund that was asked for while the holds were being confirmed."""
    return _refunding(order, version, under_way(order), order.reason, order.trace_id)


def confirm_unanswered(order: Order) -> Sequence[Record]:
    """Stop a paid order whose holds nobody confirms; a refund of it all need not wait for them."""
    if not wants_it_all(order):
        return (parked(order, ParkReason.CONFIRM_UNANSWERED),)
    return refund_undone(order, order.version + 1, order.reason)


def refund_succeeded(
    _limits: OrderLimits, state: View, message: RefundSucceeded, _now_ms: int
) -> Sequence[Record]:
    """End the refund; of a payment that is not the order's own see ``surplus``."""
    order = _refunding_order(state, message)
    if order is None:
        return surplus.returned(state, message.pay_no)
    if order.status not in _REFUND_STEPS or message.refund_no != _last_number(order):
        return ()  # a repeat
    return refund_done(order, order.version + 1)


def _last_number(order: Order) -> str:
    return refund_no(pay_no(order.order_no, order.paid_attempt), order.refund_attempts)


def refund_done(order: Order, version: int) -> Sequence[Record]:
    """End the refund under way; the last one leaves nothing kept, and gives promotions back.

    A part of the money brings no promotion back: it counts for all that was bought with it.
    """
    part = under_way(order)
    is_last = part.amount_fen >= _kept_fen(order, order.refunds[:-1])
    kind = OrderRefunded if is_last else OrderPartlyRefunded
    done = kind(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        refund_no=_last_number(order),
        amount_fen=part.amount_fen,
        trace_id=order.trace_id,
    )
    used = promotions_of(marked(order, order.hold_marks, HoldMark.DEDUCTED)) if is_last else ()
    if not used:
        return (done,)
    returned = PromotionsReturned(
        order.order_no, order.shop_id, order.user_id, used, order.trace_id
    )
    return (done, returned)


def refund_failed(
    _limits: OrderLimits, state: View, message: RefundFailed, _now_ms: int
) -> Sequence[Record]:
    """Park the order: the payments stage gave up, and owes the money until its ticket is closed.

    No other number is asked for: both might succeed.
    """
    order = _refunding_order(state, message)
    if order is None:
        return surplus.refund_failed(state, message)
    return _refund_stopped(order, message.refund_no, ParkReason.REFUND_FAILED)


def refund_refused(state: View, message: PaymentRefused) -> Sequence[Record]:
    """Park an order whose refund the payments stage will not make, now or later."""
    order = _refunding_order(state, message)
    if order is None:
        return surplus.refund_refused(state, message)
    return _refund_stopped(order, message.refund_no, ParkReason.REFUND_REFUSED)


def _refund_stopped(order: Order, number: str, reason: ParkReason) -> Sequence[Record]:
    if order.status is not OrderStatus.REFUNDING or number != _last_number(order):
        return ()
    return (parked(order, reason),)


def refund_due(limits: OrderLimits, order: Order) -> Sequence[Record]:
    """Ask again while nobody answers; after the last time a human is needed."""
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


def _part(order: Order, key: str, units: tuple[SkuUnits, ...]) -> RefundPart:
    """Return the next refund of an order; no units: everything that is left.

    The last units give back whatever is still kept, so that all refunds are exactly the payment.
    """
    done = order.refunds
    left = listed(to_refund(order, done))
    kept_fen = _kept_fen(order, done)
    units = units or left
    amount_fen = kept_fen
    if sum(part.qty for part in units) < sum(part.qty for part in left):
        amount_fen = min(cost_fen(lines_of(order), done, units), kept_fen)
    return RefundPart(key, units, amount_fen)


def _whole(order: Order) -> RefundPart:
    """Return the refund of everything, under the key of the one that was wanted, if any."""
    key = order.refunds[-1].refund_key if order.refunds else ""
    units = listed(to_refund(order, ()))
    return RefundPart(key, units, _kept_fen(order, ()))


def _kept_fen(order: Order, done: Sequence[RefundPart]) -> int:
    """Return how much of what was paid ``done`` leaves."""
    return (order.odd_fen or order.total_fen) - sum(part.amount_fen for part in done)


def _wanted(order: Order, part: RefundPart, reason: str) -> RefundWanted:
    return RefundWanted(order.order_no, reason, part.refund_key, part.units, part.amount_fen)


def _refunding(
    order: Order, version: int, part: RefundPart, reason: str, trace_id: str
) -> OrderRefunding:
    payment = pay_no(order.order_no, order.paid_attempt)
    return OrderRefunding(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        pay_no=payment,
        refund_no=refund_no(payment, order.refund_attempts + 1),
        amount_fen=part.amount_fen,
        currency=order.currency,
        reason=reason,
        trace_id=trace_id,
        refund_key=part.refund_key,
        units=part.units,
    )
