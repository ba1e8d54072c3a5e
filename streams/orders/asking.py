"""What an order asks of whoever owns what it holds: of inventory for stock, else of promotions."""

from __future__ import annotations

from schemas import topics
from schemas.inventory import CancelHold, ConfirmHold, ReturnStock, TryHold
from schemas.order import HoldRef, OrderPlaced
from schemas.resource import (
    CancelPromotion,
    ConfirmPromotion,
    ReturnPromotion,
    TryPromotion,
    partition_key,
)
from streams.kernel.stage import Output
from streams.orders.limits import OrderLimits
from streams.orders.state import STOCK, Order

_INVENTORY = topics.INVENTORY_COMMANDS.name
_PROMOTIONS = topics.PROMOTION_COMMANDS.name


def try_hold(limits: OrderLimits, order: OrderPlaced | Order, hold: HoldRef) -> Output:
    """Ask for the hold."""
    resource_id = hold.resource_id
    if hold.kind != STOCK:
        promotion = TryPromotion(
            hold_id=hold.hold_id,
            order_no=order.order_no,
            shop_id=order.shop_id,
            user_id=order.user_id,
            resource_id=resource_id,
            amount=hold.amount,
            capacity=hold.capacity,
            ttl_ms=limits.hold_ttl_ms,
            trace_id=order.trace_id,
        )
        return Output(_PROMOTIONS, partition_key(resource_id), promotion)
    ask = TryHold(
        hold_id=hold.hold_id,
        order_no=order.order_no,
        shop_id=order.shop_id,
        user_id=order.user_id,
        sku_id=int(resource_id),
        qty=hold.amount,
        ttl_ms=limits.hold_ttl_ms,
        trace_id=order.trace_id,
        terms=hold.terms,
    )
    return Output(_INVENTORY, resource_id, ask)


def confirm_hold(order: Order, hold: HoldRef) -> Output:
    """Ask to have it sold, or used up."""
    resource_id = hold.resource_id
    if hold.kind != STOCK:
        promotion = ConfirmPromotion(
            hold_id=hold.hold_id,
            order_no=order.order_no,
            shop_id=order.shop_id,
            resource_id=resource_id,
            trace_id=order.trace_id,
        )
        return Output(_PROMOTIONS, partition_key(resource_id), promotion)
    confirm = ConfirmHold(
        hold_id=hold.hold_id,
        order_no=order.order_no,
        shop_id=order.shop_id,
        sku_id=int(resource_id),
        trace_id=order.trace_id,
    )
    return Output(_INVENTORY, resource_id, confirm)


def cancel_hold(order_no: str, shop_id: int, hold: HoldRef, reason: str, trace_id: str) -> Output:
    """Ask to have it back before it was sold, or used up."""
    resource_id = hold.resource_id
    if hold.kind != STOCK:
        promotion = CancelPromotion(
            hold_id=hold.hold_id,
            order_no=order_no,
            shop_id=shop_id,
            resource_id=resource_id,
            reason=reason,
            trace_id=trace_id,
        )
        return Output(_PROMOTIONS, partition_key(resource_id), promotion)
    cancel = CancelHold(
        hold_id=hold.hold_id,
        order_no=order_no,
        shop_id=shop_id,
        sku_id=int(resource_id),
        reason=reason,
        trace_id=trace_id,
    )
    return Output(_INVENTORY, resource_id, cancel)


def undo_hold(
    order_no: str,
    shop_id: int,
    user_id: int,
    hold: HoldRef,
    amount: int,
    reason: str,
    trace_id: str,
) -> Output:
    """Ask to have it back whatever became of it; ``amount`` is known to be sold, or used up."""
    resource_id = hold.resource_id
    if hold.kind != STOCK:
        promotion = ReturnPromotion(
            hold_id=hold.hold_id,
            order_no=order_no,
            shop_id=shop_id,
            resource_id=resource_id,
            amount=amount,
            reason=reason,
            trace_id=trace_id,
        )
        return Output(_PROMOTIONS, partition_key(resource_id), promotion)
    undo = ReturnStock(
        hold_id=hold.hold_id,
        order_no=order_no,
        shop_id=shop_id,
        user_id=user_id,
        sku_id=int(resource_id),
        qty=amount,
        reason=reason,
        trace_id=trace_id,
    )
    return Output(_INVENTORY, resource_id, undo)
