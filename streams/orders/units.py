"""Counts the units of an order: ordered, left in parcels, refunded, and what each of them cost.

All units of a sku are alike to a warehouse, so they are counted by sku. What they cost may differ:
the units of a line share its payable amount by largest remainder (the first units of the line bear
the odd fen), and refunds take the units of a sku in the order of the lines. Any way of refunding
all units one after another gives back exactly what they cost together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.order import PricedLine, SkuUnits
from streams.kernel.errors import InvalidMessage
from streams.orders.sold import lines_of
from streams.orders.state import Order, RefundPart

Count = dict[int, int]
"""sku id -> units, in the order in which the skus first appear."""


def count(units: Iterable[SkuUnits | PricedLine]) -> Count:
    """Return the units of each sku."""
    total: Count = {}
    for part in units:
        total[part.sku_id] = total.get(part.sku_id, 0) + part.qty
    return total


def asked(units: Sequence[SkuUnits]) -> tuple[SkuUnits, ...]:
    """Return what a command asks for, each sku once; InvalidMessage (BAD_UNITS) below one unit."""
    if any(part.qty < 1 for part in units):
        raise InvalidMessage("BAD_UNITS", f"expected at least one unit of each sku, got {units}")
    return listed(count(units))


def listed(total: Count) -> tuple[SkuUnits, ...]:
    """Return the skus of which there are any units."""
    return tuple(SkuUnits(sku_id, qty) for sku_id, qty in total.items() if qty > 0)


def to_refund(order: Order, done: Sequence[RefundPart]) -> Count:
    """Return what is not refunded by ``done``."""
    return _less(count(lines_of(order)), count(unit for part in done for unit in part.units))


def to_ship(order: Order) -> Count:
    """Return what is still to leave. A refund takes first what has not left."""
    ordered = count(lines_of(order))
    gone = count(unit for parcel in order.parcels for unit in parcel.units)
    back = count(unit for part in order.refunds for unit in part.units)
    return _less(_less(ordered, gone), back)


def exceeds(units: Iterable[SkuUnits], left: Count) -> bool:
    """Tell whether more is asked for of some sku than is left."""
    return any(part.qty > left.get(part.sku_id, 0) for part in units)


def cost_fen(
    lines: Sequence[PricedLine], done: Sequence[RefundPart], units: Sequence[SkuUnits]
) -> int:
    """Return what the next ``units`` cost that ``done`` has not refunded yet."""
    before = count(unit for part in done for unit in part.units)
    return sum(
        _first_fen(lines, part.sku_id, before.get(part.sku_id, 0) + part.qty)
        - _first_fen(lines, part.sku_id, before.get(part.sku_id, 0))
        for part in units
    )


def _first_fen(lines: Sequence[PricedLine], sku_id: int, qty: int) -> int:
    """Return what the first ``qty`` units of a sku cost."""
    total_fen = 0
    for line in lines:
        if line.sku_id == sku_id:
            taken = min(qty, line.qty)
            share_fen, odd_fen = divmod(line.payable_fen, line.qty)
            total_fen += taken * share_fen + min(taken, odd_fen)
            qty -= taken
    return total_fen


def cut_to(lines: Sequence[PricedLine], held: Count) -> tuple[PricedLine, ...]:
    """Return the lines of an order that got no more than ``held``, at what those units cost.

    The units of a sku are taken in the order of the lines; a line that gets none is left out.
    """
    left, cut = dict(held), []
    for line in lines:
        qty = min(line.qty, left.get(line.sku_id, 0))
        left[line.sku_id] = left.get(line.sku_id, 0) - qty
        if qty:
            payable_fen = _first_fen((line,), line.sku_id, qty)
            discount_fen = qty * line.unit_price_fen - payable_fen
            cut.append(PricedLine(line.sku_id, qty, line.unit_price_fen, discount_fen, payable_fen))
    return tuple(cut)


def _less(total: Count, gone: Count) -> Count:
    return {sku_id: max(0, qty - gone.get(sku_id, 0)) for sku_id, qty in total.items()}
