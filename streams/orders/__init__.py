"""Orders: the saga that leads an order from its placement to its end. See ``docs/orders.md``."""

from streams.orders.limits import OrderLimits
from streams.orders.stage import orders_stage

__all__ = ["OrderLimits", "orders_stage"]
