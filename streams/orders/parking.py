"""Stopping an order that cannot go on by itself."""

from __future__ import annotations

from schemas.order import OrderParked
from streams.orders.reasons import ParkReason
from streams.orders.state import Order


def parked(order: Order, reason: ParkReason) -> OrderParked:
    """Return the fact that stops the order where it stands until a human has looked at it.

    A parked order is never forgotten. It goes on by itself only when the answer comes after all for
    which it was parked: an outage of another stage that outlasts the retries leaves no work behind.
    """
    return OrderParked(
        order_no=order.order_no,
        version=order.version + 1,
        shop_id=order.shop_id,
        user_id=order.user_id,
        step=order.status,
        reason=reason,
        trace_id=order.trace_id,
    )
