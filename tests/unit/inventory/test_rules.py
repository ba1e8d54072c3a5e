"""The rules of `domain.md`, "Reservations" and "Inventory", sentence by sentence.

Each test is named after its sentence; the details of a rule are in the test file of its topic. Not
here: safety stock and velocity, which need the sales windows and are not built yet.
"""

from __future__ import annotations

import pytest

from schemas.inventory import (
    Allocation,
    HoldEndRefused,
    HoldTerms,
    ReleaseCause,
    Shortage,
    StockAdjusted,
    StockDeducted,
    StockHeld,
    StockReason,
    StockReceived,
    StockRefused,
    StockReleased,
    StockTransferred,
)
from schemas.record import Record
from streams.inventory.state import Sku, Stock, StockHold
from streams.reservations.phases import Phase
from streams.reservations.protocol import Refused, Spent, confirm_hold, try_hold
from streams.reservations.records import Hold, Resource
from tests.unit.inventory.warehouse import (
    BUYER,
    SHOP,
    SKU,
    START_MS,
    TRACE,
    TTL_MS,
    adjust,
    cancel,
    confirm,
    deducted,
    extend,
    held,
    refused,
    released,
    restock,
    rules,
    stocked,
    transfer,
    try_,
)

MOVEMENT = ("version", "on_hand", "held", "delta_on_hand", "delta_held")


def end_refused(command: str, reason: StockReason) -> HoldEndRefused:
    return HoldEndRefused(SKU, SHOP, "h1", "o1", command, reason, TRACE)


# --- reservations --------------------------------------------------------------------------------


@pytest.mark.parametrize("resource_id", ["1001", "coupon/SAVE5", "budget/spring", "1001/buyer/5"])
def test_whatever_can_run_out_has_a_capacity_of_which_holds_take_part(resource_id: str) -> None:
    held = try_hold(
        None,
        Resource(0, 1, 0),
        resource_id=resource_id,
        owner="o1",
        amount=1,
        ttl_ms=1,
        now_ms=0,
    )
    assert not isinstance(held, Refused)


def test_the_invariant_is_checked_at_try_so_that_neither_end_can_break_it() -> None:
    warehouse = stocked(east=3)
    warehouse.send(try_(3))
    assert warehouse.send(try_(1, "h2", "o2")) == [
        refused(StockReason.INSUFFICIENT, 0, 1, hold_id="h2", order_no="o2")
    ]
    assert warehouse.send(confirm()) == [deducted(3, on_hand=0)]


def test_a_partial_confirm_spends_the_amount_and_returns_the_rest() -> None:
    hold = Hold("h1", "quota", "o1", 5, 0, Phase.HELD, 9, 1, 5, 5, "")
    spent = confirm_hold(
        hold, Resource(1, 5, 5), resource_id="quota", owner="o1", amount=2, now_ms=0
    )
    assert isinstance(spent, Spent)
    assert (spent.spent, spent.returned, spent.on_hand, spent.held) == (2, 3, 3, 0)


def test_a_cancel_returns_the_amount() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert warehouse.send(cancel()) == [released()]


def test_a_hold_ends_at_most_once_and_a_second_different_end_is_refused_by_name() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), confirm())
    refusal = end_refused("CancelHold", StockReason.ALREADY_CONFIRMED)
    assert warehouse.send(cancel()) == [refusal]


def test_a_cancel_before_try_leaves_a_fence_so_that_a_late_try_is_refused() -> None:
    warehouse = stocked(east=10)
    warehouse.send(cancel())
    assert warehouse.send(try_(3)) == [refused(StockReason.FENCED)]


def test_a_confirm_after_expiry_is_hold_expired() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.wait(TTL_MS)
    assert warehouse.send(confirm()) == [end_refused("ConfirmHold", StockReason.HOLD_EXPIRED)]


def test_expiry_is_a_timer_in_stream_time_and_yields_a_fact() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert warehouse.wait(TTL_MS - 1) == []
    assert warehouse.wait(1) == [released(3, ReleaseCause.EXPIRED)]


def test_a_hold_can_be_extended() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), extend(2 * TTL_MS))
    assert warehouse.wait(2 * TTL_MS - 1) == []
    assert warehouse.wait(1) == [released(3, ReleaseCause.EXPIRED)]


def test_an_extension_says_who_asked_for_it_and_no_other_shop_can() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    other = extend(2 * TTL_MS, shop_id=SHOP + 1)
    refusal = HoldEndRefused(
        SKU, SHOP + 1, "h1", "o1", "ExtendHold", StockReason.UNKNOWN_HOLD, TRACE
    )
    assert warehouse.send(other) == [refusal]
    (fact,) = warehouse.send(extend(2 * TTL_MS, operator="ada"))
    assert (fact.operator, fact.expires_at_ms) == ("ada", START_MS + 2 * TTL_MS)  # type: ignore[attr-defined]


def test_the_same_id_and_body_again_has_the_same_answer_and_no_effect() -> None:
    warehouse = stocked(east=10)
    first = warehouse.send(try_(3))
    before = warehouse.kept()
    assert warehouse.send(try_(3)) == first
    assert warehouse.kept() == before


def test_the_same_id_and_another_body_is_a_conflict() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert warehouse.send(try_(4)) == [refused(StockReason.CONFLICT, qty=4)]


# --- inventory -----------------------------------------------------------------------------------


def test_the_state_is_what_is_on_hand_and_held_in_each_warehouse_and_the_holds() -> None:
    warehouse = stocked(east=10, west=5)
    warehouse.send(try_(3))
    assert warehouse.kept(Sku, Stock) == [
        Sku(SKU, SHOP, ("east", "west")),
        Stock(2, 10, 3, SKU, "east"),
        Stock(1, 5, 0, SKU, "west"),
    ]
    assert [hold.amount for hold in warehouse.kept(StockHold)] == [3]  # type: ignore[attr-defined]


@pytest.mark.parametrize("allocation", Allocation)
def test_allocation_picks_warehouses_by_policy_and_says_why(allocation: Allocation) -> None:
    warehouse = stocked(east=2, west=3)
    said = warehouse.send(try_(3, terms=HoldTerms(allocation, Shortage.REJECT)))
    told = [(f.warehouse_id, f.qty, f.allocated) for f in said if isinstance(f, StockHeld)]
    expected = [("east", 2), ("west", 1)] if allocation is Allocation.NEAREST else [("west", 3)]
    assert [(place, qty) for place, qty, _ in told] == expected
    for _, _, why in told:
        assert why is not None
        assert why.allocation is allocation
        passed_over = [share.warehouse_id for share in why.passed_over]
        assert passed_over == ([] if allocation is Allocation.NEAREST else ["east"])


@pytest.mark.parametrize(
    ("messages", "kinds"),
    [
        ([try_(3)], [StockHeld]),
        ([try_(3), confirm()], [StockHeld, StockDeducted]),
        ([try_(3), cancel()], [StockHeld, StockReleased]),
        ([restock(3)], [StockReceived]),
        ([adjust(-3)], [StockAdjusted]),
        ([transfer(3)], [StockTransferred, StockTransferred]),
    ],
)
def test_movements_are_facts_with_before_after_and_delta(
    messages: list[Record], kinds: list[type[Record]]
) -> None:
    warehouse = stocked(east=10)
    warehouse.send(*messages)
    assert [type(fact) for fact in warehouse.published] == kinds
    before = {"east": (1, 10, 0), "west": (0, 0, 0)}
    for fact in warehouse.published:
        place: str = fact.warehouse_id  # type: ignore[attr-defined]  # all movements have one
        version, on_hand, units_held, on, by = (getattr(fact, name) for name in MOVEMENT)
        was = before[place]
        assert (version, on_hand, units_held) == (was[0] + 1, was[1] + on, was[2] + by)
        before[place] = (version, on_hand, units_held)


def test_a_buyer_holds_at_most_n_units_of_a_sku() -> None:
    warehouse = stocked(east=10)
    warehouse.send(rules(buyer_limit=3), try_(3))
    said = warehouse.send(try_(1, "h2", "o2"))
    assert [(f.reason, f.available) for f in said if isinstance(f, StockRefused)] == [
        (StockReason.BUYER_LIMIT, 0)
    ]
    assert (
        held(1, hold_id="h3", order_no="o3", version=3, held=4)
        == warehouse.send(try_(1, "h3", "o3", user_id=BUYER + 1))[0]
    )
