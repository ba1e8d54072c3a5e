"""A batch of facts becomes the rows that a store is to hold after it, each key once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from schemas.order import OrderPlaced
from schemas.topics import INVENTORY_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS, Topic
from sinks.movements import (
    ENTRY_RECORDS,
    PAYMENT_RECORDS,
    STOCK_RECORDS,
    EntryRow,
    LevelRow,
    PaymentRow,
    StockRow,
    entry_rows,
    payment_row,
    stock_row,
)
from sinks.orders import ORDER_RECORDS, CouponRow, ItemRow, OrderRow, advance, coupons, items
from sinks.sink import Fact

TOPICS: tuple[Topic, ...] = (ORDER_EVENTS, INVENTORY_EVENTS, PAYMENT_EVENTS)
RECORDS = ORDER_RECORDS | STOCK_RECORDS | PAYMENT_RECORDS | ENTRY_RECORDS

KNOWN_ORDERS = 50_000
"""Rows kept at hand, ~600 bytes each: 30 MB; 50 s of new orders at 1,000/s."""


class Placed(NamedTuple):
    """The orders that are asked for were placed between these times (epoch ms, inclusive)."""

    first_ms: int
    last_ms: int


Load: TypeAlias = Callable[[Sequence[str], Placed | None], Iterable[OrderRow]]
"""Order numbers, and when they were placed if that is known -> the rows that the store has."""


@dataclass
class Batch:
    """Rows by key: of orders, items and coupons the newest, of movements each."""

    orders: dict[str, OrderRow] = field(default_factory=dict)
    items: dict[tuple[str, int], ItemRow] = field(default_factory=dict)
    coupons: dict[tuple[str, str], CouponRow] = field(default_factory=dict)
    stock: dict[tuple[int, str, int], StockRow] = field(default_factory=dict)
    payments: dict[tuple[str, int], PaymentRow] = field(default_factory=dict)
    entries: dict[tuple[str, int, str], EntryRow] = field(default_factory=dict)

    def levels(self) -> list[LevelRow]:
        """Return what there is after the newest movement of each sku and warehouse."""
        newest: dict[tuple[int, str], StockRow] = {}
        for (sku_id, warehouse_id, version), row in self.stock.items():
            known = newest.get((sku_id, warehouse_id))
            if known is None or known.version < version:
                newest[sku_id, warehouse_id] = row
        return [
            LevelRow(*row[:4], row.on_hand, row.held, row.available, row.at_ms)
            for row in newest.values()
        ]


class Batcher:
    """Folds batches; knows the rows of recent orders, and asks the store for others.

    It asks also for orders that seem to begin in a batch. A stage that crashed sends facts again,
    with a later time, and a sink that starts between the two would else make other rows of them.
    """

    def __init__(self, load: Load, known_orders: int = KNOWN_ORDERS) -> None:
        self._load = load
        self._limit = known_orders
        self._known: OrderedDict[str, OrderRow] = OrderedDict()

    def batch(self, facts: Sequence[Fact]) -> Batch:
        """Return the rows after ``facts``; whatever ``load`` raises goes through."""
        batch = Batch()
        order_facts = []
        for fact in facts:
            record: Any = fact.record
            kind, at_ms = type(record), fact.timestamp_ms
            if kind in ORDER_RECORDS:
                order_facts.append(fact)
            elif kind in STOCK_RECORDS:
                stock = stock_row(record, at_ms)
                batch.stock.setdefault(stock[:3], stock)
            else:
                if kind in PAYMENT_RECORDS:
                    batch.payments.setdefault(
                        (record.order_no, record.version), payment_row(record, at_ms)
                    )
                if kind in ENTRY_RECORDS:
                    for one in entry_rows(record, at_ms):
                        batch.entries.setdefault(one[:3], one)
        before = self._before(order_facts)
        for fact in order_facts:
            _fold(batch, before, fact)
        return batch

    def written(self, batch: Batch) -> None:
        """Take note that the store holds ``batch``."""
        for order_no, row in batch.orders.items():
            self._known[order_no] = row
            self._known.move_to_end(order_no)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)

    def _before(self, facts: Sequence[Fact]) -> dict[str, OrderRow]:
        """Return the rows that ``facts`` build on, where there are any."""
        found: dict[str, OrderRow] = {}
        unknown: dict[str, int | None] = {}
        for fact in facts:
            record: Any = fact.record
            order_no = record.order_no
            if order_no in found or order_no in unknown:
                continue
            known = self._known.get(order_no)
            if known is not None and record.version <= known.version + 1:
                found[order_no] = known
            else:
                # Not at hand, or another process wrote what is missing in between.
                is_new = isinstance(record, OrderPlaced)
                unknown[order_no] = record.placed_at_ms if is_new else None
        if unknown:
            times = [time for time in unknown.values() if time is not None]
            placed = Placed(min(times), max(times)) if len(times) == len(unknown) else None
            found.update((row.order_no, row) for row in self._load(list(unknown), placed))
        return found


def _fold(batch: Batch, before: Mapping[str, OrderRow], fact: Fact) -> None:
    record: Any = fact.record
    order_no, at_ms = record.order_no, fact.timestamp_ms
    row = batch.orders.get(order_no) or before.get(order_no)
    if row is not None and record.version <= row.version:
        return  # sent or read again
    after = batch.orders[order_no] = advance(row, record, at_ms)
    for item in items(after, record, at_ms):
        batch.items[order_no, item.line_no] = item
    for coupon in coupons(row, after):
        batch.coupons[coupon.coupon_code, order_no] = coupon
