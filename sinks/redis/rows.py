"""Facts to what Redis holds of them. Pure: in comes what is stored, out what is to be stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas.read_model import (
    CHANGES,
    MOVEMENTS,
    OrderView,
    StockLevel,
    level_after,
    view_after,
)
from sinks.sink import Fact


def orders_in(facts: Iterable[Fact]) -> list[str]:
    """Return the orders whose views change with ``facts``, each once.

    All of them have to be read, those with their first fact here too: a stage that crashed sends
    facts again, later, and a view folded from these would not have the times of the others.
    """
    records: Iterator[Any] = (fact.record for fact in facts)
    return list(dict.fromkeys(r.order_no for r in records if type(r) in CHANGES))


def views(facts: Iterable[Fact], stored: Mapping[str, OrderView]) -> list[OrderView]:
    """Return the views after ``facts`` of the orders in them, less those that nothing changed."""
    found: dict[str, OrderView | None] = {}
    for fact in facts:
        record: Any = fact.record
        if type(record) in CHANGES:
            order_no = record.order_no
            before = found[order_no] if order_no in found else stored.get(order_no)
            found[order_no] = view_after(before, record, fact.timestamp_ms)
    return [view for no, view in found.items() if view is not None and view is not stored.get(no)]


def levels(facts: Iterable[Fact]) -> dict[tuple[int, str], StockLevel]:
    """Return the newest level of each sku and warehouse in ``facts``."""
    newest: dict[tuple[int, str], Fact] = {}
    for fact in facts:
        record: Any = fact.record
        if type(record) in MOVEMENTS:
            at = record.sku_id, record.warehouse_id
            known: Any = newest[at].record if at in newest else None
            if known is None or record.version > known.version:
                newest[at] = fact
    return {at: level_after(f.record, f.timestamp_ms)[1] for at, f in newest.items()}
