"""An order that gives its money back undoes its holds, whatever became of them."""

from __future__ import annotations

import pytest

from schemas.inventory import HoldEndRefused, HoldFenced, StockReason, StockReturned
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.reservations.records import RETENTION_MS
from tests.unit.inventory.warehouse import (
    SHOP,
    SKU,
    TRACE,
    cancel,
    confirm,
    give_back,
    released,
    restock,
    stocked,
    try_,
)


def returned(qty: int, on_hand: int, version: int = 4, warehouse_id: str = "east") -> StockReturned:
    reason = "HOLD_LOST"
    return StockReturned(
        SKU, warehouse_id, version, SHOP, "h1", "o1", qty, reason, on_hand, 0, qty, 0, TRACE
    )


def end_refused(reason: StockReason, order_no: str = "o1") -> HoldEndRefused:
    return HoldEndRefused(SKU, SHOP, "h1", order_no, "ReturnStock", reason, TRACE)


def test_sold_units_return_to_where_they_were_taken_from_and_only_the_public_hears_it() -> None:
    warehouse = stocked(east=1, west=10)
    warehouse.send(try_(3), confirm())
    warehouse.forget_what_was_said()
    warehouse.send(give_back())
    assert warehouse.published == [returned(3, 10, warehouse_id="west")]
    assert warehouse.answered == []


def test_units_return_once() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), confirm(), give_back())
    assert warehouse.send(give_back()) == []
    assert warehouse.stock() == (4, 10, 0)


def test_what_is_only_held_is_released() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert warehouse.send(give_back()) == [released()]
    assert warehouse.send(give_back()) == [released()]
    assert warehouse.stock() == (3, 10, 0)


def test_what_never_was_is_fenced() -> None:
    warehouse = stocked(east=10)
    assert warehouse.send(give_back()) == [HoldFenced(SKU, SHOP, "h1", "o1", TRACE)]


def test_the_orders_word_stands_for_a_hold_that_is_forgotten() -> None:
    warehouse = stocked(east=10, west=10)
    warehouse.send(try_(3), confirm())
    warehouse.wait(RETENTION_MS)
    assert warehouse.send(give_back(3)) == [returned(3, 10)]
    assert warehouse.send(give_back(3)) == []


def test_a_hold_that_was_given_back_before_cannot_be_returned() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), cancel())
    assert warehouse.send(give_back(3)) == [released()]  # the answer again
    assert warehouse.stock() == (3, 10, 0)


def test_another_order_cannot_return_a_hold() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), confirm())
    conflict = end_refused(StockReason.CONFLICT, order_no="o2")
    assert warehouse.send(give_back(3, order_no="o2")) == [conflict]
    assert warehouse.stock() == (3, 7, 0)


def test_a_forgotten_hold_of_a_sku_that_is_nowhere_cannot_be_returned() -> None:
    warehouse = stocked(east=10)
    (answer,) = warehouse.send(give_back(3, sku_id=SKU + 1))
    assert answer == HoldEndRefused(
        SKU + 1, SHOP, "h1", "o1", "ReturnStock", StockReason.UNKNOWN_HOLD, TRACE
    )


@pytest.mark.parametrize("message", [give_back(-1), give_back(hold_id=""), give_back(order_no="")])
def test_a_malformed_return_is_invalid(message: Record) -> None:
    warehouse = stocked(east=10)
    warehouse.send(restock(1))
    with pytest.raises(InvalidMessage):
        warehouse.send(message)
