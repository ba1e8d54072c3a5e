"""Laws of stock over any sequence of messages and any passing of time.

The auditor below reads only what the stage published, in order, and keeps books of its own; it
shares no code with the stage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.inventory import (
    HoldExtended,
    HoldFenced,
    StockAdjusted,
    StockDeducted,
    StockHeld,
    StockReceived,
    StockReleased,
)
from schemas.record import Record
from streams.inventory.state import Sku, Stock, StockEntry, StockHold
from streams.reservations.records import RETENTION_MS
from tests.unit.inventory.warehouse import (
    SKU,
    TTL_MS,
    Warehouse,
    adjust,
    cancel,
    confirm,
    extend,
    restock,
    try_,
)

MOVEMENTS = StockHeld | StockDeducted | StockReleased | StockReceived | StockAdjusted


class Auditor:
    """Judges published facts; the holds and shelves it ends with are those of the facts alone."""

    def __init__(self) -> None:
        self.versions: dict[Any, int] = defaultdict(int)
        self.on_hand: dict[Any, int] = defaultdict(int)
        self.held: dict[Any, int] = defaultdict(int)
        self.live: dict[str, StockHeld] = {}
        self.over: set[str] = set()
        self.fenced: set[str] = set()

    def read(self, facts: Iterable[Record]) -> Auditor:
        for fact in facts:
            if isinstance(fact, MOVEMENTS):
                self.move(fact)
            elif isinstance(fact, HoldFenced):
                assert fact.hold_id not in self.live
                assert fact.hold_id not in self.over
                self.fenced.add(fact.hold_id)
            elif isinstance(fact, HoldExtended):
                assert fact.hold_id in self.live
        for shelf, held in self.held.items():
            assert held == sum(
                h.qty for h in self.live.values() if (h.sku_id, h.warehouse_id) == shelf
            )
        return self

    def move(self, fact: MOVEMENTS) -> None:
        shelf = fact.sku_id, fact.warehouse_id
        self.versions[shelf] += 1
        self.on_hand[shelf] += fact.delta_on_hand
        self.held[shelf] += fact.delta_held
        assert fact.version == self.versions[shelf]
        assert (fact.on_hand, fact.held) == (self.on_hand[shelf], self.held[shelf])
        assert 0 <= fact.held <= fact.on_hand
        if isinstance(fact, StockHeld):
            assert fact.hold_id not in self.live.keys() | self.over | self.fenced
            assert (fact.delta_on_hand, fact.delta_held) == (0, fact.qty)
            self.live[fact.hold_id] = fact
        elif isinstance(fact, StockDeducted | StockReleased):
            begun = self.live.pop(fact.hold_id)
            self.over.add(fact.hold_id)
            assert (begun.qty, begun.order_no, begun.sku_id, begun.warehouse_id) == (
                fact.qty,
                fact.order_no,
                fact.sku_id,
                fact.warehouse_id,
            )
            sold = fact.qty if isinstance(fact, StockDeducted) else 0
            assert (fact.delta_on_hand, fact.delta_held) == (-sold, -fact.qty)
        else:
            assert fact.delta_held == 0


skus = st.sampled_from([SKU, SKU, SKU, SKU + 1])
warehouses = st.sampled_from(["east", "west"])
refs = st.sampled_from(["r1", "r2", "r3", "r4"])
orders = st.sampled_from(["o1", "o1", "o1", "o2"])
quantities = st.integers(1, 6)
ttls_ms = st.sampled_from([1, TTL_MS, 3 * TTL_MS])
holds = st.sampled_from(["h1", "h2", "h3", "h4", "h5"])

messages = st.one_of(
    st.builds(try_, quantities, holds, orders, ttls_ms, skus),
    st.builds(try_, st.just(2), holds, st.just("o1"), st.just(TTL_MS), st.just(SKU)),
    st.builds(confirm, holds, orders, skus),
    st.builds(cancel, holds, orders, skus),
    st.builds(extend, ttls_ms, holds, orders, skus),
    st.builds(restock, quantities, warehouses, refs, sku_id=skus),
    st.builds(adjust, st.integers(-9, 9).filter(bool), warehouses, refs),
)
# Below the retention in all: a hold id that was forgotten would be a new hold.
waits_ms = st.sampled_from([0, 0, 1, TTL_MS - 1, TTL_MS])
scripts = st.lists(st.tuples(waits_ms, messages), max_size=12)
long_scripts = st.lists(st.tuples(st.just(0), messages), max_size=80)


def play(script: Iterable[tuple[int, Record]]) -> Warehouse:
    warehouse = Warehouse()
    warehouse.send(restock(8, "east", "first"), restock(5, "west", "first", sku_id=SKU + 1))
    for wait_ms, message in script:
        warehouse.wait(wait_ms)
        warehouse.send(message)
    return warehouse


def agree(warehouse: Warehouse, auditor: Auditor) -> None:
    """Compare the stage's state with the books of an auditor who read only its facts."""
    stocks = {
        (stock.sku_id, stock.warehouse_id): (stock.version, stock.on_hand, stock.held)
        for stock in warehouse.kept(Stock)
        if isinstance(stock, Stock)
    }
    assert stocks == {
        shelf: (version, auditor.on_hand[shelf], auditor.held[shelf])
        for shelf, version in auditor.versions.items()
    }


def test_the_waits_of_a_script_stay_below_the_retention() -> None:
    assert 12 * TTL_MS < RETENTION_MS


@given(scripts | long_scripts)
def test_the_books_balance_after_any_messages_and_any_passing_of_time(
    script: list[tuple[int, Record]],
) -> None:
    warehouse = play(script)
    agree(warehouse, Auditor().read(warehouse.published))


@given(scripts | long_scripts)
def test_when_all_time_has_passed_nothing_is_held_and_nothing_is_remembered(
    script: list[tuple[int, Record]],
) -> None:
    warehouse = play(script)
    warehouse.wait(3 * TTL_MS)
    warehouse.wait(24 * 3600 * 1000)
    auditor = Auditor().read(warehouse.published)
    agree(warehouse, auditor)
    assert auditor.live == {}
    assert warehouse.kept(StockHold, StockEntry) == []
    assert {type(record) for record in warehouse.kept()} == {Sku, Stock}


@given(scripts | long_scripts)
def test_a_message_that_comes_twice_counts_once(script: list[tuple[int, Record]]) -> None:
    once = play(script)
    twice = play(step for wait_ms, m in script for step in ((wait_ms, m), (0, m)))
    movements = [fact for fact in once.published if isinstance(fact, MOVEMENTS)]
    assert [fact for fact in twice.published if isinstance(fact, MOVEMENTS)] == movements
    assert twice.kept() == once.kept()


@given(scripts, messages)
def test_a_repeated_request_is_answered_as_at_first(
    script: list[tuple[int, Record]], message: Record
) -> None:
    warehouse = play(script)
    warehouse.forget_what_was_said()
    warehouse.send(message)
    first = list(warehouse.answered)
    warehouse.forget_what_was_said()
    warehouse.send(message)
    assert warehouse.answered == first
    assert not any(isinstance(fact, MOVEMENTS) for fact in warehouse.published)


@given(scripts | long_scripts)
def test_orders_hear_every_public_fact_of_their_holds_in_the_same_order(
    script: list[tuple[int, Record]],
) -> None:
    warehouse = play(script)
    answers = iter(warehouse.answered)
    for fact in warehouse.published:
        if hasattr(fact, "hold_id"):
            assert any(answer is fact for answer in answers)  # reads on from where it stood
