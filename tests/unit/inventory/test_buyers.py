"""At most n units of a sku are held by, or sold to, one buyer."""

from __future__ import annotations

import pytest

from schemas.inventory import (
    Allocation,
    BuyerCounted,
    HoldTerms,
    Shortage,
    StockReason,
)
from streams.inventory.state import BuyerUnits
from tests.unit.inventory.warehouse import (
    BUYER,
    SHOP,
    SKU,
    TRACE,
    TTL_MS,
    Warehouse,
    cancel,
    confirm,
    deducted,
    give_back,
    held,
    refused,
    rules,
    stocked,
    try_,
)


def limited(limit: int = 3) -> Warehouse:
    warehouse = stocked(east=10)
    warehouse.send(rules(buyer_limit=limit))
    warehouse.forget_what_was_said()
    return warehouse


def counted(units: int, delta: int, limit: int = 0) -> BuyerCounted:
    return BuyerCounted(SKU, SHOP, BUYER, "h1", "o1", limit, units, delta, TRACE)


def test_a_buyer_may_hold_as_many_as_the_limit_and_is_counted() -> None:
    warehouse = limited(3)
    assert warehouse.send(try_(3)) == [held(3), counted(3, 3, limit=3)]
    assert warehouse.answered == [held(3)]


def test_a_buyer_who_wants_more_is_told_what_is_still_possible() -> None:
    warehouse = limited(3)
    warehouse.send(try_(2))
    assert warehouse.send(try_(2, "h2", "o2")) == [
        refused(StockReason.BUYER_LIMIT, available=1, qty=2, hold_id="h2", order_no="o2")
    ]
    assert warehouse.send(try_(4, "h3", "o3", user_id=BUYER + 1)) == [
        refused(StockReason.BUYER_LIMIT, available=3, qty=4, hold_id="h3", order_no="o3")
    ]


def test_bought_units_count_as_held_ones_do() -> None:
    warehouse = limited(3)
    warehouse.send(try_(3))
    assert warehouse.send(confirm()) == [deducted()]
    assert warehouse.send(try_(1, "h2", "o2")) == [
        refused(StockReason.BUYER_LIMIT, qty=1, hold_id="h2", order_no="o2")
    ]


@pytest.mark.parametrize("end", ["cancelled", "expired", "undone"])
def test_units_given_back_count_no_more(end: str) -> None:
    warehouse = limited(3)
    warehouse.send(try_(3))
    if end == "undone":
        warehouse.send(confirm())
    said = {
        "cancelled": lambda: warehouse.send(cancel()),
        "expired": lambda: warehouse.wait(TTL_MS),
        "undone": lambda: warehouse.send(give_back(3)),
    }[end]()
    assert counted(0, -3) in said
    assert warehouse.kept(BuyerUnits) == []
    assert warehouse.send(try_(3, "h2", "o2")) != []
    assert warehouse.stock()[2] == 3


def test_a_repeated_try_is_not_counted_again() -> None:
    warehouse = limited(3)
    warehouse.send(try_(3))
    assert warehouse.send(try_(3)) == [held(3)]
    assert warehouse.kept(BuyerUnits) == [BuyerUnits(3)]


def test_of_a_partial_hold_only_what_was_held_is_counted() -> None:
    warehouse = limited(20)
    terms = HoldTerms(Allocation.SINGLE_FIRST, Shortage.PARTIAL)
    warehouse.send(try_(12, terms=terms))
    assert warehouse.kept(BuyerUnits) == [BuyerUnits(10)]


def test_without_a_limit_nobody_is_counted() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert warehouse.kept(BuyerUnits) == []


def test_a_limit_counts_what_is_held_from_its_setting_on() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), rules(buyer_limit=2), try_(2, "h2", "o2"))
    assert warehouse.kept(BuyerUnits) == [BuyerUnits(2)]
    warehouse.send(cancel())
    assert warehouse.kept(BuyerUnits) == [BuyerUnits(2)]
