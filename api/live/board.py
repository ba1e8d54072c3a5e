"""What the page is sent: the rows of one shop, or of all of them added up, as JSON.

A message has the same form whether it is the first or says what changed: windows replace windows of
the same currency, size and start; ``top``, ``stock``, ``fulfilment`` and ``alerts`` are whole
whenever they are there. Money is in minor units, times are epoch ms, ratios basis points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from api.live.reports import HOUR_MS, MINUTE_MS, SECOND_MS, Level, Minute, Reports
from schemas.alert import AlertCleared, AlertRaised
from schemas.report import FulfilmentWindow, FunnelWindow, SalesWindow, StepTime, TopSkusWindow

SHOWN_SKUS = 12
SHOWN_ALERTS = 50

_PACE_MINUTES = 5  # the speed of sale is that of the last minutes: one alone is jumpy


class Flow(msgspec.Struct, frozen=True):
    """How far a flow has come: the newest fact it saw, and until when all facts are counted."""

    fresh_ms: int
    watermark_ms: int


class Pipeline(msgspec.Struct, frozen=True):
    """How late all is. ``now_ms`` is the server's clock, ``placed_ms`` the newest order's time.

    Without ``is_reading`` Kafka cannot be read, and nothing here is news.
    """

    now_ms: int
    placed_ms: int
    is_reading: bool
    sales: Flow
    stock: Flow


class Sales(msgspec.Struct, frozen=True):
    """A second, a minute or an hour of sales."""

    currency: str
    size_ms: int
    start_ms: int
    placed: int
    created: int
    rejected: int
    paid: int
    gmv_fen: int
    shipped: int
    refunds: int
    refunded_fen: int
    fresh_ms: int
    is_complete: bool


class Funnel(msgspec.Struct, frozen=True):
    """What became of the orders of a minute; of several shops a step's times are the longest."""

    currency: str
    size_ms: int
    start_ms: int
    placed: int
    created: int
    paid: int
    shipped: int
    refunded: int
    to_created: StepTime
    to_paid: StepTime
    fresh_ms: int


class Fulfilment(msgspec.Struct, frozen=True):
    """How the orders that were paid in this hour were served."""

    start_ms: int
    paid: int
    shipped: int
    late: int
    waiting: int
    fresh_ms: int


class Top(msgspec.Struct, frozen=True):
    """The skus that sold most in a window: ``[sku, units, minor units]``, the best first."""

    currency: str
    size_ms: int
    start_ms: int
    skus: int
    top: tuple[tuple[int, int, int], ...]
    fresh_ms: int


class Stock(msgspec.Struct, frozen=True):
    """A sku in a warehouse; ``pace_mpm`` is its speed of sale in 1/1,000 units a minute."""

    shop_id: int
    sku_id: int
    warehouse_id: str
    on_hand: int
    held: int
    available: int
    pace_mpm: int
    minutes: list[Minute]
    fresh_ms: int


class Alerts(msgspec.Struct, frozen=True):
    """The alerts that are open, the worst first, and those that are over, the last first."""

    open: list[AlertRaised]
    cleared: list[AlertCleared]
    count: int


class Board(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message's data; ``shop_id`` 0: all shops."""

    shop_id: int
    pipeline: Pipeline
    sales: list[Sales] = []
    funnel: list[Funnel] = []
    fulfilment: Fulfilment | None = None
    top: list[Top] | None = None
    stock: list[Stock] | None = None
    alerts: Alerts | None = None


class Seen(NamedTuple):
    """What a viewer knows: all changes up to these numbers."""

    windows: int = 0
    stock: int = 0
    alerts: int = 0


def board(reports: Reports, shop_id: int, seen: Seen, pipeline: Pipeline) -> tuple[Board, Seen]:
    """Return what changed for a viewer of ``shop_id`` since ``seen``, and what it knows then."""
    sales = [
        _sales(rows)
        for size_ms in (HOUR_MS, MINUTE_MS, SECOND_MS)
        for window in reports.windows(SalesWindow, size_ms, shop_id, seen.windows)
        for rows in _by_currency(window)
    ]
    funnel = [
        _funnel(rows)
        for window in reports.windows(FunnelWindow, MINUTE_MS, shop_id, seen.windows)
        for rows in _by_currency(window)
    ]
    hours = list(reports.windows(FulfilmentWindow, HOUR_MS, shop_id, seen.windows))
    has_stock, has_alerts = reports.stock_change > seen.stock, reports.alert_change > seen.alerts
    made = Board(
        shop_id,
        pipeline,
        sales,
        funnel,
        _fulfilment(hours[-1]) if hours else None,
        _top(reports, shop_id, seen.windows),
        _stock(reports, shop_id) if has_stock or has_alerts else None,
        _alerts(reports, shop_id) if has_alerts else None,
    )
    return made, Seen(reports.change, reports.stock_change, reports.alert_change)


def _by_currency(rows: Iterable[Any]) -> list[list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row.currency].append(row)
    return list(found.values())


def _sum(rows: list[Any], name: str) -> int:
    return sum(getattr(row, name) for row in rows)


def _newest(rows: list[Any]) -> int:
    newest_ms: int = max(row.fresh_ms for row in rows)
    return newest_ms


def _sales(rows: list[SalesWindow]) -> Sales:
    return Sales(
        rows[0].currency,
        rows[0].size_ms,
        rows[0].start_ms,
        _sum(rows, "placed"),
        _sum(rows, "created"),
        _sum(rows, "rejected"),
        _sum(rows, "paid"),
        _sum(rows, "gmv_fen"),
        _sum(rows, "shipped"),
        _sum(rows, "refunds"),
        _sum(rows, "refunded_fen"),
        _newest(rows),
        all(row.is_complete for row in rows),
    )


def _funnel(rows: list[FunnelWindow]) -> Funnel:
    return Funnel(
        rows[0].currency,
        rows[0].size_ms,
        rows[0].start_ms,
        _sum(rows, "placed"),
        _sum(rows, "created"),
        _sum(rows, "paid"),
        _sum(rows, "shipped"),
        _sum(rows, "refunded"),
        _longest([row.to_created for row in rows]),
        _longest([row.to_paid for row in rows]),
        _newest(rows),
    )


def _longest(times: list[StepTime]) -> StepTime:
    count = sum(time.count for time in times)
    total_ms = sum(time.mean_ms * time.count for time in times)
    return StepTime(
        count,
        total_ms // count if count else 0,
        max(time.p50_ms for time in times),
        max(time.p99_ms for time in times),
    )


def _fulfilment(rows: list[FulfilmentWindow]) -> Fulfilment:
    return Fulfilment(
        rows[0].start_ms,
        _sum(rows, "paid"),
        _sum(rows, "shipped"),
        _sum(rows, "late"),
        _sum(rows, "waiting"),
        _newest(rows),
    )


def _top(reports: Reports, shop_id: int, after: int) -> list[Top] | None:
    """Return the best skus of the current hour in each currency; None: nothing changed."""
    hours = list(reports.windows(TopSkusWindow, HOUR_MS, shop_id, after))
    if not hours:
        return None
    return [_best(rows) for rows in _by_currency(hours[-1])]


def _best(rows: list[TopSkusWindow]) -> Top:
    sold: dict[int, tuple[int, int]] = {}
    for row in rows:
        for sku in row.top:
            units, fen = sold.get(sku.sku_id, (0, 0))
            sold[sku.sku_id] = (units + sku.units, fen + sku.paid_fen)
    best = sorted(sold.items(), key=lambda item: (-item[1][0], item[0]))[:SHOWN_SKUS]
    return Top(
        rows[0].currency,
        rows[0].size_ms,
        rows[0].start_ms,
        _sum(rows, "skus"),
        tuple((sku_id, *amounts) for sku_id, amounts in best),
        _newest(rows),
    )


def _stock(reports: Reports, shop_id: int) -> list[Stock]:
    """Return the skus to look at: those with an alert, then those that sell fastest."""
    alerted = {(alert.shop_id, alert.sku_id) for alert in reports.alerts.values()}
    minute_ms = reports.stock.fresh_ms - reports.stock.fresh_ms % MINUTE_MS

    def rank(entry: tuple[Level, int]) -> tuple[bool, int, int, str]:
        level, pace_mpm = entry
        row = level.row
        return ((row.shop_id, row.sku_id) not in alerted, -pace_mpm, row.sku_id, row.warehouse_id)

    paced = [(level, _pace_mpm(level, minute_ms)) for level in reports.levels(shop_id)]
    return [_shown(level, pace_mpm) for level, pace_mpm in sorted(paced, key=rank)[:SHOWN_SKUS]]


def _pace_mpm(level: Level, minute_ms: int) -> int:
    """Return the speed over the last whole minutes; until there is one, of the running one."""
    starts = range(minute_ms - _PACE_MINUTES * MINUTE_MS, minute_ms, MINUTE_MS)
    known = [level.minutes[start_ms].sold for start_ms in starts if start_ms in level.minutes]
    if not known:
        known = [minute.sold for minute in level.minutes.values() if minute.start_ms == minute_ms]
        return sum(known) * 1_000
    first_ms = max(min(level.minutes), starts.start)
    return sum(known) * 1_000 * MINUTE_MS // (minute_ms - first_ms)


def _shown(level: Level, pace_mpm: int) -> Stock:
    row = level.row
    return Stock(
        row.shop_id,
        row.sku_id,
        row.warehouse_id,
        row.on_hand,
        row.held,
        row.available,
        pace_mpm,
        level.history(),
        row.fresh_ms,
    )


_ORDER = {"CRITICAL": 0, "WARNING": 1, "INFO": 2}


def _alerts(reports: Reports, shop_id: int) -> Alerts:
    opened = [alert for alert in reports.alerts.values() if shop_id in (0, alert.shop_id)]
    opened.sort(key=lambda alert: (_ORDER[alert.severity], -alert.raised_at_ms, alert.alert_id))
    cleared = [alert for alert in reversed(reports.cleared) if shop_id in (0, alert.shop_id)]
    return Alerts(opened[:SHOWN_ALERTS], cleared, len(opened))
