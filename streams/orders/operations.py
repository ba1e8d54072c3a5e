"""What an operator may do to an order, and where: one table beside ``commands.VERDICTS``.

Every action that is taken is a public fact with the operator's name (``OrderOperated``), followed
by the facts that it leads to. None of them is beyond the table of transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from msgspec.structs import replace

from schemas.order import CancelCause, OperateOrder, OperatorAction, OrderOperated
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import View
from streams.orders.commands import owned, refused, repeated
from streams.orders.ending import cancelled, cancelling, completed
from streams.orders.facts import StepAsked
from streams.orders.limits import OrderLimits
from streams.orders.reasons import OrderReason, ParkReason
from streams.orders.refunding import refund_done, refund_rest, refund_undone
from streams.orders.state import FINISHED, FinishedOrder, Order, OrderStatus


class Effect(Enum):
    """What an action does; the text is drawn into docs/orders.md."""

    ASK = "asks again"
    CANCEL = "cancels"
    CANCELLED = "ends it: what is still held runs out by itself"
    COMPLETE = "completes"
    REFUND = "refunds what is left"
    REFUND_WITH_HOLDS = "refunds, and gives back what may be held"
    REFUND_DONE = "counts the money as given back by hand"
    PAUSE = "timers wait"
    RESUME = "timers run"


_S, _P, _E, _R = OrderStatus, ParkReason, Effect, OrderReason

Where = OrderStatus | ParkReason
"""The status of an order; of a parked one why it was parked."""

_RUNNING = [status for status in _S if status not in FINISHED and status is not _S.PARKED]
_NEVER: Mapping[Where, Effect | OrderReason] = {
    **dict.fromkeys(FINISHED, _R.ORDER_ENDED),
    _S.PARKED: _R.ORDER_PARKED,  # without a reason: there is no such order
}

OPERATIONS: Mapping[OperatorAction, Mapping[Where, Effect | OrderReason]] = {
    OperatorAction.RETRY: {
        **_NEVER,
        _S.RESERVING: _E.ASK,
        _S.CREATED: _E.ASK,  # for what an amend needs, and for the open payment
        _S.PAID: _E.ASK,
        _S.FULFILLING: _R.NOTHING_AWAITED,
        _S.PARTLY_SHIPPED: _R.NOTHING_AWAITED,
        _S.SHIPPED: _R.NOTHING_AWAITED,
        _S.CANCELLING: _E.ASK,
        _S.REFUNDING: _E.ASK,
        _S.PARTLY_REFUNDED: _R.NOTHING_AWAITED,
        _P.PAYMENT_MISMATCH: _R.NOTHING_AWAITED,
        _P.CONFIRM_UNANSWERED: _E.ASK,
        _P.CANCEL_UNANSWERED: _E.ASK,
        _P.CANCEL_CONTRADICTED: _E.ASK,
        _P.REFUND_UNANSWERED: _E.ASK,
        _P.REFUND_FAILED: _E.ASK,
        _P.REFUND_REFUSED: _E.ASK,
    },
    OperatorAction.SKIP: {
        **_NEVER,
        _S.RESERVING: _R.NOT_SAFE,  # nothing might be held
        _S.CREATED: _R.NOT_SAFE,  # there is no money
        _S.PAID: _R.NOT_SAFE,  # the goods might not be deducted
        _S.FULFILLING: _E.COMPLETE,
        _S.PARTLY_SHIPPED: _R.NOT_SAFE,  # paid goods have not left
        _S.SHIPPED: _E.COMPLETE,
        _S.CANCELLING: _E.CANCELLED,
        _S.REFUNDING: _R.NOT_SAFE,  # the money might go back twice
        _S.PARTLY_REFUNDED: _E.COMPLETE,
        _P.PAYMENT_MISMATCH: _R.NOT_SAFE,  # the money is not the price
        _P.CONFIRM_UNANSWERED: _R.NOT_SAFE,
        _P.CANCEL_UNANSWERED: _E.CANCELLED,
        _P.CANCEL_CONTRADICTED: _R.NOT_SAFE,  # sold goods nobody pays for: force it, knowing that
        _P.REFUND_UNANSWERED: _R.NOT_SAFE,
        _P.REFUND_FAILED: _E.REFUND_DONE,
        _P.REFUND_REFUSED: _E.REFUND_DONE,
    },
    OperatorAction.FORCE: {
        **_NEVER,
        _S.RESERVING: _E.CANCEL,
        _S.CREATED: _E.CANCEL,
        _S.PAID: _E.REFUND,
        _S.FULFILLING: _E.REFUND,
        _S.PARTLY_SHIPPED: _E.REFUND,
        _S.SHIPPED: _E.REFUND,
        _S.CANCELLING: _E.CANCELLED,
        _S.REFUNDING: _R.REFUND_UNDER_WAY,
        _S.PARTLY_REFUNDED: _E.REFUND,
        _P.PAYMENT_MISMATCH: _E.REFUND_WITH_HOLDS,
        _P.CONFIRM_UNANSWERED: _E.REFUND_WITH_HOLDS,
        _P.CANCEL_UNANSWERED: _E.CANCELLED,
        _P.CANCEL_CONTRADICTED: _E.CANCELLED,
        _P.REFUND_UNANSWERED: _R.REFUND_UNDER_WAY,
        _P.REFUND_FAILED: _R.REFUND_UNDER_WAY,
        _P.REFUND_REFUSED: _R.REFUND_UNDER_WAY,
    },
    OperatorAction.PAUSE: {
        **_NEVER,
        **dict.fromkeys(_RUNNING, _E.PAUSE),
        **dict.fromkeys(_P, _R.ORDER_PARKED),  # it has no timer
    },
    OperatorAction.RESUME: {
        **_NEVER,
        **dict.fromkeys(_RUNNING, _E.RESUME),
        **dict.fromkeys(_P, _E.RESUME),
    },
}


def operate_order(
    _limits: OrderLimits, state: View, message: OperateOrder, _now_ms: int
) -> Sequence[Record]:
    """Let an operator take a hand.

    Guards, in this order:

    1. those of ``owned``;
    2. where the order stands, by OPERATIONS;
    3. it is paused, or goes on, already: no effect;
    4. a refund that is to be begun is wanted already: REFUND_UNDER_WAY.
    """
    order = owned(state, message)
    if isinstance(order, tuple):
        return order
    effect = OPERATIONS[message.action][where(order)]
    if isinstance(effect, OrderReason):
        return (refused(message, order, effect),)
    if isinstance(order, FinishedOrder):
        raise StageDefect(f"{message.action} is allowed for a {order.outcome} order")
    if effect in _SWITCHES:
        is_so = order.paused is _SWITCHES[effect]
        return (repeated(message, order) if is_so else _operated(message, order),)
    if effect is Effect.REFUND and order.refund_wanted:
        return (refused(message, order, OrderReason.REFUND_UNDER_WAY),)
    operated = _operated(message, order)
    return (operated, *_EFFECTS[effect](replace(order, version=operated.version), message.reason))


def where(order: Order | FinishedOrder) -> Where:
    """Return the row of OPERATIONS that the order is in."""
    if isinstance(order, FinishedOrder):
        return order.outcome
    if order.status is OrderStatus.PARKED and order.park_reason is not None:
        return order.park_reason
    return order.status


def _operated(message: OperateOrder, order: Order) -> OrderOperated:
    return OrderOperated(
        order_no=order.order_no,
        version=order.version + 1,
        shop_id=order.shop_id,
        user_id=order.user_id,
        operator=message.operator,
        action=message.action,
        reason=message.reason,
        trace_id=order.trace_id,
    )


_SWITCHES = {Effect.PAUSE: True, Effect.RESUME: False}

_EFFECTS: Mapping[Effect, Callable[[Order, str], Sequence[Record]]] = {
    Effect.ASK: lambda order, _reason: (StepAsked(order.order_no),),
    Effect.CANCEL: lambda order, reason: cancelling(
        order, order.hold_marks, CancelCause.REQUESTED, reason
    ),
    Effect.CANCELLED: lambda order, _reason: (cancelled(order, order.version + 1),),
    Effect.COMPLETE: lambda order, _reason: (completed(order, order.version + 1),),
    Effect.REFUND: lambda order, reason: (refund_rest(order, order.version + 1, reason),),
    Effect.REFUND_WITH_HOLDS: lambda order, reason: refund_undone(order, order.version + 1, reason),
    Effect.REFUND_DONE: lambda order, _reason: refund_done(order, order.version + 1),
}
