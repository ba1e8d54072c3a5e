"""The single-warehouse policy: the first in order that can serve the whole quantity."""

from __future__ import annotations

from streams.inventory.allocation import Allocation, Why, allocate
from streams.inventory.state import Stock
from tests.unit.inventory.warehouse import SKU, stocked, try_


def stock(warehouse_id: str, on_hand: int, held: int = 0) -> Stock:
    return Stock(1, on_hand, held, SKU, warehouse_id)


EAST, NORTH, WEST = stock("east", 9, held=5), stock("north", 6), stock("west", 20, held=14)


def test_the_first_warehouse_that_can_serve_is_taken() -> None:
    assert allocate([EAST, NORTH, WEST], 4) == Allocation(EAST, Why.FIRST_THAT_SERVES, ())


def test_those_before_it_that_have_too_little_are_named() -> None:
    found = allocate([EAST, NORTH, WEST], 5)
    assert found == Allocation(NORTH, Why.FIRST_THAT_SERVES, (EAST,))


def test_when_none_serves_the_one_with_the_most_is_named_the_earlier_of_equals() -> None:
    found = allocate([EAST, NORTH, WEST], 7)
    assert found == Allocation(NORTH, Why.NONE_SERVES, (EAST, NORTH, WEST))


def test_a_sku_that_is_nowhere_has_no_stock_to_hold() -> None:
    assert allocate([], 1) == Allocation(None, Why.NOWHERE_STOCKED, ())


def test_a_hold_goes_to_the_next_warehouse_when_the_first_has_too_little() -> None:
    warehouse = stocked(east=4, west=6)
    warehouse.send(try_(3), try_(3, hold_id="h2", order_no="o2"))
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((2, 4, 3), (2, 6, 3))


def test_a_quantity_is_never_split_over_warehouses() -> None:
    warehouse = stocked(east=4, west=6)
    warehouse.send(try_(7))
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((1, 4, 0), (1, 6, 0))
