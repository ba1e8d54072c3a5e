"""Laws of stock over any sequence of messages and any passing of time.

The auditor below reads only what the stage published, in order, and keeps books of its own; it
shares no code with the stage.
"""

from __future__ import annotations

import typing
from collections import defaultdict
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.inventory import (
    Allocation,
    BackorderConfirmed,
    BackorderReleased,
    BackorderServed,
    BuyerCounted,
    HoldExtended,
    HoldFenced,
    HoldTerms,
    Shortage,
    StockAdjusted,
    StockBackordered,
    StockCounted,
    StockDeducted,
    StockHeld,
    StockReceived,
    StockReleased,
    StockReturned,
    StockTransferred,
)
from schemas.record import Record
from schemas.topics import INVENTORY_EVENTS
from streams.inventory.react import HoldFact
from streams.inventory.state import Backorder, BuyerUnits, Sku, Stock, StockEntry, StockHold
from streams.reservations.records import RETENTION_MS
from tests.unit.inventory.warehouse import (
    BUYER,
    SKU,
    TTL_MS,
    Warehouse,
    adjust,
    cancel,
    confirm,
    count,
    extend,
    give_back,
    restock,
    rules,
    transfer,
    try_,
)

MOVEMENTS = (
    StockHeld
    | StockDeducted
    | StockReleased
    | StockReturned
    | StockReceived
    | StockAdjusted
    | StockTransferred
    | StockCounted
    | BackorderServed
)


class Auditor:
    """Judges published facts; the holds and shelves it ends with are those of the facts alone."""

    def __init__(self) -> None:
        self.versions: dict[Any, int] = defaultdict(int)
        self.on_hand: dict[Any, int] = defaultdict(int)
        self.held: dict[Any, int] = defaultdict(int)
        self.live: dict[str, dict[str, int]] = {}  # units by warehouse of each open hold
        self.sold: dict[str, dict[str, int]] = {}
        self.over: set[str] = set()
        self.fenced: set[str] = set()
        self.promised: dict[str, int] = defaultdict(int)  # units by hold
        self.backordered: dict[int, int] = defaultdict(int)
        self.buyers: dict[Any, int] = defaultdict(int)
        self.moved: dict[str, int] = defaultdict(int)  # units on their way, by transfer

    def read(self, facts: Iterable[Record]) -> Auditor:
        for fact in facts:
            if isinstance(fact, MOVEMENTS):
                self.move(fact)
            elif isinstance(fact, StockBackordered | BackorderReleased):
                self.promise(fact)
            elif isinstance(fact, BackorderConfirmed):
                assert self.promised[fact.hold_id] == fact.qty
                self.over.add(fact.hold_id)
                self.live.pop(fact.hold_id, None)
            elif isinstance(fact, BuyerCounted):
                buyer = fact.sku_id, fact.user_id
                self.buyers[buyer] += fact.delta
                assert fact.units == self.buyers[buyer] >= 0
                assert fact.delta < 0 or fact.units <= fact.limit
            elif isinstance(fact, HoldFenced):
                assert fact.hold_id not in self.live
                assert fact.hold_id not in self.over
                self.fenced.add(fact.hold_id)
            elif isinstance(fact, HoldExtended):
                assert fact.hold_id in self.live or self.promised[fact.hold_id]
        self.add_up()
        return self

    def add_up(self) -> None:
        for (sku_id, warehouse_id), held in self.held.items():
            shares = [(int(h.split("@")[1]), s.get(warehouse_id, 0)) for h, s in self.live.items()]
            assert held == sum(qty for sku, qty in shares if sku == sku_id)
        for sku_id, qty in self.backordered.items():
            holds = [units for h, units in self.promised.items() if h.endswith(f"@{sku_id}")]
            assert qty == sum(holds) >= 0
            if qty:  # nothing is available to anybody else
                shelves = [shelf for shelf in self.on_hand if shelf[0] == sku_id]
                assert all(self.on_hand[shelf] == self.held[shelf] for shelf in shelves)
        assert not any(self.moved.values())

    def promise(self, fact: StockBackordered | BackorderReleased) -> None:
        delta = fact.qty if isinstance(fact, StockBackordered) else -fact.qty
        self.backordered[fact.sku_id] += delta
        self.promised[fact.hold_id] += delta
        assert fact.backordered == self.backordered[fact.sku_id]
        if isinstance(fact, StockBackordered):
            assert fact.backordered <= fact.cap
            held = sum(self.live.get(fact.hold_id, {}).values())
            assert fact.asked == held + fact.qty
        else:
            assert self.promised[fact.hold_id] == 0
            self.over.add(fact.hold_id)

    def move(self, fact: MOVEMENTS) -> None:
        shelf = fact.sku_id, fact.warehouse_id
        self.versions[shelf] += 1
        self.on_hand[shelf] += fact.delta_on_hand
        self.held[shelf] += fact.delta_held
        assert fact.version == self.versions[shelf]
        assert (fact.on_hand, fact.held) == (self.on_hand[shelf], self.held[shelf])
        assert 0 <= fact.held <= fact.on_hand
        if isinstance(fact, StockHeld):
            assert fact.hold_id not in self.over | self.fenced
            assert (fact.delta_on_hand, fact.delta_held) == (0, fact.qty)
            shares = self.live.setdefault(fact.hold_id, {})
            assert fact.warehouse_id not in shares
            shares[fact.warehouse_id] = fact.qty
            why = fact.allocated
            assert sum(shares.values()) <= (fact.qty if why is None else why.qty)
        elif isinstance(fact, StockDeducted | StockReleased):
            assert self.live[fact.hold_id].pop(fact.warehouse_id) == fact.qty
            self.over.add(fact.hold_id)
            sold = fact.qty if isinstance(fact, StockDeducted) else 0
            assert (fact.delta_on_hand, fact.delta_held) == (-sold, -fact.qty)
            if isinstance(fact, StockDeducted):
                self.sell(fact)
            if not self.live[fact.hold_id]:
                del self.live[fact.hold_id]
        elif isinstance(fact, StockReturned):
            assert self.sold[fact.hold_id].pop(fact.warehouse_id) == fact.qty
            assert (fact.delta_on_hand, fact.delta_held) == (fact.qty, 0)
        elif isinstance(fact, BackorderServed):
            self.serve(fact)
        else:
            assert fact.delta_held == 0
        if isinstance(fact, StockTransferred):
            self.moved[fact.ref] += fact.delta_on_hand

    def serve(self, fact: BackorderServed) -> None:
        self.backordered[fact.sku_id] -= fact.qty
        self.promised[fact.hold_id] -= fact.qty
        assert self.promised[fact.hold_id] >= 0
        assert fact.backordered == self.backordered[fact.sku_id]
        if fact.owed:
            assert (fact.delta_on_hand, fact.delta_held) == (-fact.qty, 0)
            assert fact.hold_id in self.over
            self.sell(fact)
        else:
            assert (fact.delta_on_hand, fact.delta_held) == (0, fact.qty)
            assert fact.hold_id not in self.over
            shares = self.live.setdefault(fact.hold_id, {})
            shares[fact.warehouse_id] = shares.get(fact.warehouse_id, 0) + fact.qty

    def sell(self, fact: StockDeducted | BackorderServed) -> None:
        shares = self.sold.setdefault(fact.hold_id, {})
        shares[fact.warehouse_id] = shares.get(fact.warehouse_id, 0) + fact.qty


skus = st.sampled_from([SKU] * 5 + [SKU + 1])
warehouses = st.sampled_from(["east", "west"])
refs = st.sampled_from(["r1", "r2", "r3", "r4"])
orders = st.sampled_from(["o1"] * 9 + ["o2"])
quantities = st.integers(1, 6)
ttls_ms = st.sampled_from([1, TTL_MS, 3 * TTL_MS])
names = st.sampled_from(["h1", "h2", "h3"])
users = st.sampled_from([BUYER, BUYER, BUYER + 1])
terms = st.none() | st.builds(
    HoldTerms,
    st.sampled_from(Allocation),
    st.sampled_from(Shortage),
    st.sampled_from([(), ("west",), ("north", "west", "east")]),
)


@st.composite
def of_a_hold(draw: st.DrawFn, /, make: Callable[..., Record], **fields: Any) -> Record:
    """A message about a hold; a hold's id tells its sku, as the orders stage's ids do."""
    sku_id = draw(skus)
    drawn = {name: draw(strategy) for name, strategy in fields.items()}
    hold_id = f"{draw(names)}@{sku_id}"
    return make(hold_id=hold_id, order_no=draw(orders), sku_id=sku_id, **drawn)


tries = of_a_hold(try_, qty=st.integers(1, 9), ttl_ms=ttls_ms, terms=terms, user_id=users)
about_holds = st.one_of(
    tries,
    tries,
    of_a_hold(try_, qty=st.just(2), terms=terms, user_id=users),
    of_a_hold(confirm),
    of_a_hold(confirm),
    of_a_hold(cancel),
    of_a_hold(extend, ttl_ms=ttls_ms),
    of_a_hold(give_back),
)
entries = st.one_of(
    st.builds(restock, quantities, warehouses, refs, sku_id=skus),
    st.builds(adjust, st.integers(-9, 9).filter(bool), warehouses, refs),
    st.builds(transfer, quantities, st.just("east"), st.just("west"), refs, skus),
    st.builds(transfer, quantities, st.just("west"), st.just("east"), refs, skus),
    st.builds(count, st.integers(0, 9), warehouses, refs),
    st.builds(rules, st.sampled_from([0, 0, 9]), st.sampled_from([0, 9, 20]), refs, skus),
)
messages = about_holds | about_holds | about_holds | entries
# Below the retention in all: a hold id that was forgotten would be a new hold.
waits_ms = st.sampled_from([0, 0, 1, TTL_MS - 1, TTL_MS])
scripts = st.lists(st.tuples(waits_ms, messages), max_size=12)
long_scripts = st.lists(st.tuples(st.just(0), messages), max_size=80)


def play(script: Iterable[tuple[int, Record]]) -> Warehouse:
    warehouse = Warehouse()
    warehouse.send(rules(0, 20, "first"))
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
    promised = {sku.sku_id: sku.backordered for sku in warehouse.kept(Sku) if isinstance(sku, Sku)}
    assert {s: n for s, n in promised.items() if n} == {
        s: n for s, n in auditor.backordered.items() if n
    }
    bought = sum(b.units for b in warehouse.kept(BuyerUnits) if isinstance(b, BuyerUnits))
    assert bought == sum(auditor.buyers.values())


def trade(seed: int, steps: int = 120) -> list[tuple[int, Record]]:
    """Return a long script in which most of what is asked is sensible, on one sku."""
    random = Random(seed)
    script: list[tuple[int, Record]] = []
    begun: list[str] = []
    for n in range(steps):
        hold_id = f"h{n}@{SKU}"
        known = random.choice(begun) if begun else hold_id
        dice = random.random()
        allocation, shortage = random.choice(list(Allocation)), random.choice(list(Shortage))
        on = random.choice([None, HoldTerms(allocation, shortage, ("west",)[: n % 2])])
        message: Record
        if dice < 0.4:
            begun.append(hold_id)
            user_id = random.choice([BUYER, BUYER + 1])
            message = try_(random.randint(1, 5), hold_id, terms=on, user_id=user_id)
        elif dice < 0.6:
            message = random.choice([confirm, confirm, cancel])(known)
        elif dice < 0.65:
            message = random.choice([give_back(hold_id=known), extend(3 * TTL_MS, known)])
        elif dice < 0.9:
            message = restock(random.randint(1, 4), random.choice(["east", "west"]), f"d{n}")
        else:
            where = random.choice([("east", "west"), ("west", "east")])
            message = random.choice(
                [
                    transfer(2, *where, f"t{n}"),
                    count(random.randint(0, 9), where[0], f"s{n}"),
                    adjust(random.choice([-2, 2]), where[0], f"c{n}"),
                    rules(random.choice([0, 40]), random.choice([5, 20]), f"r{n}"),
                ]
            )
        script.append((random.choice([0, 0, 0, TTL_MS // 20]), message))
    return script


@given(st.integers(0, 2**32))
def test_the_books_balance_over_a_long_trade(seed: int) -> None:
    warehouse = play(trade(seed))
    agree(warehouse, Auditor().read(warehouse.published))


def test_the_trades_above_reach_every_kind_of_fact() -> None:
    said: set[type[Record]] = set()
    for seed in range(20):
        said |= {type(fact) for fact in play(trade(seed)).published}
    assert said >= set(INVENTORY_EVENTS.records) - {HoldFenced}


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
    warehouse.send(restock(99, ref="whatever is owed"), restock(99, ref="more", sku_id=SKU + 1))
    warehouse.wait(3 * TTL_MS)
    warehouse.wait(24 * 3600 * 1000)
    auditor = Auditor().read(warehouse.published)
    agree(warehouse, auditor)
    assert auditor.live == {}
    assert warehouse.kept(StockHold, StockEntry, Backorder) == []
    assert {type(record) for record in warehouse.kept()} <= {Sku, Stock, BuyerUnits}


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
        if isinstance(fact, typing.get_args(HoldFact)):
            assert any(answer is fact for answer in answers)  # reads on from where it stood
