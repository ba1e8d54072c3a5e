"""Parcels that leave, until all of the goods have left."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.order import OrderPartlyShipped, OrderShipped, ShipOrder
from schemas.record import Record
from streams.kernel.stage import View
from streams.orders.commands import owned, refused, repeated, ruled
from streams.orders.limits import OrderLimits
from streams.orders.reasons import OrderReason
from streams.orders.state import Order, Parcel
from streams.orders.units import asked, count, exceeds, listed, to_ship


def ship_order(
    _limits: OrderLimits, state: View, message: ShipOrder, _now_ms: int
) -> Sequence[Record]:
    """Count a parcel that left.

    Guards, in this order:

    1. it is malformed: InvalidMessage (BAD_UNITS);
    2. those of ``owned``;
    3. the waybill is known. Same units (or all): no effect. Otherwise WAYBILL_CONFLICT;
    4. the status, by VERDICTS;
    5. nothing is left to leave: ALREADY_SHIPPED;
    6. more units of a sku than are left: MORE_THAN_ORDERED.
    """
    units = asked(message.units)
    order = owned(state, message)
    if isinstance(order, tuple):
        return order
    known = _parcel(order, message.waybill_no) if isinstance(order, Order) else None
    if known is not None:
        if units in ((), known.units):
            return (repeated(message, order),)
        return (refused(message, order, OrderReason.WAYBILL_CONFLICT),)
    order = ruled(order, message)
    if not isinstance(order, Order):
        return order if isinstance(order, tuple) else ()
    left = to_ship(order) if order.holds else {}  # without holds: completed once, then refunded
    if not any(left.values()):
        return (refused(message, order, OrderReason.ALREADY_SHIPPED),)
    if exceeds(units, left):
        return (refused(message, order, OrderReason.MORE_THAN_ORDERED),)
    units = units or listed(left)
    is_last = count(units) == {sku_id: qty for sku_id, qty in left.items() if qty}
    kind = OrderShipped if is_last else OrderPartlyShipped
    return (
        kind(
            order_no=order.order_no,
            version=order.version + 1,
            shop_id=order.shop_id,
            user_id=order.user_id,
            waybill_no=message.waybill_no,
            carrier=message.carrier,
            units=units,
            trace_id=order.trace_id,
        ),
    )


def _parcel(order: Order, waybill_no: str) -> Parcel | None:
    for parcel in order.parcels:
        if parcel.waybill_no == waybill_no:
            return parcel
    return None
