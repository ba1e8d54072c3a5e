"""The stock flow: movements into level and velocity of each sku in each warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas import inventory
from schemas.record import Record
from schemas.topics import INVENTORY_EVENTS, REPORT_STOCK, Topic
from streams.kernel.flow import Fact, FlowTime
from streams.kernel.stage import Output, State
from streams.windows.rows import close_stock
from streams.windows.windowing import HOUR_MS, MINUTE_MS, Report, Window, Windows

_KEPT_MS = {MINUTE_MS: 10 * MINUTE_MS, HOUR_MS: HOUR_MS}
"""10,000 skus that move in every minute are 11 x 10,000 + 2 x 10,000 windows, ~600 bytes each:
80 MB."""

_Amounts = Callable[[Any], tuple[str, int]]


def _added(movement: Any) -> tuple[str, int]:
    return "added_units", movement.delta_on_hand


def _served(movement: inventory.BackorderServed) -> tuple[str, int]:
    return ("sold_units" if movement.owed else "held_units"), movement.qty


MOVEMENTS: dict[type[Record], _Amounts] = {
    inventory.StockHeld: lambda movement: ("held_units", movement.qty),
    inventory.StockDeducted: lambda movement: ("sold_units", movement.qty),
    inventory.StockReleased: lambda movement: ("released_units", movement.qty),
    inventory.StockReturned: lambda movement: ("returned_units", movement.qty),
    inventory.StockReceived: _added,
    inventory.StockAdjusted: _added,
    inventory.StockTransferred: _added,
    inventory.StockCounted: _added,
    inventory.BackorderServed: _served,
}
"""What each movement adds to."""


class StockFlow:
    """Folds the movements of ``inventory.events``."""

    name = "stock"
    sources: tuple[Topic, ...] = (INVENTORY_EVENTS,)
    kinds = frozenset(MOVEMENTS)
    entities: tuple[type[Record], ...] = (Window,)

    def __init__(self) -> None:
        self.windows = Windows((Report(REPORT_STOCK, _KEPT_MS, close_stock),))

    def take(self, state: State, facts: Sequence[Fact]) -> None:
        """Count a batch of movements."""
        tally_of, name = self.windows.tally, REPORT_STOCK.name
        for fact in facts:
            movement = fact.record
            group = f"{movement.sku_id}/{movement.warehouse_id}"
            tally = tally_of(name, MINUTE_MS, movement.shop_id, group, fact.event_ms)
            field, units = MOVEMENTS[type(movement)](movement)
            tally.add(fact, **{field: units})
            tally.latest = max(tally.latest, (movement.version, movement.on_hand, movement.held))

    def wake(self, state: State, record: Window, time: FlowTime) -> None:
        """Complete or forget a window."""
        self.windows.wake(state, record, time)

    def rows(self, state: State, time: FlowTime) -> list[Output]:
        """Return the rows of the windows that changed."""
        return self.windows.rows(state, time)

    def passed_over(self) -> Mapping[str, int]:
        """Return the facts of forgotten windows."""
        return {"too_late": self.windows.too_late}
