"""Which function judges which message and which timer of the orders stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.inventory import (
    BackorderConfirmed,
    BackorderReleased,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    StockBackordered,
    StockDeducted,
    StockHeld,
    StockRefused,
    StockReleased,
)
from schemas.order import (
    AmendOrder,
    CancelOrder,
    CompleteOrder,
    OperateOrder,
    PayOrder,
    PlaceOrder,
    RefundOrder,
    ShipOrder,
)
from schemas.payment import (
    PaymentClosed,
    PaymentFailed,
    PaymentRefused,
    PaymentSucceeded,
    RefundFailed,
    RefundSucceeded,
)
from schemas.record import Record
from schemas.resource import (
    PromotionEndRefused,
    PromotionFenced,
    PromotionHeld,
    PromotionRefused,
    PromotionReleased,
    PromotionSpent,
)
from streams.kernel.errors import StageDefect
from streams.kernel.stage import View
from streams.orders import (
    amending,
    ending,
    holding,
    operations,
    paying,
    placing,
    refunding,
    shipping,
    surplus,
)
from streams.orders.facts import OrderForgotten, StepRetried, TimerHeld
from streams.orders.limits import OrderLimits
from streams.orders.parking import parked
from streams.orders.reasons import ParkReason
from streams.orders.state import FinishedOrder, Order, OrderStatus, SurplusRefund

_S = OrderStatus

# The parameter of each decider is the message it is under: a test compares the two.
DECIDE: Mapping[type[Record], Callable[[OrderLimits, View, Any, int], Sequence[Record]]] = {
    PlaceOrder: placing.place_order,
    AmendOrder: amending.amend_order,
    PayOrder: paying.pay_order,
    CancelOrder: ending.cancel_order,
    ShipOrder: shipping.ship_order,
    CompleteOrder: ending.complete_order,
    RefundOrder: refunding.refund_order,
    OperateOrder: operations.operate_order,
    StockHeld: holding.stock_held,
    StockRefused: holding.stock_refused,
    StockDeducted: holding.stock_deducted,
    StockReleased: holding.stock_released,
    StockBackordered: holding.stock_held,
    BackorderConfirmed: holding.stock_deducted,
    BackorderReleased: holding.stock_released,
    HoldExtended: holding.hold_extended,
    HoldFenced: holding.hold_fenced,
    HoldEndRefused: holding.hold_end_refused,
    PromotionHeld: holding.stock_held,
    PromotionRefused: holding.stock_refused,
    PromotionSpent: holding.stock_deducted,
    PromotionReleased: holding.stock_released,
    PromotionFenced: holding.hold_fenced,
    PromotionEndRefused: holding.hold_end_refused,
    PaymentSucceeded: paying.payment_succeeded,
    PaymentFailed: paying.payment_failed,
    PaymentClosed: paying.payment_closed,
    RefundSucceeded: refunding.refund_succeeded,
    RefundFailed: refunding.refund_failed,
    PaymentRefused: paying.payment_refused,
}


def wake(limits: OrderLimits, state: View, record: Record) -> Sequence[Record]:
    """Judge a state record whose time has come."""
    if isinstance(record, Order):
        return _step_due(limits, record)
    if isinstance(record, FinishedOrder):
        return (OrderForgotten(record.order_no),)
    if isinstance(record, SurplusRefund):
        return surplus.due(limits, state, record)
    raise StageDefect(f"{type(record).__name__} has no timer")


def _step_due(limits: OrderLimits, order: Order) -> Sequence[Record]:
    if order.paused:
        return (TimerHeld(order.order_no),)
    due = DUE.get(order.status)
    if due is None:
        raise StageDefect(f"order {order.order_no} awaits nothing in {order.status}")
    return due(limits, order)


def _created_due(limits: OrderLimits, order: Order) -> Sequence[Record]:
    change = order.amendment
    if change is not None and order.due_ms < change.expires_at_ms:
        return amending.due(limits, order)
    return ending.payment_window_over(order)


def _asked_again(limits: OrderLimits, order: Order) -> Sequence[Record]:
    return (StepRetried(order.order_no),) if order.retries < limits.step_retries else ()


def _completed(_limits: OrderLimits, order: Order) -> Sequence[Record]:
    return (ending.completed(order, order.version + 1),)


DUE: Mapping[OrderStatus, Callable[[OrderLimits, Order], Sequence[Record]]] = {
    _S.RESERVING: lambda limits, order: _asked_again(limits, order) or placing.unanswered(order),
    _S.CREATED: _created_due,
    _S.PAID: lambda limits, order: (
        _asked_again(limits, order) or refunding.confirm_unanswered(order)
    ),
    _S.SHIPPED: _completed,
    _S.CANCELLING: lambda limits, order: (
        _asked_again(limits, order) or (parked(order, ParkReason.CANCEL_UNANSWERED),)
    ),
    _S.REFUNDING: refunding.refund_due,
    _S.PARTLY_REFUNDED: _completed,
}
"""How an order is driven on that sat in a step for as long as it may (domain.md: the sweep).

What waits for a client, or for goods on their way, ends when its time is over. What waits for an
answer is asked for again; after the last time the order is rejected, refunded, left as it was or
parked, and a public fact says which."""

UNTIMED: Mapping[OrderStatus, str] = {
    _S.FULFILLING: "the warehouse packs when it can, or the buyer says that all is there",
    _S.PARTLY_SHIPPED: "paid goods are still to leave: neither completing nor refunding is right",
    _S.PARTLY_REFUNDED: "as long as goods are still to leave; else it completes by itself",
    _S.PARKED: "a human is needed, and was alerted",
}
"""Live statuses in which no timer runs, and why."""
