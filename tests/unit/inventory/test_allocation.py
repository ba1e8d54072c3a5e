"""Allocation picks warehouses by policy, and says why."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.inventory import Allocated, Allocation, HoldTerms, Share, Shortage, StockReason
from streams.inventory.allocation import Pick, allocate, most, nearest_first
from streams.inventory.state import Stock
from tests.unit.inventory.warehouse import (
    SKU,
    cancel,
    confirm,
    deducted,
    held,
    refused,
    released,
    stocked,
    try_,
)

SINGLE, NEAREST, SPLIT = Allocation.SINGLE_FIRST, Allocation.NEAREST, Allocation.SPLIT


def stock(warehouse_id: str, on_hand: int, held: int = 0) -> Stock:
    return Stock(1, on_hand, held, SKU, warehouse_id)


# 4, 6 and 6 available; nothing in the south.
EAST, NORTH, WEST = stock("east", 9, held=5), stock("north", 6), stock("west", 20, held=14)
SOUTH = stock("south", 3, held=3)
ALL = [EAST, NORTH, SOUTH, WEST]


def terms(allocation: Allocation, *warehouses: str) -> HoldTerms:
    return HoldTerms(allocation, Shortage.REJECT, warehouses)


@pytest.mark.parametrize("allocation", [SINGLE, SPLIT])
def test_one_warehouse_serves_all_if_it_can_the_nearest_that_can(allocation: Allocation) -> None:
    assert allocate(ALL, 4, allocation, partly=False) == Pick(((EAST, 4),), ())
    assert allocate(ALL, 5, allocation, partly=False) == Pick(((NORTH, 5),), (EAST,))


def test_single_first_is_never_split_when_the_whole_is_wanted() -> None:
    assert allocate(ALL, 7, SINGLE, partly=False) == Pick((), tuple(ALL))


def test_nearest_takes_from_the_nearest_first_and_goes_on_when_it_runs_out() -> None:
    pick = allocate(ALL, 5, NEAREST, partly=False)
    assert pick == Pick(((EAST, 4), (NORTH, 1)), ())
    pick = allocate(ALL, 11, NEAREST, partly=False)
    assert pick == Pick(((EAST, 4), (NORTH, 6), (WEST, 1)), (SOUTH,))


def test_split_makes_the_fewest_parcels_the_largest_stocks_first() -> None:
    pick = allocate(ALL, 12, SPLIT, partly=False)
    assert pick == Pick(((NORTH, 6), (WEST, 6)), ())


@pytest.mark.parametrize("allocation", Allocation)
def test_what_is_taken_partly_is_all_that_is_there(allocation: Allocation) -> None:
    assert allocate(ALL, 17, allocation, partly=True).qty == 16


def test_the_most_that_one_warehouse_has_is_named_the_earlier_of_equals() -> None:
    assert most(ALL) is NORTH
    assert most([]) is None


def test_what_is_nearest_is_said_by_the_message_and_the_others_come_after_by_their_ids() -> None:
    assert nearest_first(ALL, ("west", "moon", "south")) == [WEST, SOUTH, EAST, NORTH]
    assert nearest_first(ALL, ()) is ALL


def test_a_hold_goes_to_the_next_warehouse_when_the_first_has_too_little_and_says_so() -> None:
    warehouse = stocked(east=4, west=6)
    first, second = (
        warehouse.send(try_(3)),
        warehouse.send(try_(3, hold_id="h2", order_no="o2")),
    )
    assert first == [held(3, on_hand=4)]
    why = Allocated(SINGLE, (Share("east", 1),), 3, 3)
    in_west = held(3, on_hand=6, hold_id="h2", warehouse_id="west", order_no="o2", allocated=why)
    assert second == [in_west]
    assert warehouse.send(try_(3, hold_id="h2", order_no="o2")) == [in_west]


def test_the_nearest_that_can_serve_is_taken_by_the_preference_of_the_order() -> None:
    warehouse = stocked(east=9, west=9)
    fact = held(3, on_hand=9, warehouse_id="west", allocated=Allocated(SINGLE, (), 3, 3))
    assert warehouse.send(try_(3, terms=terms(SINGLE, "west"))) == [fact]


def test_a_hold_over_several_warehouses_is_one_movement_in_each_under_one_id() -> None:
    warehouse = stocked(east=4, west=6)
    said = warehouse.send(try_(7, terms=terms(NEAREST)))
    why = Allocated(NEAREST, (), 7, 7)
    assert said == [
        held(4, on_hand=4, allocated=why),
        held(3, on_hand=6, warehouse_id="west", allocated=why),
    ]
    assert warehouse.answered == warehouse.published == said
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((2, 4, 4), (2, 6, 3))


def test_a_hold_over_several_warehouses_ends_in_all_of_them_at_once() -> None:
    sold, back = stocked(east=4, west=6), stocked(east=4, west=6)
    for warehouse in (sold, back):
        warehouse.send(try_(7, terms=terms(NEAREST)))
    assert sold.send(confirm()) == [
        deducted(4, on_hand=0),
        deducted(3, on_hand=3, warehouse_id="west"),
    ]
    assert back.send(cancel()) == [
        released(4, on_hand=4),
        released(3, on_hand=6, warehouse_id="west"),
    ]
    assert (sold.stock("east"), sold.stock("west")) == ((3, 0, 0), (3, 3, 0))
    assert (back.stock("east"), back.stock("west")) == ((3, 4, 0), (3, 6, 0))


def test_a_repeat_about_a_hold_over_several_warehouses_moves_nothing() -> None:
    warehouse = stocked(east=4, west=6)
    ask = try_(7, terms=terms(NEAREST))
    last = warehouse.send(ask)[-1]
    warehouse.forget_what_was_said()
    assert warehouse.send(ask) == [last]
    assert warehouse.published == []
    last = warehouse.send(confirm())[-1]
    assert warehouse.send(confirm()) == [last]
    assert warehouse.send(cancel()) != []
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((3, 0, 0), (3, 3, 0))


@pytest.mark.parametrize(
    ("allocation", "available"), [(SINGLE, 6), (NEAREST, 10), (SPLIT, 10)], ids=str
)
def test_a_refusal_names_what_could_be_had_by_the_policy(
    allocation: Allocation, available: int
) -> None:
    warehouse = stocked(east=4, west=6)
    refusal = refused(StockReason.INSUFFICIENT, available=available, qty=11)
    assert warehouse.send(try_(11, terms=terms(allocation))) == [refusal]
    assert warehouse.hold() is None


def test_a_repeated_try_with_another_quantity_is_a_conflict_however_it_is_allocated() -> None:
    warehouse = stocked(east=4, west=6)
    ask = try_(7, terms=terms(NEAREST))
    warehouse.send(ask)
    assert warehouse.send(replace(ask, qty=6)) == [refused(StockReason.CONFLICT, qty=6)]
