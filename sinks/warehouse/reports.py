"""Rows of the live reports, and alerts, as analytical tables.

A report's record is its row: a table names the fields that it shows. Of a window the highest
version stands, whatever the order in which versions come (`schemas.report`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.alert import AlertCleared, AlertRaised
from schemas.record import Record
from schemas.report import (
    FulfilmentWindow,
    FunnelWindow,
    OffsetRange,
    SalesWindow,
    StepTime,
    StockWindow,
    TopSkusWindow,
)
from schemas.topics import (
    ALERT_EVENTS,
    REPORT_FULFILMENT,
    REPORT_FUNNEL,
    REPORT_SALES,
    REPORT_STOCK,
    REPORT_TOP_SKUS,
    Topic,
)
from sinks.sink import Fact
from sinks.warehouse.table import Column, Kind, Table

TOPICS: Final[tuple[Topic, ...]] = (
    REPORT_SALES,
    REPORT_FUNNEL,
    REPORT_FULFILMENT,
    REPORT_TOP_SKUS,
    REPORT_STOCK,
    ALERT_EVENTS,
)
RECORDS: Final = frozenset(kind for topic in TOPICS for kind in topic.records)

_SPECIAL: Final = {
    "currency": Column("currency", Kind.NAME, "currency"),
    "warehouse_id": Column("warehouse_id", Kind.NAME, "warehouse_id"),
    "is_complete": Column("is_complete", Kind.FLAG, "is_complete"),
    "start_ms": Column("start_at", Kind.TIME, "start_ms"),
    "watermark_ms": Column("watermark_at", Kind.MAYBE, "watermark_ms"),
    "sources": Column("sources", Kind.LIST, "sources"),
}
_FRESH: Final = Column("fresh_at", Kind.TIME, "fresh_ms")


def _report(name: str, record: type[Record], *key: str) -> Table:
    """Return the table of a report; its key is ``key`` and the window."""
    columns: list[Column] = []
    for field, kind in record.__annotations__.items():
        if kind == StepTime.__name__:
            columns += [
                Column(f"{field}_{part}", Kind.LONG, f"{field}.{part}")
                for part in StepTime.__struct_fields__
            ]
        elif field in _SPECIAL:
            columns.append(_SPECIAL[field])
        elif field != "fresh_ms":
            columns.append(Column(field, Kind.LONG, field))
    return Table(
        f"report_{name}", (*key, "size_ms", "start_at"), (*columns, _FRESH), by_time="start_at"
    )


class RankRow(NamedTuple):
    """One sku of a window's best, the first has ``rank`` 1. ``skus`` counts all that sold."""

    shop_id: int
    currency: str
    size_ms: int
    start_ms: int
    rank: int
    sku_id: int
    units: int
    paid_fen: int
    skus: int
    version: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]
    fresh_ms: int


class AlertRow(NamedTuple):
    """An alert when it was RAISED, and again when it was CLEARED.

    ``passed`` is the limit that ``value`` passed; ``sources`` the fact that did it, if one did.
    """

    alert_id: str
    version: int
    state: str
    rule_id: str
    kind: str
    severity: str
    shop_id: int
    sku_id: int
    value: int
    passed: int
    available: int
    summary: str
    trace_id: str
    sources: tuple[OffsetRange, ...]
    raised_ms: int
    at_ms: int


SALES: Final = _report("sales", SalesWindow, "shop_id", "currency")
FUNNEL: Final = _report("funnel", FunnelWindow, "shop_id", "currency")
FULFILMENT: Final = _report("fulfilment", FulfilmentWindow, "shop_id")
STOCK: Final = _report("stock", StockWindow, "shop_id", "sku_id", "warehouse_id")
TOP_SKUS: Final = Table(
    "report_top_skus",
    ("shop_id", "currency", "size_ms", "start_at", "rank"),
    (
        *(_SPECIAL.get(field, Column(field, Kind.LONG, field)) for field in RankRow._fields[:-1]),
        _FRESH,
    ),
    by_time="start_at",
)
_ALERT_KINDS: Final = {
    **dict.fromkeys(("state", "rule_id", "kind", "severity"), Kind.NAME),
    **dict.fromkeys(("alert_id", "summary", "trace_id"), Kind.TEXT),
    "sources": Kind.LIST,
}
ALERTS: Final = Table(
    "alerts",
    ("alert_id", "state"),
    (
        *(
            Column(field, _ALERT_KINDS.get(field, Kind.LONG), field)
            for field in AlertRow._fields[:-2]
        ),
        Column("raised_at", Kind.TIME, "raised_ms"),
        Column("at", Kind.TIME, "at_ms"),
    ),
)

REPORT_TABLES: Final = (SALES, FUNNEL, FULFILMENT, TOP_SKUS, STOCK, ALERTS)


def _ranks(record: Any) -> Iterable[RankRow]:
    window = (record.shop_id, record.currency, record.size_ms, record.start_ms)
    for rank, one in enumerate(record.top, 1):
        yield RankRow(
            *window,
            rank,
            one.sku_id,
            one.units,
            one.paid_fen,
            record.skus,
            record.version,
            record.watermark_ms,
            record.is_complete,
            record.sources,
            record.fresh_ms,
        )


def _alert(record: Any) -> Iterable[AlertRow]:
    is_raised = isinstance(record, AlertRaised)
    has_fact = is_raised and record.offset >= 0
    yield AlertRow(
        record.alert_id,
        record.version,
        "RAISED" if is_raised else "CLEARED",
        record.rule_id,
        record.kind,
        record.severity,
        record.shop_id,
        record.sku_id,
        record.value,
        record.limit,
        record.available,
        record.summary,
        record.trace_id,
        (OffsetRange(record.topic, record.partition, record.offset, record.offset),)
        if has_fact
        else (),
        record.raised_at_ms,
        record.raised_at_ms if is_raised else record.cleared_at_ms,
    )


_ROWS: Final[Mapping[type[Record], tuple[Table, Callable[[Any], Iterable[Any]]]]] = {
    SalesWindow: (SALES, lambda record: (record,)),
    FunnelWindow: (FUNNEL, lambda record: (record,)),
    FulfilmentWindow: (FULFILMENT, lambda record: (record,)),
    StockWindow: (STOCK, lambda record: (record,)),
    TopSkusWindow: (TOP_SKUS, _ranks),
    AlertRaised: (ALERTS, _alert),
    AlertCleared: (ALERTS, _alert),
}


def split(facts: Sequence[Fact]) -> tuple[list[Fact], list[Fact]]:
    """Return the facts of the stages, and what flows made of them."""
    made = [fact for fact in facts if type(fact.record) in RECORDS]
    return [fact for fact in facts if type(fact.record) not in RECORDS], made


def reported(facts: Sequence[Fact]) -> list[tuple[Table, list[Any]]]:
    """Return the rows of each table that there are reports or alerts for among ``facts``."""
    rows: dict[str, list[Any]] = {}
    for fact in facts:
        table, made = _ROWS[type(fact.record)]
        rows.setdefault(table.name, []).extend(made(fact.record))
    return [
        (table, table.newest(rows[table.name])) for table in REPORT_TABLES if table.name in rows
    ]
