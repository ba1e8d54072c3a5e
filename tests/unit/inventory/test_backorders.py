"""More is wanted than there is: a part of it, or promised units up to a cap, or nothing."""

from __future__ import annotations

import pytest

from schemas.inventory import (
    Allocated,
    Allocation,
    BackorderConfirmed,
    BackorderReleased,
    BackorderServed,
    HoldTerms,
    ReleaseCause,
    Shortage,
    StockBackordered,
    StockReason,
    StockReturned,
)
from schemas.record import Record
from streams.inventory.state import Backorder, Sku, StockHold
from streams.reservations.records import RETENTION_MS
from tests.unit.inventory.warehouse import (
    SHOP,
    SKU,
    START_MS,
    TRACE,
    TTL_MS,
    Warehouse,
    adjust,
    cancel,
    confirm,
    count,
    deducted,
    extend,
    give_back,
    held,
    refused,
    released,
    restock,
    rules,
    stocked,
    try_,
)

SINGLE = Allocation.SINGLE_FIRST
PARTIAL, PROMISE = HoldTerms(SINGLE, Shortage.PARTIAL), HoldTerms(SINGLE, Shortage.BACKORDER)


def promising(cap: int = 10, **stock: int) -> Warehouse:
    """Return a warehouse that may promise ``cap`` units beyond its stock."""
    warehouse = stocked(**stock)
    warehouse.send(rules(backorder_cap=cap))
    warehouse.forget_what_was_said()
    return warehouse


def promised(
    qty: int, asked: int, backordered: int, hold_id: str = "h1", order_no: str = "o1"
) -> StockBackordered:
    expires_at_ms = START_MS + TTL_MS
    return StockBackordered(
        SKU, SHOP, hold_id, order_no, qty, asked, 10, backordered, expires_at_ms, TRACE
    )


def served(
    qty: int,
    left: int,
    *,
    version: int,
    on_hand: int,
    held: int,
    owed: bool = False,
    hold_id: str = "h1",
    order_no: str = "o1",
) -> BackorderServed:
    on, by = (-qty, 0) if owed else (0, qty)
    shelf = (on_hand, held, on, by)
    return BackorderServed(
        SKU, "east", version, SHOP, hold_id, order_no, qty, owed, left, *shelf, TRACE
    )


def backordered(warehouse: Warehouse) -> int:
    sku = warehouse.state.get(Sku, str(SKU))
    assert sku is not None
    return sku.backordered


def second(qty: int, terms: HoldTerms = PROMISE) -> Record:
    return try_(qty, hold_id="h2", order_no="o2", terms=terms)


# --- partial -------------------------------------------------------------------------------------


def test_by_default_a_hold_of_more_than_there_is_is_refused() -> None:
    warehouse = promising(east=2)
    assert warehouse.send(try_(3)) == [refused(StockReason.INSUFFICIENT, available=2)]


def test_partial_holds_what_there_is_and_says_how_much_was_asked_for() -> None:
    warehouse = stocked(east=2)
    why = Allocated(SINGLE, (), 5, 2)
    assert warehouse.send(try_(5, terms=PARTIAL)) == [held(2, on_hand=2, allocated=why)]
    assert warehouse.send(try_(5, terms=PARTIAL)) == [held(2, on_hand=2, allocated=why)]
    assert warehouse.send(confirm()) == [deducted(2, on_hand=0)]


def test_partial_takes_what_there_is_in_every_warehouse() -> None:
    warehouse = stocked(east=2, west=1)
    warehouse.send(try_(5, terms=PARTIAL))
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((2, 2, 2), (2, 1, 1))


def test_partial_of_nothing_is_refused() -> None:
    warehouse = stocked(east=2)
    warehouse.send(second(2, PARTIAL))
    assert warehouse.send(try_(1, terms=PARTIAL)) == [
        refused(StockReason.INSUFFICIENT, available=0, qty=1)
    ]


# --- promises ------------------------------------------------------------------------------------


def test_what_is_there_is_held_and_the_rest_is_promised() -> None:
    warehouse = promising(east=2)
    said = warehouse.send(try_(5, terms=PROMISE))
    why = Allocated(SINGLE, (), 5, 5)
    assert said == [held(2, on_hand=2, allocated=why), promised(3, 5, 3)]
    assert warehouse.answered == said
    assert (warehouse.stock(), backordered(warehouse)) == ((2, 2, 2), 3)


def test_all_may_be_promised_also_of_a_sku_that_never_came() -> None:
    warehouse = Warehouse()
    warehouse.send(rules(backorder_cap=10))
    assert warehouse.send(try_(5, terms=PROMISE)) == [promised(5, 5, 5)]
    warehouse.forget_what_was_said()
    assert warehouse.send(try_(5, terms=PROMISE)) == [promised(5, 5, 5)]
    assert warehouse.published == []


def test_never_more_than_the_cap_is_promised() -> None:
    warehouse = promising(cap=10, east=2)
    warehouse.send(try_(9, terms=PROMISE))
    assert warehouse.send(second(4)) == [
        refused(StockReason.INSUFFICIENT, available=3, qty=4, hold_id="h2", order_no="o2")
    ]
    assert warehouse.send(second(3)) == [promised(3, 3, 10, "h2", "o2")]


def test_without_a_cap_nothing_is_promised() -> None:
    warehouse = stocked(east=2)
    answer = refused(StockReason.INSUFFICIENT, available=2)
    assert warehouse.send(try_(3, terms=PROMISE)) == [answer]


def test_a_lower_cap_takes_no_promise_back() -> None:
    warehouse = promising(cap=10, east=1)
    warehouse.send(try_(5, terms=PROMISE), rules(backorder_cap=1, ref="r2"))
    assert backordered(warehouse) == 4
    assert warehouse.send(second(1)) == [
        refused(StockReason.INSUFFICIENT, available=0, qty=1, hold_id="h2", order_no="o2")
    ]


# --- stock comes in ------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [restock(4), adjust(4), count(6)], ids=lambda e: type(e).__name__)
def test_stock_that_comes_in_serves_the_promises_first(entry: Record) -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE))
    assert warehouse.send(entry)[1:] == [served(3, 0, version=4, on_hand=6, held=5)]
    assert (warehouse.stock(), backordered(warehouse)) == ((4, 6, 5), 0)
    assert warehouse.kept(Backorder) == []


def test_promises_are_served_in_their_order_each_as_far_as_it_goes() -> None:
    warehouse = promising(east=0, west=1)
    warehouse.send(try_(4, terms=PROMISE), second(2))
    assert warehouse.send(restock(4))[1:] == [
        served(3, 2, version=2, on_hand=4, held=3),
        served(1, 1, version=3, on_hand=4, held=4, hold_id="h2", order_no="o2"),
    ]
    assert warehouse.send(restock(4, ref="d2"))[1:] == [
        served(1, 0, version=5, on_hand=8, held=5, hold_id="h2", order_no="o2")
    ]


def test_nobody_comes_before_those_who_were_promised_units() -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE), restock(3))
    assert warehouse.send(try_(1, "h3", "o3")) == [
        refused(StockReason.INSUFFICIENT, qty=1, hold_id="h3", order_no="o3")
    ]


@pytest.mark.parametrize("expired", [False, True])
def test_units_that_another_gives_back_serve_the_promises(expired: bool) -> None:
    warehouse = promising(east=3)
    warehouse.send(try_(3), second(2), extend(9 * TTL_MS, "h2", "o2"))
    said = warehouse.wait(TTL_MS) if expired else warehouse.send(cancel())
    assert said == [
        released(3, ReleaseCause.EXPIRED if expired else ReleaseCause.CANCELLED, on_hand=3),
        served(2, 0, version=4, on_hand=3, held=2, hold_id="h2", order_no="o2"),
    ]


def test_a_hold_that_was_served_is_sold_as_any_other() -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE), restock(4))
    assert warehouse.send(confirm()) == [deducted(5, on_hand=1, version=5)]
    warehouse.wait(RETENTION_MS)
    assert warehouse.kept(StockHold) == []


# --- owed ----------------------------------------------------------------------------------------


def test_a_confirm_sells_what_is_held_and_owes_the_rest() -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE))
    owed = BackorderConfirmed(SKU, SHOP, "h1", "o1", 3, TRACE)
    assert warehouse.send(confirm()) == [deducted(2, on_hand=0), owed]
    assert (warehouse.stock(), backordered(warehouse)) == ((3, 0, 0), 3)


def test_owed_units_leave_the_stock_as_they_come_in_however_late() -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE), confirm())
    assert warehouse.wait(10 * RETENTION_MS) == []
    said = warehouse.send(restock(2), restock(2, ref="d2"))
    assert said[1:] == [served(1, 0, version=7, on_hand=1, held=0, owed=True)]
    assert warehouse.stock() == (7, 1, 0)
    warehouse.wait(RETENTION_MS)
    assert warehouse.kept(StockHold, Backorder) == []


def test_a_confirm_of_promises_only_is_answered_again_as_at_first() -> None:
    warehouse = promising(east=0, west=1)
    warehouse.send(second(1), try_(5, terms=PROMISE))
    first = warehouse.send(confirm())
    assert first == [BackorderConfirmed(SKU, SHOP, "h1", "o1", 5, TRACE)]
    warehouse.forget_what_was_said()
    assert warehouse.send(confirm()) == first
    assert warehouse.published == []
    assert warehouse.send(cancel()) != first


# --- given up ------------------------------------------------------------------------------------


def given_up(qty: int, left: int, cause: ReleaseCause) -> BackorderReleased:
    return BackorderReleased(SKU, SHOP, "h1", "o1", qty, cause, left, TRACE)


@pytest.mark.parametrize("cause", ReleaseCause)
def test_a_promise_ends_with_its_hold_and_what_it_held_serves_the_next(cause: ReleaseCause) -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE), second(1), extend(9 * TTL_MS, "h2", "o2"))
    expired = cause is ReleaseCause.EXPIRED
    assert (warehouse.wait(TTL_MS) if expired else warehouse.send(cancel())) == [
        released(2, cause, on_hand=2),
        given_up(3, 1, cause),
        served(1, 0, version=4, on_hand=2, held=1, hold_id="h2", order_no="o2"),
    ]
    assert (warehouse.stock(), backordered(warehouse)) == ((4, 2, 1), 0)


def test_a_cancel_of_promises_only_is_answered_again_as_at_first() -> None:
    warehouse = promising(east=0, west=1)
    warehouse.send(second(1), try_(5, terms=PROMISE))
    first = warehouse.send(cancel())
    assert first == [given_up(5, 0, ReleaseCause.CANCELLED)]
    assert warehouse.send(cancel()) == first
    assert warehouse.send(restock(9))[1:] == []
    assert warehouse.kept(Backorder) == []


def test_an_order_that_is_undone_brings_back_what_it_got_and_is_owed_nothing() -> None:
    warehouse = promising(east=2)
    warehouse.send(try_(5, terms=PROMISE), confirm())
    assert warehouse.send(give_back(5)) == [
        StockReturned(SKU, "east", 4, SHOP, "h1", "o1", 2, "HOLD_LOST", 2, 0, 2, 0, TRACE),
        given_up(3, 0, ReleaseCause.CANCELLED),
    ]
    assert warehouse.send(give_back(5)) == []
    assert (warehouse.stock(), backordered(warehouse)) == ((4, 2, 0), 0)
