"""What changes stock from outside: counted once, never below what is held."""

from __future__ import annotations

import pytest

from schemas.inventory import (
    AdjustStock,
    CountStock,
    Restock,
    StockAdjusted,
    StockCounted,
    StockEntryRefused,
    StockReason,
    StockReceived,
    StockRulesSet,
    StockTransferred,
    TransferStock,
)
from schemas.record import Record
from streams.inventory.state import ENTRY_RETENTION_MS, Sku, StockEntry
from streams.kernel.errors import InvalidMessage
from streams.reservations.protocol import AMOUNT_MAX
from tests.unit.inventory.warehouse import (
    OPERATOR,
    SHOP,
    SKU,
    TRACE,
    Warehouse,
    adjust,
    confirm,
    count,
    restock,
    rules,
    stocked,
    transfer,
    try_,
)


def entry_refused(
    command: str,
    reason: StockReason,
    ref: str,
    warehouse_id: str = "east",
    shop_id: int = SHOP,
    available: int = 0,
) -> StockEntryRefused:
    return StockEntryRefused(SKU, shop_id, warehouse_id, ref, command, reason, TRACE, available)


def test_a_first_delivery_begins_the_sku_and_only_the_public_hears_it() -> None:
    warehouse = Warehouse()
    warehouse.send(restock(5))
    fact = StockReceived(SKU, "east", 1, SHOP, "d1", 5, 0, 5, 0, TRACE)
    assert (warehouse.published, warehouse.answered) == ([fact], [])
    assert warehouse.stock() == (1, 5, 0)


def test_warehouses_are_kept_in_the_order_of_their_ids_whichever_came_first() -> None:
    warehouse = Warehouse()
    warehouse.send(restock(1, "west", "d1"), restock(1, "east", "d2"), restock(1, "west", "d3"))
    assert warehouse.state.get(Sku, str(SKU)) == Sku(SKU, SHOP, ("east", "west"))


def test_versions_count_movements_per_warehouse() -> None:
    warehouse = stocked(east=5, west=5)
    warehouse.send(restock(1, "west", "d1"), adjust(-1, "west", "c1"), restock(1, "east", "d2"))
    assert warehouse.published == [
        StockReceived(SKU, "west", 2, SHOP, "d1", 6, 0, 1, 0, TRACE),
        StockAdjusted(SKU, "west", 3, SHOP, "c1", "count", 5, 0, -1, 0, TRACE),
        StockReceived(SKU, "east", 2, SHOP, "d2", 6, 0, 1, 0, TRACE),
    ]


@pytest.mark.parametrize(
    "entry", [restock(5), adjust(5), adjust(-5), transfer(5), count(5), rules(2, 3)]
)
def test_the_same_ref_counts_once(entry: Record) -> None:
    warehouse = stocked(east=10)
    warehouse.send(entry)
    after = warehouse.stock()
    assert warehouse.send(entry) == []
    assert warehouse.stock() == after


@pytest.mark.parametrize(
    ("first", "other", "command"),
    [
        (restock(5), restock(6), "Restock"),
        (restock(5), restock(5, "west"), "Restock"),
        (adjust(5), adjust(-5), "AdjustStock"),
        (adjust(5), adjust(5, "west"), "AdjustStock"),
        (count(5), count(6), "CountStock"),
        (count(5), count(5, "west"), "CountStock"),
    ],
)
def test_the_same_ref_with_another_body_is_a_conflict(
    first: Record, other: Restock | AdjustStock | CountStock, command: str
) -> None:
    warehouse = stocked(east=10, west=10)
    warehouse.send(first)
    after = warehouse.stock()
    answer = entry_refused(command, StockReason.CONFLICT, other.ref, other.warehouse_id)
    assert warehouse.send(other) == [answer]
    assert warehouse.answered == []
    assert (warehouse.stock(), warehouse.stock("west")) == (after, (1, 10, 0))


def test_deliveries_corrections_and_skus_are_numbered_apart() -> None:
    warehouse = stocked(east=10)
    warehouse.send(restock(1, ref="7"), adjust(2, ref="7"), restock(3, ref="7", sku_id=SKU + 1))
    assert warehouse.stock() == (3, 13, 0)
    assert warehouse.stock(sku_id=SKU + 1) == (1, 3, 0)


def test_a_ref_is_remembered_for_its_retention_and_then_forgotten() -> None:
    warehouse = Warehouse()
    warehouse.send(restock(5))
    warehouse.wait(ENTRY_RETENTION_MS - 1)
    assert warehouse.send(restock(5)) == []
    assert warehouse.wait(1) == []
    assert warehouse.kept(StockEntry) == []
    warehouse.send(restock(5))
    assert warehouse.stock() == (2, 10, 0)


def test_a_correction_may_take_all_that_is_not_held() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    answer = warehouse.send(adjust(-7))
    assert answer == [StockAdjusted(SKU, "east", 3, SHOP, "c1", "count", 3, 3, -7, 0, TRACE)]


def test_a_correction_below_what_is_held_is_refused_and_its_ref_stays_free() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    refusal = entry_refused("AdjustStock", StockReason.BELOW_HELD, "c1", available=7)
    assert warehouse.send(adjust(-8)) == [refusal]
    assert warehouse.stock() == (2, 10, 3)
    warehouse.send(confirm())
    assert warehouse.send(adjust(-7)) == [
        StockAdjusted(SKU, "east", 4, SHOP, "c1", "count", 0, 0, -7, 0, TRACE)
    ]


@pytest.mark.parametrize("delta", [1, -1])
def test_a_correction_where_the_sku_never_was_is_refused(delta: int) -> None:
    warehouse = stocked(east=10)
    refusal = entry_refused("AdjustStock", StockReason.UNKNOWN_SKU, "c1", "west")
    assert warehouse.send(adjust(delta, "west")) == [refusal]
    assert warehouse.stock("west") == (0, 0, 0)


def test_another_shop_cannot_stock_a_sku() -> None:
    warehouse = stocked(east=10)
    refusal = entry_refused("Restock", StockReason.UNKNOWN_SKU, "d1", shop_id=SHOP + 1)
    assert warehouse.send(restock(5, shop_id=SHOP + 1)) == [refusal]
    assert warehouse.stock() == (1, 10, 0)


# --- transfers -----------------------------------------------------------------------------------


def moved(warehouse_id: str, other: str, version: int, on_hand: int, delta: int) -> Record:
    return StockTransferred(
        SKU, warehouse_id, version, SHOP, "t1", other, OPERATOR, on_hand, 0, delta, 0, TRACE
    )


def test_a_transfer_takes_from_one_warehouse_what_it_brings_to_the_other() -> None:
    warehouse = stocked(east=10, west=2)
    said = warehouse.send(transfer(4))
    assert said == [moved("east", "west", 2, 6, -4), moved("west", "east", 2, 6, 4)]
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((2, 6, 0), (2, 6, 0))
    assert warehouse.answered == []


def test_a_transfer_may_begin_a_warehouse() -> None:
    warehouse = stocked(east=10)
    warehouse.send(transfer(4))
    assert warehouse.state.get(Sku, str(SKU)) == Sku(SKU, SHOP, ("east", "west"))
    assert warehouse.stock("west") == (1, 4, 0)


def test_a_transfer_of_more_than_is_available_is_refused() -> None:
    warehouse = stocked(east=10, west=2)
    warehouse.send(try_(3))
    refusal = entry_refused("TransferStock", StockReason.INSUFFICIENT, "t1", available=7)
    assert warehouse.send(transfer(8)) == [refusal]
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((2, 10, 3), (1, 2, 0))


@pytest.mark.parametrize(
    "other", [transfer(5), transfer(4, target="north"), transfer(4, "west", "east")]
)
def test_another_transfer_of_the_same_ref_is_a_conflict(other: TransferStock) -> None:
    warehouse = stocked(east=10, west=10)
    warehouse.send(transfer(4))
    source = other.from_warehouse_id
    refusal = entry_refused("TransferStock", StockReason.CONFLICT, "t1", source)
    assert warehouse.send(other) == [refusal]
    assert (warehouse.stock("east"), warehouse.stock("west")) == ((2, 6, 0), (2, 14, 0))


def test_a_transfer_from_where_the_sku_never_was_is_refused() -> None:
    warehouse = stocked(east=10)
    refusal = entry_refused("TransferStock", StockReason.UNKNOWN_SKU, "t1", "west")
    assert warehouse.send(transfer(1, "west", "east")) == [refusal]


# --- stock-take ----------------------------------------------------------------------------------


@pytest.mark.parametrize("counted", [0, 7, 10, 12])
def test_a_counted_quantity_replaces_the_booked_one_and_says_what_was_wrong(counted: int) -> None:
    warehouse = stocked(east=10)
    fact = StockCounted(SKU, "east", 2, SHOP, "s1", OPERATOR, counted, 0, counted - 10, 0, TRACE)
    assert warehouse.send(count(counted)) == [fact]
    assert warehouse.stock() == (2, counted, 0)


def test_a_count_of_no_less_than_is_held_leaves_the_holds_alone() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), count(3))
    assert warehouse.stock() == (3, 3, 3)
    warehouse.send(confirm())
    assert warehouse.stock() == (4, 0, 0)


def test_a_count_below_what_is_held_is_refused_by_name() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    refusal = entry_refused("CountStock", StockReason.BELOW_HELD, "s1", available=7)
    assert warehouse.send(count(2)) == [refusal]
    assert warehouse.stock() == (2, 10, 3)


def test_a_count_where_the_sku_never_was_is_refused() -> None:
    refusal = entry_refused("CountStock", StockReason.UNKNOWN_SKU, "s1", "west")
    assert stocked(east=10).send(count(3, "west")) == [refusal]


# --- rules ---------------------------------------------------------------------------------------


def test_rules_are_kept_with_the_sku_and_say_who_set_them() -> None:
    warehouse = stocked(east=10)
    fact = StockRulesSet(SKU, SHOP, "r1", 2, 3, OPERATOR, TRACE)
    assert warehouse.send(rules(2, 3)) == [fact]
    assert warehouse.state.get(Sku, str(SKU)) == Sku(SKU, SHOP, ("east",), 2, 3)


def test_a_late_repeat_of_older_rules_does_not_undo_newer_ones() -> None:
    warehouse = stocked(east=10)
    warehouse.send(rules(2, 3), rules(5, 0, ref="r2"))
    assert warehouse.send(rules(2, 3)) == []
    assert warehouse.state.get(Sku, str(SKU)) == Sku(SKU, SHOP, ("east",), 5, 0)


def test_other_rules_of_the_same_ref_are_a_conflict() -> None:
    warehouse = stocked(east=10)
    warehouse.send(rules(2, 3))
    refusal = entry_refused("SetStockRules", StockReason.CONFLICT, "r1", "")
    assert warehouse.send(rules(2, 4)) == [refusal]


def test_rules_may_be_set_before_the_first_delivery() -> None:
    warehouse = Warehouse()
    warehouse.send(rules(2, 3), restock(5))
    assert warehouse.state.get(Sku, str(SKU)) == Sku(SKU, SHOP, ("east",), 2, 3)


# --- malformed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        restock(0),
        restock(-1),
        restock(AMOUNT_MAX + 1),
        restock(AMOUNT_MAX - 9),
        adjust(0),
        adjust(AMOUNT_MAX),
        transfer(0),
        transfer(-1),
        transfer(1, "east", "east"),
        count(-1),
        count(AMOUNT_MAX + 1),
        rules(-1),
        rules(0, -1),
        rules(AMOUNT_MAX + 1),
    ],
)
def test_entries_of_nothing_or_beyond_all_bounds_are_invalid(entry: Record) -> None:
    warehouse = stocked(east=10)
    with pytest.raises(InvalidMessage, match="OUT_OF_RANGE"):
        warehouse.send(entry)
    assert warehouse.stock() == (1, 10, 0)


@pytest.mark.parametrize(
    "entry",
    [
        restock(1, ref=""),
        restock(1, ""),
        adjust(1, ref=""),
        adjust(1, ""),
        transfer(1, ref=""),
        transfer(1, ""),
        transfer(1, "east", ""),
        count(1, ref=""),
        count(1, ""),
        rules(ref=""),
    ],
)
def test_an_entry_without_a_ref_or_a_warehouse_is_invalid(entry: Record) -> None:
    with pytest.raises(InvalidMessage, match="EMPTY_ID"):
        stocked(east=10).send(entry)
