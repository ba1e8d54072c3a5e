"""What stores should say, folded by code of its own, and how differences are told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from sinks.batches import RECORDS, Batch, Batcher
from sinks.movements import EntryRow
from tests.contracts.sinks import interleaved, shop_log
from topologies.audit.reader import RawFact
from topologies.consistency.facts import picture
from topologies.consistency.figures import (
    Difference,
    OrderFigures,
    Picture,
    StockFigures,
    differences,
)

ORDER = OrderFigures(4, "PAID", 7, 9, 1_200, 1_200, 0, 3, 1_200, 2, 2, 1_200, 0)
STOCK = StockFigures(5, 10, 2, 5)
EXPECTED = Picture({"A": ORDER, "B": ORDER}, {(11, "east"): STOCK})


def raw(fact: Any) -> RawFact:
    fields = msgspec.to_builtins(fact.record)
    name = type(fact.record).__name__
    return RawFact(fact.topic, fact.partition, fact.offset, None, name, fields)


def as_written(batch: Batch) -> Picture:
    """Return what a store says that has the rows of ``batch`` and nothing else."""
    units, payable, payments, entries = Counter[str](), Counter[str](), Counter[str](), []
    for item in batch.items.values():
        units[item.order_no] += item.quantity
        payable[item.order_no] += item.payable_fen
    for payment in batch.payments.values():
        payments[payment.order_no] += 1
    entries = list(batch.entries.values())
    sides = Counter(entry.order_no for entry in entries)
    movements = Counter((row.sku_id, row.warehouse_id) for row in batch.stock.values())
    return Picture(
        {
            no: OrderFigures(
                *(row.version, row.status, row.shop_id, row.user_id),
                *(row.total_fen, row.paid_fen, row.refunded_fen),
                *(units[no], payable[no], payments[no], sides[no], _moved(entries, no)),
                balance_fen=sum(entry.amount_fen for entry in entries if entry.order_no == no),
            )
            for no, row in batch.orders.items()
        },
        {
            (row.sku_id, row.warehouse_id): StockFigures(
                row.version, row.on_hand, row.held, movements[row.sku_id, row.warehouse_id]
            )
            for row in batch.levels()
        },
    )


def _moved(entries: list[EntryRow], order_no: str) -> int:
    debits = (entry for entry in entries if entry.side == "DEBIT" and entry.order_no == order_no)
    return sum(entry.amount_fen for entry in debits)


def test_the_fold_of_the_check_and_the_rows_of_the_sinks_agree_on_everything_that_happens() -> None:
    facts = interleaved(shop_log())
    expected = picture(map(raw, facts))
    wanted = [fact for fact in facts if type(fact.record) in RECORDS]
    found = as_written(Batcher(lambda _keys, _placed: ()).batch(wanted))
    assert differences("rows", expected, found) == []
    assert len(expected.orders) > 30
    assert expected.stock


def test_a_fact_that_was_sent_again_counts_once() -> None:
    facts = list(map(raw, interleaved(shop_log())))
    assert picture([*facts, *facts]) == picture(facts)


def test_equal_pictures_do_not_differ() -> None:
    assert differences("mysql", EXPECTED, EXPECTED) == []


def test_what_is_missing_and_what_nobody_knows_are_told() -> None:
    found = Picture({"B": ORDER, "C": ORDER}, {(11, "west"): STOCK})
    assert differences("mysql", EXPECTED, found) == [
        Difference("mysql", "A", "MISSING"),
        Difference("mysql", "C", "EXTRA"),
        Difference("mysql", (11, "east"), "MISSING"),
        Difference("mysql", (11, "west"), "EXTRA"),
    ]


def test_each_figure_that_differs_is_told_by_itself() -> None:
    other = ORDER._replace(status="CREATED", paid_fen=0)
    found = Picture({"A": other, "B": ORDER}, {(11, "east"): STOCK._replace(held=3)})
    assert differences("redis", EXPECTED, found) == [
        Difference("redis", "A", "status", "PAID", "CREATED"),
        Difference("redis", "A", "paid_fen", 1_200, 0),
        Difference("redis", (11, "east"), "held", 2, 3),
    ]


def test_what_a_store_does_not_keep_does_not_differ() -> None:
    bare = OrderFigures(*ORDER[:7])
    found = Picture({"A": bare, "B": bare}, {(11, "east"): STOCK._replace(movements=None)})
    assert differences("redis", EXPECTED, found) == []
