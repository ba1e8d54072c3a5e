"""What a viewer is sent: rows of its shop only, each change once, the newest version of each."""

from __future__ import annotations

from typing import Any

from api.follower import OrderFact
from api.live.board import Board, Flow, Pipeline, Seen, board
from api.live.reports import KEPT, MINUTE_MS, SECOND_MS, Reports
from schemas.alert import AlertCleared, AlertKind, AlertRaised, Severity
from schemas.codec import local_codec
from schemas.record import Record
from schemas.report import SalesWindow, StockWindow

CODEC = local_codec((SalesWindow, StockWindow, AlertRaised, AlertCleared))
PIPELINE = Pipeline(0, 0, True, Flow(0, 0), Flow(0, 0))
START_MS = 1_764_000_000_000


def _sales(shop: int, start_ms: int, gmv_fen: int, version: int = 2) -> SalesWindow:
    counts = (1, gmv_fen, 1, 0, 1, gmv_fen, 0, 0, 0, 0, 0, 0, 0)
    return SalesWindow(
        shop, "CNY", SECOND_MS, start_ms, *counts, version, 1, start_ms, start_ms, False, ()
    )


def _stock(sku: int, available: int, sold: int, movement: int = 1) -> StockWindow:
    units = (0, sold, 0, 0, 0, 0)
    return StockWindow(
        1,
        sku,
        "east",
        MINUTE_MS,
        START_MS,
        movement,
        available,
        0,
        available,
        *units,
        movement,
        1,
        START_MS,
        START_MS,
        False,
        (),
    )


def _raised(alert_id: str, shop: int, sku: int, severity: Severity) -> AlertRaised:
    kind = AlertKind.BELOW_THRESHOLD
    return AlertRaised(
        alert_id, 1, "low", kind, severity, shop, sku, 1, 2, 1, "", START_MS, "", 0, 0, ""
    )


def _cleared(alert_id: str, shop: int, sku: int) -> AlertCleared:
    kind, severity = AlertKind.BELOW_THRESHOLD, Severity.WARNING
    return AlertCleared(
        alert_id, 2, "low", kind, severity, shop, sku, 3, 2, 3, "", START_MS, START_MS + 1, ""
    )


def _key(row: Any) -> str:
    names = ("shop_id", "currency", "sku_id", "size_ms", "start_ms", "alert_id")
    return "/".join(str(getattr(row, name, "")) for name in names)


def _written(*rows: Record) -> list[OrderFact]:
    return [
        OrderFact(CODEC, _key(row), type(row), CODEC.encode(row), START_MS, b"") for row in rows
    ]


def _shown(reports: Reports, shop: int, seen: Seen) -> tuple[Board, Seen]:
    return board(reports, shop, seen, PIPELINE)


def _gmv(shown: Board) -> list[tuple[int, int]]:
    return [(row.start_ms, row.gmv_fen) for row in shown.sales]


def test_a_viewer_is_told_of_each_change_once() -> None:
    reports = Reports()
    reports.take(_written(_sales(1, START_MS, 10), _sales(1, START_MS + SECOND_MS, 20)))
    first, seen = _shown(reports, 1, Seen())
    reports.take(_written(_sales(1, START_MS + SECOND_MS, 25, version=4)))
    second, seen = _shown(reports, 1, seen)
    third, _ = _shown(reports, 1, seen)
    assert _gmv(first) == [(START_MS, 10), (START_MS + SECOND_MS, 20)]
    assert _gmv(second) == [(START_MS + SECOND_MS, 25)]
    assert _gmv(third) == []


def test_an_older_version_of_a_row_changes_nothing() -> None:
    reports = Reports()
    reports.take(_written(_sales(1, START_MS, 25, version=4)))
    _, seen = _shown(reports, 1, Seen())
    reports.take(_written(_sales(1, START_MS, 10, version=2)))
    assert _gmv(_shown(reports, 1, seen)[0]) == []


def test_a_shop_sees_its_own_and_the_operator_of_all_the_sum() -> None:
    reports = Reports()
    reports.take(
        _written(
            _sales(1, START_MS, 10),
            _sales(2, START_MS, 5),
            _raised("a", 2, 7, Severity.WARNING),
            _stock(7, available=3, sold=1),
        )
    )
    own, other, both = (_shown(reports, shop, Seen())[0] for shop in (1, 2, 0))
    assert (_gmv(own), _gmv(other), _gmv(both)) == (
        [(START_MS, 10)],
        [(START_MS, 5)],
        [(START_MS, 15)],
    )
    alerts = [len(shown.alerts.open) if shown.alerts else -1 for shown in (own, other, both)]
    levels = [len(shown.stock or ()) for shown in (own, other, both)]
    assert (alerts, levels) == ([0, 1, 1], [1, 0, 1])


def test_only_the_last_windows_are_kept() -> None:
    reports = Reports()
    rows = [_sales(1, START_MS + n * SECOND_MS, n) for n in range(KEPT[SECOND_MS] + 5)]
    reports.take(_written(*rows))
    shown, _ = _shown(reports, 1, Seen())
    assert [row.gmv_fen for row in shown.sales] == list(range(5, KEPT[SECOND_MS] + 5))


def test_skus_with_an_alert_come_before_those_that_sell_fast() -> None:
    reports = Reports()
    reports.take(
        _written(
            _stock(1, available=100, sold=5),
            _stock(2, available=100, sold=50),
            _stock(3, available=2, sold=0),
            _raised("a", 1, 3, Severity.WARNING),
        )
    )
    shown, _ = _shown(reports, 1, Seen())
    assert shown.stock is not None
    assert [(one.sku_id, one.pace_mpm) for one in shown.stock] == [(3, 0), (2, 50_000), (1, 5_000)]


def test_alerts_are_told_the_worst_first_until_they_are_over() -> None:
    reports = Reports()
    reports.take(_written(_raised("a", 1, 3, Severity.INFO), _raised("b", 1, 4, Severity.CRITICAL)))
    first, seen = _shown(reports, 1, Seen())
    reports.take(_written(_cleared("b", 1, 4)))
    second, seen = _shown(reports, 1, seen)
    assert first.alerts is not None
    assert second.alerts is not None
    assert [one.alert_id for one in first.alerts.open] == ["b", "a"]
    assert [one.alert_id for one in second.alerts.open] == ["a"]
    assert [one.alert_id for one in second.alerts.cleared] == ["b"]
    assert _shown(reports, 1, seen)[0].alerts is None
