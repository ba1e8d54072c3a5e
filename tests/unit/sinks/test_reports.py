"""Reports and alerts as rows of the warehouse: one for each window and rank, the newest stands."""

from __future__ import annotations

from msgspec.structs import replace

from schemas import topics
from schemas.alert import AlertCleared, AlertKind, AlertRaised, Severity
from schemas.record import Record
from schemas.report import OffsetRange, SkuSales, TopSkusWindow
from sinks.sink import Fact
from sinks.warehouse import reports
from sinks.warehouse.reports import AlertRow, RankRow, reported

TRACE = "0af7651916cd43dd8448eb211c80319c"
SOURCES = (OffsetRange("order.events", 0, 3, 9),)
TOP = TopSkusWindow(
    shop_id=1,
    currency="CNY",
    size_ms=60_000,
    start_ms=120_000,
    skus=2,
    top=(SkuSales(7, 5, 500), SkuSales(8, 1, 90)),
    version=6,
    facts=3,
    fresh_ms=130_000,
    watermark_ms=110_000,
    is_complete=False,
    sources=SOURCES,
)
RAISED = AlertRaised(
    *("A-1", 1, "low", AlertKind.BELOW_THRESHOLD, Severity.WARNING, 1, 7, 4, 5, 4, "4 left"),
    *(1_000, "inventory.events", 2, 33, TRACE),
)
CLEARED = AlertCleared(
    *("A-1", 2, "low", AlertKind.BELOW_THRESHOLD, Severity.WARNING, 1, 7, 9, 5, 9, "9 left"),
    *(1_000, 2_000, TRACE),
)


def facts(*records: Record) -> list[Fact]:
    return [Fact(record, "report", 0, offset, 0) for offset, record in enumerate(records)]


def test_every_report_and_alert_that_flows_write_has_a_table() -> None:
    written = {
        topic.name
        for topic in topics.PUBLIC
        if topic.kind is topics.Kind.REPORT or topic is topics.ALERT_EVENTS
    }
    assert {topic.name for topic in reports.TOPICS} == written


def test_the_best_skus_of_a_window_are_a_row_each() -> None:
    first = RankRow(
        *(1, "CNY", 60_000, 120_000, 1, 7, 5, 500, 2, 6, 110_000, False, SOURCES, 130_000)
    )
    second = first._replace(rank=2, sku_id=8, units=1, paid_fen=90)
    assert reported(facts(TOP)) == [(reports.TOP_SKUS, [first, second])]


def test_of_several_versions_in_a_batch_the_highest_is_written_whatever_their_order() -> None:
    newer = replace(TOP, version=8, top=(SkuSales(8, 6, 540), SkuSales(7, 5, 500)))
    for order in ((TOP, newer), (newer, TOP)):
        ((_, rows),) = reported(facts(*order))
        assert [(row.rank, row.sku_id, row.version) for row in rows] == [(1, 8, 8), (2, 7, 8)]


def test_an_alert_is_a_row_when_it_is_raised_and_one_when_it_is_over() -> None:
    raised = AlertRow(
        *("A-1", 1, "RAISED", "low", "BELOW_THRESHOLD", "WARNING", 1, 7, 4, 5, 4, "4 left", TRACE),
        *((OffsetRange("inventory.events", 2, 33, 33),), 1_000, 1_000),
    )
    cleared = raised._replace(
        version=2, state="CLEARED", value=9, available=9, summary="9 left", sources=(), at_ms=2_000
    )
    assert reported(facts(RAISED, CLEARED)) == [(reports.ALERTS, [raised, cleared])]


def test_an_alert_that_time_raised_names_no_fact() -> None:
    ((_, (row,)),) = reported(facts(replace(RAISED, topic="", partition=-1, offset=-1)))
    assert row.sources == ()


def test_sources_are_written_as_text() -> None:
    at = [column.name for column in reports.TOP_SKUS.columns].index("sources")
    ((table, rows),) = reported(facts(TOP))
    assert table.values(rows, lambda ms: ms)[0][at] == (
        '[{"topic":"order.events","partition":0,"first":3,"last":9}]'
    )
