"""Which function judges which message and which timer of the orders stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.inventory import (
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    StockDeducted,
    StockHeld,
    StockRefused,
    StockReleased,
)
from schemas.order import CancelOrder, CompleteOrder, PayOrder, PlaceOrder, RefundOrder
from schemas.payment import (
    PaymentFailed,
    PaymentRefused,
    PaymentSucceeded,
    RefundFailed,
    RefundSucceeded,
)
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import View
from streams.orders import ending, holding, paying, placing, refunding, surplus
from streams.orders.facts import OrderForgotten, StepRetried
from streams.orders.limits import OrderLimits
from streams.orders.parking import parked
from streams.orders.reasons import ParkReason
from streams.orders.state import FinishedOrder, Order, OrderStatus, SurplusRefund

# The parameter of each decider is the message it is under: a test compares the two.
DECIDE: Mapping[type[Record], Callable[[OrderLimits, View, Any, int], Sequence[Record]]] = {
    PlaceOrder: placing.place_order,
    PayOrder: paying.pay_order,
    CancelOrder: ending.cancel_order,
    CompleteOrder: ending.complete_order,
    RefundOrder: refunding.refund_order,
    StockHeld: holding.stock_held,
    StockRefused: holding.stock_refused,
    StockDeducted: holding.stock_deducted,
    StockReleased: holding.stock_released,
    HoldExtended: holding.hold_extended,
    HoldFenced: holding.hold_fenced,
    HoldEndRefused: holding.hold_end_refused,
    PaymentSucceeded: paying.payment_succeeded,
    PaymentFailed: paying.payment_failed,
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
    """End the payment window, or ask again for an answer that is late; after the last time stop."""
    if order.status is OrderStatus.CREATED:
        return ending.payment_window_over(order)
    if order.status is OrderStatus.REFUNDING:
        return refunding.refund_due(limits, order)
    if order.retries < limits.step_retries:
        return (StepRetried(order.order_no),)
    if order.status is OrderStatus.RESERVING:
        return placing.unanswered(order)
    if order.status is OrderStatus.PAID:
        return refunding.confirm_unanswered(order)
    if order.status is OrderStatus.CANCELLING:
        return (parked(order, ParkReason.CANCEL_UNANSWERED),)
    raise StageDefect(f"order {order.order_no} awaits nothing in {order.status}")
