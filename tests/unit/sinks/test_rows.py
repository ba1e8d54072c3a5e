"""The rows of orders, items, coupons and movements, and how batches of facts become them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from schemas.order import (
    HoldRef,
    OperatorAction,
    OrderAmended,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderOperated,
    OrderPaid,
    OrderPartlyRefunded,
    OrderPaymentOpened,
    OrderPlaced,
    OrderRefunded,
    PricedLine,
)
from schemas.record import Record
from sinks import orders
from sinks.batches import RECORDS, Batch, Batcher, Placed
from sinks.mysql import rows as mysql
from sinks.orders import COUPON, CouponRow, ItemRow, OrderRow
from sinks.sink import Fact
from sinks.warehouse import tables as warehouse
from tests.contracts.sinks import batches, interleaved, shop_log, written_before

NO, SHOP, USER, TRACE = "A1", 7, 9, "t" * 32
PLACED_MS = 1_790_000_000_000
LINES = (PricedLine(11, 2, 500, 100, 900), PricedLine(12, 1, 300, 0, 300))


def placed(lines: tuple[PricedLine, ...] = LINES, coupons: Iterable[str] = ()) -> OrderPlaced:
    holds = tuple(HoldRef(f"{NO}/{code}", COUPON, code, 1) for code in coupons)
    return OrderPlaced(
        NO, 1, SHOP, USER, "CNY", lines, (), holds, 1_200, PLACED_MS, "f", "standard", "sim", TRACE
    )


def created() -> OrderCreated:
    return OrderCreated(NO, 2, SHOP, USER, "CNY", 1_200, PLACED_MS + 900_000, TRACE)


def batch_of(*records: Record) -> Batch:
    facts = [
        Fact(record, "order.events", 0, offset, PLACED_MS + 1 + offset)
        for offset, record in enumerate(records)
    ]
    return Batcher(lambda _keys, _placed: ()).batch(facts)


# --- orders --------------------------------------------------------------------------------------


def test_an_order_that_is_paid_and_confirmed_shows_when_each_step_was_taken() -> None:
    batch = batch_of(
        placed(),
        created(),
        OrderPaymentOpened(NO, 3, SHOP, USER, "A1-1", "sim", 1_200, "CNY", TRACE),
        OrderPaid(NO, 4, SHOP, USER, "CNY", 1_200, "A1-1", PLACED_MS + 77, TRACE),
        OrderConfirmed(NO, 5, SHOP, USER, TRACE),
    )
    assert batch.orders == {
        NO: OrderRow(
            NO,
            version=5,
            shop_id=SHOP,
            user_id=USER,
            status="FULFILLING",
            currency="CNY",
            sku_id=11,
            quantity=3,
            item_slots=2,
            total_fen=1_200,
            discount_fen=100,
            paid_fen=1_200,
            pay_no="A1-1",
            channel="sim",
            flow="standard",
            trace_id=TRACE,
            placed_ms=PLACED_MS,
            created_ms=PLACED_MS + 2,
            paid_ms=PLACED_MS + 77,
            confirmed_ms=PLACED_MS + 5,
            expires_ms=PLACED_MS + 900_000,
            updated_ms=PLACED_MS + 5,
        )
    }


def test_refunds_add_up_and_the_last_one_closes_the_order() -> None:
    batch = batch_of(
        placed(),
        OrderPartlyRefunded(NO, 2, SHOP, USER, "R1", 200, TRACE),
        OrderRefunded(NO, 3, SHOP, USER, "R2", 1_000, TRACE),
    )
    row = batch.orders[NO]
    assert (row.status, row.refunded_fen, row.closed_ms) == ("REFUNDED", 1_200, PLACED_MS + 3)


def test_an_operator_moves_the_version_and_leaves_the_status() -> None:
    operated = OrderOperated(NO, 3, SHOP, USER, "mei", OperatorAction.PAUSE, "why", TRACE)
    row = batch_of(placed(), created(), operated).orders[NO]
    assert (row.status, row.version) == ("CREATED", 3)


def test_a_line_that_an_amendment_takes_out_stays_with_quantity_0() -> None:
    line = PricedLine(13, 4, 100, 0, 400)
    amended = OrderAmended(
        NO, 3, SHOP, USER, "k", "CNY", (line,), (), (), 400, PLACED_MS + 900_000, TRACE
    )
    batch = batch_of(placed(), created(), amended)
    common = (3, SHOP, USER)
    assert list(batch.items.values()) == [
        ItemRow(NO, 1, *common, 13, 4, 100, 0, 400, "CNY", PLACED_MS, PLACED_MS + 3),
        ItemRow(NO, 2, *common, 0, 0, 0, 0, 0, "CNY", PLACED_MS, PLACED_MS + 3),
    ]


def test_a_coupon_is_held_by_the_order_and_returned_when_that_is_cancelled() -> None:
    cancelled = OrderCancelled(NO, 3, SHOP, USER, "changed my mind", TRACE)
    held, returned = (
        batch_of(placed(coupons=["C9"]), created()),
        batch_of(placed(coupons=["C9"]), created(), cancelled),
    )
    assert list(held.coupons.values()) == [
        CouponRow("C9", NO, 2, SHOP, USER, "HELD", TRACE, PLACED_MS + 2)
    ]
    assert list(returned.coupons.values()) == [
        CouponRow("C9", NO, 3, SHOP, USER, "RETURNED", TRACE, PLACED_MS + 3)
    ]


def test_an_order_whose_first_facts_are_gone_shows_what_is_known() -> None:
    row = orders.advance(None, OrderConfirmed(NO, 5, SHOP, USER, TRACE), PLACED_MS)
    expected = OrderRow(NO, 5, SHOP, USER, "FULFILLING", confirmed_ms=PLACED_MS)
    assert row == replace(expected, placed_ms=PLACED_MS, updated_ms=PLACED_MS)


# --- batches, against a store in memory ----------------------------------------------------------


class MemoryStore:
    """Keeps rows as stores do: the newest version, or the first of a key."""

    def __init__(self) -> None:
        self.newest: dict[Any, Any] = {}
        self.first: dict[Any, Any] = {}
        self.asked: list[Placed | None] = []

    def batcher(self) -> Batcher:
        return Batcher(self.load, known_orders=5)

    def load(self, order_nos: Sequence[str], placed: Placed | None) -> list[OrderRow]:
        self.asked.append(placed)
        found = [self.newest.get(("OrderRow", order_no)) for order_no in order_nos]
        return [row for row in found if row is not None]

    def put(self, batch: Batch) -> None:
        newest: tuple[Mapping[Any, Any], ...] = (batch.orders, batch.items, batch.coupons)
        for rows in newest:
            for key, row in rows.items():
                stored = self.newest.setdefault((type(row).__name__, key), row)
                if stored.version < row.version:
                    self.newest[type(row).__name__, key] = row
        first: tuple[Mapping[Any, Any], ...] = (batch.stock, batch.payments, batch.entries)
        for rows in first:
            for key, row in rows.items():
                self.first.setdefault((type(row).__name__, key), row)

    def feed(self, facts: Sequence[Fact], size: int) -> None:
        batcher = self.batcher()
        for part in batches([fact for fact in facts if type(fact.record) in RECORDS], size):
            batch = batcher.batch(part)
            self.put(batch)
            batcher.written(batch)

    def dump(self) -> tuple[dict[Any, Any], dict[Any, Any]]:
        return self.newest, self.first


def test_batches_mixing_and_reading_again_after_a_crash_change_nothing() -> None:
    log = shop_log()
    expected = MemoryStore()
    expected.feed(interleaved(log), 50)
    for seed in range(4):
        store = MemoryStore()
        facts = interleaved(log, seed)
        done = facts[: random.Random(seed).randrange(len(facts))]
        store.feed(done, 7 + 90 * seed)
        store.feed(interleaved(written_before(done, log, seed), seed + 9), 40)
        assert store.dump() == expected.dump()


def test_the_store_is_asked_for_orders_of_the_time_in_which_those_of_the_batch_were_placed() -> (
    None
):
    store = MemoryStore()
    batcher = store.batcher()
    facts = [Fact(one, "order.events", 0, at, PLACED_MS) for at, one in enumerate([placed()])]
    batcher.batch(facts)
    batcher.batch([Fact(created(), "order.events", 0, 1, PLACED_MS)])
    assert store.asked == [Placed(PLACED_MS, PLACED_MS), None]


def test_what_was_not_written_is_folded_again() -> None:
    batcher = MemoryStore().batcher()
    facts = [Fact(placed(), "order.events", 0, 0, PLACED_MS)]
    assert batcher.batch(facts).orders == batcher.batch(facts).orders != {}


def test_the_books_sum_to_zero_and_debits_are_positive() -> None:
    store = MemoryStore()
    store.feed(interleaved(shop_log()), 50)
    entries = [row for (kind, _), row in store.first.items() if kind == "EntryRow"]
    sums: Counter[tuple[str, int]] = Counter()
    for row in entries:
        assert (row.side == "DEBIT") == (row.amount_fen > 0)
        sums[row.order_no, row.version] += row.amount_fen
    assert entries
    assert not any(sums.values())


# --- rows in the stores' own terms ---------------------------------------------------------------


def all_orders() -> list[OrderRow]:
    store = MemoryStore()
    store.feed(interleaved(shop_log()), 50)
    return [row for row in store.newest.values() if isinstance(row, OrderRow)]


def test_an_order_comes_back_from_mysqls_columns_as_it_was() -> None:
    rows = all_orders()
    values = mysql.T_ORDER.values(rows)
    assert sorted(map(mysql.order_row, values), key=str) == sorted(rows, key=str)


def test_an_order_comes_back_from_the_warehouses_columns_as_it_was() -> None:
    rows = all_orders()
    assert list(map(warehouse.order_row, warehouse.ORDERS.values(rows, int))) == rows


def test_mysql_shows_money_in_major_units_by_the_currencys_digits() -> None:
    for currency, amount in (("CNY", "12"), ("JPY", "1200"), ("KWD", "1.2")):
        batch = batch_of(replace(placed(), currency=currency))
        (values,) = mysql.T_ORDER.values(batch.orders.values())
        columns = [column.name for column in mysql.T_ORDER.columns]
        assert values[columns.index("total_amount")] == Decimal(amount)


def test_every_status_and_kind_of_movement_has_a_code_in_mysql() -> None:
    from schemas.read_model import STATUS_TEXT
    from sinks.movements import STOCK_KINDS

    assert set(mysql.STATUSES) == set(STATUS_TEXT)
    assert set(mysql.EVENT_TYPES) == set(STOCK_KINDS.values())
