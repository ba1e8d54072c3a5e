"""What a client's command means in each status: one table, and how commands are judged by it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from schemas.order import (
    AmendOrder,
    CancelOrder,
    CompleteOrder,
    OperateOrder,
    OrderRefused,
    OrderRepeated,
    PayOrder,
    PlaceOrder,
    RefundOrder,
    Refusal,
    ShipOrder,
)
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import View
from streams.orders.reasons import OrderReason
from streams.orders.state import FinishedOrder, Order, OrderStatus, status_of

OrderCommand = (
    PayOrder | AmendOrder | CancelOrder | ShipOrder | CompleteOrder | RefundOrder | OperateOrder
)


class Verdict(Enum):
    """What becomes of a command that is not refused."""

    ACCEPT = "accepted"
    REPEAT = "no effect"  # it asks for what is done already, or being done


_OF_THE_SHOP = (ShipOrder, OperateOrder)  # these name no user

_S, _R = OrderStatus, OrderReason

VERDICTS: Mapping[type[Record], Mapping[OrderStatus, Verdict | OrderReason]] = {
    PayOrder: {
        _S.RESERVING: _R.NOT_CREATED,
        _S.CREATED: Verdict.ACCEPT,
        _S.PAID: _R.ALREADY_PAID,
        _S.FULFILLING: _R.ALREADY_PAID,
        _S.PARTLY_SHIPPED: _R.ALREADY_PAID,
        _S.SHIPPED: _R.ALREADY_PAID,
        _S.COMPLETED: _R.ALREADY_PAID,
        _S.CANCELLING: _R.ORDER_ENDING,
        _S.CANCELLED: _R.ORDER_ENDED,
        _S.EXPIRED: _R.ORDER_ENDED,
        _S.REJECTED: _R.ORDER_ENDED,
        _S.REFUNDING: _R.ORDER_ENDING,
        _S.PARTLY_REFUNDED: _R.ALREADY_PAID,
        _S.REFUNDED: _R.ORDER_ENDED,
        _S.PARKED: _R.ORDER_PARKED,
    },
    AmendOrder: {
        _S.RESERVING: _R.NOT_CREATED,
        _S.CREATED: Verdict.ACCEPT,
        _S.PAID: _R.ALREADY_PAID,
        _S.FULFILLING: _R.ALREADY_PAID,
        _S.PARTLY_SHIPPED: _R.ALREADY_PAID,
        _S.SHIPPED: _R.ALREADY_PAID,
        _S.COMPLETED: _R.ALREADY_PAID,
        _S.CANCELLING: _R.ORDER_ENDING,
        _S.CANCELLED: _R.ORDER_ENDED,
        _S.EXPIRED: _R.ORDER_ENDED,
        _S.REJECTED: _R.ORDER_ENDED,
        _S.REFUNDING: _R.ORDER_ENDING,
        _S.PARTLY_REFUNDED: _R.ALREADY_PAID,
        _S.REFUNDED: _R.ORDER_ENDED,
        _S.PARKED: _R.ORDER_PARKED,
    },
    CancelOrder: {
        _S.RESERVING: Verdict.ACCEPT,
        _S.CREATED: Verdict.ACCEPT,
        _S.PAID: _R.PAID_USE_REFUND,
        _S.FULFILLING: _R.PAID_USE_REFUND,
        _S.PARTLY_SHIPPED: _R.PAID_USE_REFUND,
        _S.SHIPPED: _R.PAID_USE_REFUND,
        _S.COMPLETED: _R.PAID_USE_REFUND,
        _S.CANCELLING: Verdict.REPEAT,
        _S.CANCELLED: Verdict.REPEAT,
        _S.EXPIRED: _R.ORDER_ENDED,
        _S.REJECTED: _R.ORDER_ENDED,
        _S.REFUNDING: _R.ORDER_ENDING,
        _S.PARTLY_REFUNDED: _R.PAID_USE_REFUND,
        _S.REFUNDED: _R.ORDER_ENDED,
        _S.PARKED: _R.ORDER_PARKED,
    },
    ShipOrder: {
        _S.RESERVING: _R.NOT_PAID,
        _S.CREATED: _R.NOT_PAID,
        _S.PAID: _R.NOT_CONFIRMED,
        _S.FULFILLING: Verdict.ACCEPT,
        _S.PARTLY_SHIPPED: Verdict.ACCEPT,
        _S.SHIPPED: _R.ALREADY_SHIPPED,
        _S.COMPLETED: _R.ALREADY_SHIPPED,
        _S.CANCELLING: _R.NOT_PAID,
        _S.CANCELLED: _R.ORDER_ENDED,
        _S.EXPIRED: _R.ORDER_ENDED,
        _S.REJECTED: _R.ORDER_ENDED,
        _S.REFUNDING: _R.REFUND_UNDER_WAY,
        _S.PARTLY_REFUNDED: Verdict.ACCEPT,
        _S.REFUNDED: _R.ORDER_ENDED,
        _S.PARKED: _R.ORDER_PARKED,
    },
    CompleteOrder: {
        _S.RESERVING: _R.NOT_PAID,
        _S.CREATED: _R.NOT_PAID,
        _S.PAID: _R.NOT_CONFIRMED,
        _S.FULFILLING: Verdict.ACCEPT,
        _S.PARTLY_SHIPPED: _R.NOT_SHIPPED,
        _S.SHIPPED: Verdict.ACCEPT,
        _S.COMPLETED: Verdict.REPEAT,
        _S.CANCELLING: _R.ORDER_ENDING,
        _S.CANCELLED: _R.ORDER_ENDED,
        _S.EXPIRED: _R.ORDER_ENDED,
        _S.REJECTED: _R.ORDER_ENDED,
        _S.REFUNDING: _R.REFUND_UNDER_WAY,
        _S.PARTLY_REFUNDED: Verdict.ACCEPT,
        _S.REFUNDED: _R.ORDER_ENDED,
        _S.PARKED: _R.ORDER_PARKED,
    },
    RefundOrder: {
        _S.RESERVING: _R.NOT_PAID,
        _S.CREATED: _R.NOT_PAID,
        _S.PAID: Verdict.ACCEPT,
        _S.FULFILLING: Verdict.ACCEPT,
        _S.PARTLY_SHIPPED: Verdict.ACCEPT,
        _S.SHIPPED: Verdict.ACCEPT,
        _S.COMPLETED: Verdict.ACCEPT,
        _S.CANCELLING: _R.NOT_PAID,
        _S.CANCELLED: _R.NOT_PAID,
        _S.EXPIRED: _R.NOT_PAID,
        _S.REJECTED: _R.NOT_PAID,
        _S.REFUNDING: _R.REFUND_UNDER_WAY,
        _S.PARTLY_REFUNDED: Verdict.ACCEPT,
        _S.REFUNDED: Verdict.REPEAT,
        _S.PARKED: _R.ORDER_PARKED,
    },
}
"""A command that is accepted still has guards of its own. One with a key that the order knows (a
waybill, an amend key, a refund key) has no effect in any status. See its decider.

What has no effect is answered all the same (``repeated``): whoever asked knows that it is done."""


def find(state: View, order_no: str) -> Order | FinishedOrder | None:
    """Return the order, live or finished; None: never placed, or forgotten."""
    return state.get(Order, order_no) or state.get(FinishedOrder, order_no)


def judge(state: View, command: OrderCommand) -> Order | FinishedOrder | tuple[Record, ...]:
    """Return the order that may obey ``command``, or else the facts that answer it.

    Guards, in this order:

    1. those of ``owned``;
    2. its status, by VERDICTS.
    """
    order = owned(state, command)
    return order if isinstance(order, tuple) else ruled(order, command)


def ruled(
    order: Order | FinishedOrder, command: OrderCommand
) -> Order | FinishedOrder | tuple[Record, ...]:
    """Return the order if its status lets it obey ``command``, or else the facts that answer it."""
    verdict = VERDICTS[type(command)][status_of(order)]
    if verdict is Verdict.ACCEPT:
        return order
    if verdict is Verdict.REPEAT:
        return (repeated(command, order),)
    return (refused(command, order, OrderReason(verdict)),)


def owned(state: View, command: OrderCommand) -> Order | FinishedOrder | tuple[Record, ...]:
    """Return the order of ``command``, or else the fact that answers it.

    Guard: the order is unknown, or of another shop or user: OrderRefused(UNKNOWN_ORDER) at version
    0, the same for both, so that nobody learns of another's order. Logistics and operators are the
    shop's own, and name no user.
    """
    order = find(state, command.order_no)
    if order is None or order.shop_id != command.shop_id:
        return (refused(command, None, OrderReason.UNKNOWN_ORDER),)
    if isinstance(command, _OF_THE_SHOP) or order.user_id == command.user_id:
        return order
    return (refused(command, None, OrderReason.UNKNOWN_ORDER),)


def judge_live(state: View, command: OrderCommand) -> Order | tuple[Record, ...]:
    """Do as ``judge`` for a command that VERDICTS accepts of live orders only."""
    order = judge(state, command)
    if isinstance(order, FinishedOrder):
        raise StageDefect(f"{type(command).__name__} is accepted for a {order.outcome} order")
    return order


def refused(
    command: OrderCommand | PlaceOrder,
    order: Order | FinishedOrder | None,
    reason: OrderReason,
    refusals: tuple[Refusal, ...] = (),
) -> OrderRefused:
    """Return the refusal of ``command``, judged at the version of ``order`` (None: 0)."""
    trace_id = command.trace_id
    if not trace_id and isinstance(order, Order):
        trace_id = order.trace_id
    if isinstance(command, _OF_THE_SHOP):
        user_id = 0 if order is None else order.user_id
    else:
        user_id = command.user_id
    return OrderRefused(
        order_no=command.order_no,
        version=0 if order is None else order.version,
        shop_id=command.shop_id,
        user_id=user_id,
        command=type(command).__name__,
        reason=reason,
        trace_id=trace_id,
        refusals=refusals,
    )


def repeated(command: OrderCommand | PlaceOrder, order: Order | FinishedOrder) -> OrderRepeated:
    """Return the answer to a command that changes nothing, because ``order`` obeyed it before."""
    trace_id = command.trace_id
    if not trace_id and isinstance(order, Order):
        trace_id = order.trace_id
    return OrderRepeated(
        order_no=order.order_no,
        version=order.version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        command=type(command).__name__,
        status=status_of(order),
        trace_id=trace_id,
    )


def amend_refused(order: Order, reason: OrderReason, refusals: tuple[Refusal, ...]) -> OrderRefused:
    """Return the refusal of a change that was under way."""
    return OrderRefused(
        order_no=order.order_no,
        version=order.version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        command=AmendOrder.__name__,
        reason=reason,
        trace_id=order.trace_id,
        refusals=refusals,
    )
