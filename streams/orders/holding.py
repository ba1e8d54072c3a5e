"""The answers about holds, of inventory and promotions: what each means by the mark of the hold.

An answer that nobody awaits has no effect: it repeats an earlier one, or the order has ended. The
exception is that something is held: if nobody awaits it, it is given back. A hold over
several warehouses, or with promised units, is answered by several facts at once: the first counts.

A hold that an amend adds is not yet one of the order's: see ``amending``.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.inventory import (
    BackorderConfirmed,
    BackorderReleased,
    CancelHold,
    ConfirmHold,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    StockBackordered,
    StockDeducted,
    StockHeld,
    StockReason,
    StockRefused,
    StockReleased,
)
from schemas.order import HoldRef, OrderConfirmed, Refusal
from schemas.record import Record
from schemas.resource import (
    CancelPromotion,
    ConfirmPromotion,
    PromotionEndRefused,
    PromotionFenced,
    PromotionHeld,
    PromotionRefused,
    PromotionReleased,
    PromotionSpent,
)
from streams.kernel.stage import View
from streams.orders import amending, reholding
from streams.orders.ending import cancel_answered, hold_lost_unpaid
from streams.orders.facts import HoldAnswered, HoldDenied, HoldsReturned
from streams.orders.limits import OrderLimits
from streams.orders.parking import parked
from streams.orders.placing import hold_denied, hold_granted
from streams.orders.reasons import ParkReason
from streams.orders.refunding import wanted_refund
from streams.orders.state import (
    PROMOTION,
    STOCK,
    HoldMark,
    Order,
    OrderStatus,
    hold_index,
    with_mark,
)

_ASKED, _HELD, _CONFIRMING = HoldMark.ASKED, HoldMark.HELD, HoldMark.CONFIRMING
_CANCELLING, _RELEASED = HoldMark.CANCELLING, HoldMark.RELEASED
_NOT_HELD = HoldMark.REFUSED + HoldMark.RELEASED
_NOTHING = ""  # no mark: the order is not live, or the hold is none of its own

_CONFIRMS = (ConfirmHold.__name__, ConfirmPromotion.__name__)
_CANCELS = (CancelHold.__name__, CancelPromotion.__name__)

Granted = StockHeld | StockBackordered | PromotionHeld
Refused = StockRefused | PromotionRefused
Sold = StockDeducted | BackorderConfirmed | PromotionSpent
Released = StockReleased | BackorderReleased | PromotionReleased
Fenced = HoldFenced | PromotionFenced
EndRefused = HoldEndRefused | PromotionEndRefused
HoldReply = Granted | Refused | Sold | Released | Fenced | EndRefused


def stock_held(limits: OrderLimits, state: View, message: Granted, now_ms: int) -> Sequence[Record]:
    """Count the hold in, or give back what no order awaits (its order ended, or it had refused)."""
    order, index, mark = _find(state, message)
    if order is not None and mark == _ASKED:
        if order.status is not OrderStatus.RESERVING:
            return reholding.hold_regained(order, index)
        return hold_granted(limits, order, index, _amount(message), now_ms)
    if order is not None and index < 0:
        index, mark = amending.added(order, message.hold_id)
        if mark == _ASKED:
            return amending.hold_granted(order, index)
    if mark and mark not in _NOT_HELD:
        return ()
    hold = _ref(message)
    order_no, trace_id = message.order_no, message.trace_id
    return (HoldsReturned(order_no, message.shop_id, (hold,), "NOT_AWAITED", trace_id),)


def stock_refused(
    _limits: OrderLimits, state: View, message: Refused, _now_ms: int
) -> Sequence[Record]:
    """Count the refusal; of a hold that is being cancelled it says that nothing is held."""
    order, index, mark = _find(state, message)
    if order is None:
        return ()
    if index < 0:
        return _added_lost(order, message.hold_id, _ASKED, message.reason, message.available)
    if mark == _ASKED:
        if order.status is not OrderStatus.RESERVING:
            return reholding.given_up(order, index)
        return hold_denied(order, index, message.reason, message.available)
    if mark == _CANCELLING:
        return cancel_answered(order, index, HoldMark.REFUSED)
    return ()


def stock_deducted(
    _limits: OrderLimits, state: View, message: Sold, _now_ms: int
) -> Sequence[Record]:
    """Count the confirmed hold; the last one confirms the order."""
    order, index, mark = _find(state, message)
    if order is None or mark != _CONFIRMING:
        return ()
    return _hold_confirmed(order, index)


def stock_released(
    limits: OrderLimits, state: View, message: Released, _now_ms: int
) -> Sequence[Record]:
    """Take in that a cancelled hold is back; any other release means that the hold is lost."""
    order, index, mark = _find(state, message)
    if order is None:
        return ()
    if index < 0:
        return _added_lost(order, message.hold_id, _HELD, StockReason.HOLD_EXPIRED, 0)
    if mark == _CANCELLING:
        return cancel_answered(order, index, _RELEASED)
    if mark == _CONFIRMING:
        return reholding.hold_lost(limits, order, index)
    if mark != _HELD:
        return ()
    if order.status is OrderStatus.CREATED:
        return hold_lost_unpaid(order, index)
    if order.status is OrderStatus.RESERVING:  # other answers are still awaited
        hold = order.holds[index]
        refusal = Refusal(hold.resource_id, StockReason.HOLD_EXPIRED, hold.amount, 0)
        return (HoldDenied(order.order_no, index, refusal),)
    return (HoldAnswered(order.order_no, index, _RELEASED),)


def hold_fenced(
    _limits: OrderLimits, state: View, message: Fenced, _now_ms: int
) -> Sequence[Record]:
    """Take in that the cancel came before the try: nothing is held, nothing will be."""
    order, index, mark = _find(state, message)
    if order is None or mark != _CANCELLING:
        return ()
    return cancel_answered(order, index, _RELEASED)


def hold_end_refused(
    limits: OrderLimits, state: View, message: EndRefused, _now_ms: int
) -> Sequence[Record]:
    """Take in that the hold had ended otherwise.

    To a confirm: it is confirmed already, or lost. To a cancel: nothing is held any more, unless it
    is sold, which contradicts an order that was never paid: parked.
    """
    order, index, mark = _find(state, message)
    if order is None:
        return ()
    sold = message.reason == StockReason.ALREADY_CONFIRMED
    if mark == _CONFIRMING and message.command in _CONFIRMS:
        if sold:
            return _hold_confirmed(order, index)
        return reholding.hold_lost(limits, order, index)
    if mark == _CANCELLING and message.command in _CANCELS:
        if not sold:
            return cancel_answered(order, index, _RELEASED)
        if order.status is OrderStatus.CANCELLING:
            return (parked(order, ParkReason.CANCEL_CONTRADICTED),)
    return ()


def hold_extended(
    _limits: OrderLimits, _state: View, _message: HoldExtended, _now_ms: int
) -> Sequence[Record]:
    """No effect: the orders stage extends no holds, an operator may."""
    return ()


def _amount(message: Granted) -> int:
    """Return how much the whole hold has, in all warehouses and promised."""
    if isinstance(message, StockHeld):
        return message.qty if message.allocated is None else message.allocated.qty
    return message.asked if isinstance(message, StockBackordered) else message.amount


def _ref(message: Granted) -> HoldRef:
    if isinstance(message, PromotionHeld):
        return HoldRef(message.hold_id, PROMOTION, message.resource_id, message.amount)
    return HoldRef(message.hold_id, STOCK, str(message.sku_id), message.qty)


def _find(state: View, message: HoldReply) -> tuple[Order | None, int, str]:
    """Return the live order, the place of the hold in it, and its mark."""
    order = state.get(Order, message.order_no)
    if order is None:
        return None, -1, _NOTHING
    index = hold_index(order, message.hold_id)
    return order, index, _NOTHING if index < 0 else order.hold_marks[index]


def _added_lost(
    order: Order, hold_id: str, awaited: str, reason: str, available: int
) -> Sequence[Record]:
    """Take in that an amend does not get a hold, if that is still at the mark ``awaited``."""
    index, mark = amending.added(order, hold_id)
    return amending.hold_denied(order, index, reason, available) if mark == awaited else ()


def _hold_confirmed(order: Order, index: int) -> Sequence[Record]:
    marks = with_mark(order.hold_marks, index, HoldMark.DEDUCTED)
    if _CONFIRMING in marks or _ASKED in marks:
        return (HoldAnswered(order.order_no, index, HoldMark.DEDUCTED),)
    version = order.version + 1
    confirmed = OrderConfirmed(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        trace_id=order.trace_id,
    )
    if order.refund_wanted:
        return (confirmed, wanted_refund(order, version + 1))
    return (confirmed,)
