"""The newest rows of the live reports and alerts, bounded: what the page is drawn from.

Rows are upserts, so the newest version of each is all there is to keep. Every change has a number;
a viewer that knows of changes up to one number is told what came after it. So a viewer that reads
slowly gets fewer and fuller messages, and nothing is queued for it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from api.follower import OrderFact
from schemas.alert import AlertCleared, AlertRaised
from schemas.order import OrderPlaced
from schemas.record import Record
from schemas.report import (
    FulfilmentWindow,
    FunnelWindow,
    SalesWindow,
    StockWindow,
    TopSkusWindow,
)
from schemas.topics import (
    REPORT_FULFILMENT,
    REPORT_FUNNEL,
    REPORT_SALES,
    REPORT_TOP_SKUS,
    Topic,
)

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000

KEPT = {SECOND_MS: 180, MINUTE_MS: 61, HOUR_MS: 2}
"""Windows of each size that are kept: ~250 of sales and ~120 of the others for each shop and
currency, ~1 KB each: 0.5 MB a shop."""

LEVELS = 2_000
"""Skus in warehouses whose level is kept: ~1 KB and 30 minutes of ~150 bytes each, 11 MB."""

LEVEL_MINUTES = 30

ALERTS = 1_000
CLEARED = 20  # of all that are over, the last ones

SALES_TOPICS: tuple[Topic, ...] = (
    REPORT_SALES,
    REPORT_FUNNEL,
    REPORT_FULFILMENT,
    REPORT_TOP_SKUS,
)
"""What the flow of sales writes."""


class Minute(NamedTuple):
    """A sku in a minute: what was available at its end, and what left in it."""

    start_ms: int
    available: int
    sold: int


class Flow:
    """How far a flow has come (epoch ms): the newest fact it saw, and until when all is counted."""

    def __init__(self) -> None:
        self.fresh_ms = 0
        self.watermark_ms = 0

    def saw(self, row: Any) -> None:
        """Note what a row says."""
        self.fresh_ms = max(self.fresh_ms, row.fresh_ms)
        self.watermark_ms = max(self.watermark_ms, row.watermark_ms)


class Level:
    """A sku in a warehouse: its newest row, and its last minutes."""

    def __init__(self, row: StockWindow) -> None:
        self.row = row
        self.minutes: dict[int, Minute] = {}

    def take(self, row: StockWindow) -> None:
        """Take in the row of a minute."""
        if row.movement >= self.row.movement:
            self.row = row
        self.minutes[row.start_ms] = Minute(row.start_ms, row.available, row.sold_units)
        if len(self.minutes) > LEVEL_MINUTES:
            del self.minutes[min(self.minutes)]

    def history(self) -> list[Minute]:
        """Return its minutes in order."""
        return sorted(self.minutes.values())


class Kept(NamedTuple):
    """A row and the number of its change."""

    change: int
    row: Any


class Reports:
    """Everything that is known; all of it is for the event loop."""

    def __init__(self) -> None:
        self.change = 0
        """The number of the last change."""
        self.sales, self.stock = Flow(), Flow()
        self.placed_ms = 0
        """When the newest order was placed that this process has heard of (epoch ms)."""
        self.stock_change = 0
        self.alert_change = 0
        self.alerts: OrderedDict[str, AlertRaised] = OrderedDict()
        self.cleared: deque[AlertCleared] = deque(maxlen=CLEARED)
        self._windows: dict[tuple[type[Record], int], dict[int, dict[str, Kept]]] = {}
        self._levels: OrderedDict[str, Level] = OrderedDict()

    # --- in ---

    def heard(self, facts: Sequence[OrderFact]) -> None:
        """Note how far the facts of orders are: what the flows should have seen as well."""
        for fact in reversed(facts):
            if fact.kind is OrderPlaced:
                self.placed_ms = max(self.placed_ms, fact.timestamp_ms)
                return

    def take(self, rows: Sequence[OrderFact]) -> None:
        """Take in rows and alerts as they were written; only the last of a key is decoded."""
        newest = {(row.kind, row.key): row for row in rows if row.kind in _ROWS}
        for (_, key), fact in newest.items():
            row: Any = fact.record
            self.change += 1
            if isinstance(row, StockWindow):
                self._stock(row)
            else:
                self._window(key, row)
        for fact in rows:
            if fact.kind is AlertRaised or fact.kind is AlertCleared:
                self.change += 1
                self._alert(fact.record)

    def _window(self, key: str, row: Any) -> None:
        self.sales.saw(row)
        size_ms = row.size_ms
        starts = self._windows.setdefault((type(row), size_ms), {})
        rows = starts.setdefault(row.start_ms, {})
        known = rows.get(key)
        if known is None or known.row.version <= row.version:
            rows[key] = Kept(self.change, row)
        if len(starts) > KEPT[size_ms]:
            del starts[min(starts)]

    def _stock(self, row: StockWindow) -> None:
        self.stock.saw(row)
        if row.size_ms != MINUTE_MS:
            return
        self.stock_change = self.change
        name = f"{row.shop_id}/{row.sku_id}/{row.warehouse_id}"
        level = self._levels.get(name)
        if level is None:
            level = self._levels[name] = Level(row)
        level.take(row)
        self._levels.move_to_end(name)
        if len(self._levels) > LEVELS:
            self._levels.popitem(last=False)

    def _alert(self, alert: Any) -> None:
        self.alert_change = self.change
        if isinstance(alert, AlertRaised):
            self.alerts[alert.alert_id] = alert
            if len(self.alerts) > ALERTS:
                self.alerts.popitem(last=False)
        else:
            self.alerts.pop(alert.alert_id, None)
            self.cleared.append(alert)

    # --- out ---

    def windows(
        self, kind: type[Record], size_ms: int, shop_id: int, after: int = 0
    ) -> Iterator[list[Any]]:
        """Yield the rows of each window that changed since ``after``, the earliest first.

        ``shop_id`` 0: of all shops.
        """
        starts = self._windows.get((kind, size_ms), {})
        for start_ms in sorted(starts):
            rows = [kept for kept in starts[start_ms].values() if _is_of(kept.row, shop_id)]
            if any(kept.change > after for kept in rows):
                yield [kept.row for kept in rows]

    def levels(self, shop_id: int) -> Iterable[Level]:
        """Return the levels of a shop, the one that moved last at the end."""
        return [level for level in self._levels.values() if _is_of(level.row, shop_id)]


_ROWS = (SalesWindow, FunnelWindow, FulfilmentWindow, TopSkusWindow, StockWindow)


def _is_of(row: Any, shop_id: int) -> bool:
    return shop_id in (0, row.shop_id)
