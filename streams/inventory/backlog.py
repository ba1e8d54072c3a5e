"""Promised units: stock that comes in serves them, in the order of their promises, before anybody.

So nothing is available in any warehouse while units of the sku are promised: whatever becomes
available is taken here, within the same message, and a hold that comes meanwhile finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.inventory import BackorderServed
from schemas.record import Record
from streams.inventory.facts import Movement
from streams.inventory.state import Backorder, Sku, StockHold, backorder_key
from streams.kernel.errors import StageDefect
from streams.kernel.stage import View
from streams.reservations.phases import Phase

_CONFIRMED = Phase.CONFIRMED


def served(
    state: View, sku: Sku | None, moved: Sequence[Movement], given_up: StockHold | None = None
) -> Sequence[Record]:
    """Return who is served by the units that ``moved`` made available.

    ``moved`` are facts not yet folded, at most one per warehouse; ``given_up`` is a hold whose
    promise ends with them. A hold that is confirmed gets its units at once, another holds them.
    """
    if sku is None or not sku.backordered:
        return ()
    backordered = sku.backordered
    if given_up is not None and given_up.plan is not None:
        backordered -= given_up.plan.backordered
    if not backordered:
        return ()
    facts: list[Record] = []
    waiting = _waiting(state, sku, given_up)
    hold, wanted = next(waiting)
    for fact in moved:
        version, on_hand, held = fact.version, fact.on_hand, fact.held
        while on_hand > held and backordered:
            if not wanted:
                hold, wanted = next(waiting)
            qty = min(on_hand - held, wanted)
            owed = hold.phase == _CONFIRMED
            version, wanted, backordered = version + 1, wanted - qty, backordered - qty
            delta_on_hand, delta_held = (-qty, 0) if owed else (0, qty)
            on_hand, held = on_hand + delta_on_hand, held + delta_held
            facts.append(
                BackorderServed(
                    sku_id=sku.sku_id,
                    warehouse_id=fact.warehouse_id,
                    version=version,
                    shop_id=hold.shop_id,
                    hold_id=hold.hold_id,
                    order_no=hold.owner,
                    qty=qty,
                    owed=owed,
                    backordered=backordered,
                    on_hand=on_hand,
                    held=held,
                    delta_on_hand=delta_on_hand,
                    delta_held=delta_held,
                    trace_id=fact.trace_id,
                )
            )
    return facts


def _waiting(state: View, sku: Sku, given_up: StockHold | None) -> Iterator[tuple[StockHold, int]]:
    """Yield who waits, the earliest first, and for how much; StageDefect when nobody is left."""
    for place in range(sku.backlog_first, sku.backlog_next):
        entry = state.get(Backorder, backorder_key(sku.sku_id, place))
        if entry is None or (given_up is not None and entry.hold_id == given_up.hold_id):
            continue  # served before, or gave up
        hold = state.get(StockHold, entry.hold_id)
        if hold is not None and hold.plan is not None:
            yield hold, hold.plan.backordered
    raise StageDefect(f"sku {sku.sku_id} promises units to nobody")
