"""Try, confirm, cancel, extend and expire over stock: the facts, who hears them, and what moved."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.inventory import (
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    ReleaseCause,
    StockReason,
    StockRefused,
)
from schemas.record import Record
from streams.inventory.state import StockHold
from streams.kernel.errors import InvalidMessage
from streams.reservations.phases import Phase
from streams.reservations.protocol import AMOUNT_MAX, TTL_MAX_MS
from streams.reservations.records import RETENTION_MS
from tests.unit.inventory.warehouse import (
    SHOP,
    SKU,
    START_MS,
    TRACE,
    TTL_MS,
    Warehouse,
    cancel,
    confirm,
    deducted,
    extend,
    held,
    refused,
    released,
    restock,
    stocked,
    try_,
)

DEDUCTED = deducted()


def end_refused(command: str, reason: StockReason, order_no: str = "o1") -> HoldEndRefused:
    return HoldEndRefused(SKU, SHOP, "h1", order_no, command, reason, TRACE)


def said(warehouse: Warehouse) -> tuple[list[Record], list[Record]]:
    return warehouse.published, warehouse.answered


# --- try -----------------------------------------------------------------------------------------


def test_a_try_sets_units_aside_and_both_the_public_and_the_order_hear_it() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert said(warehouse) == ([held(3)], [held(3)])
    assert warehouse.published[0] is warehouse.answered[0]  # one object: encoded once
    assert warehouse.stock() == (2, 10, 3)


def test_held_units_are_not_available_to_the_next() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(8, hold_id="h0"))
    assert warehouse.send(try_(3)) == [refused(StockReason.INSUFFICIENT, available=2)]
    assert warehouse.stock() == (2, 10, 8)
    assert warehouse.hold() is None


def test_the_last_unit_can_be_held_and_no_more() -> None:
    warehouse = stocked(east=3)
    assert warehouse.send(try_(3)) == [held(3, on_hand=3)]
    again = warehouse.send(try_(1, hold_id="h2", order_no="o2"))
    assert again == [
        StockRefused(SKU, SHOP, "h2", "o2", 1, 0, StockReason.INSUFFICIENT, TRACE),
    ]


def test_an_unknown_sku_is_refused_with_nothing_available() -> None:
    warehouse = stocked(east=10)
    answer = refused(StockReason.UNKNOWN_SKU, sku_id=999)
    assert warehouse.send(try_(3, sku_id=999)) == [answer]
    assert said(warehouse) == ([answer], [answer])


def test_another_shops_sku_is_unknown() -> None:
    warehouse = stocked(east=10)
    answer = refused(StockReason.UNKNOWN_SKU, shop_id=SHOP + 1)
    assert warehouse.send(try_(3, shop_id=SHOP + 1)) == [answer]


def test_a_refused_try_names_what_the_best_single_warehouse_has() -> None:
    warehouse = stocked(east=4, west=6)
    assert warehouse.send(try_(7)) == [refused(StockReason.INSUFFICIENT, available=6, qty=7)]


def test_a_refused_try_leaves_no_trace_and_may_succeed_later() -> None:
    warehouse = stocked(east=1)
    warehouse.send(try_(3), restock(9))
    assert warehouse.send(try_(3)) == [held(3, version=3)]


def test_a_repeated_try_is_answered_again_but_moves_and_publishes_nothing() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), try_(4, hold_id="h2", order_no="o2"))
    before = warehouse.stock(), warehouse.hold()
    warehouse.forget_what_was_said()
    warehouse.wait(1_000)
    warehouse.send(try_(3))
    assert said(warehouse) == ([], [held(3)])
    assert (warehouse.stock(), warehouse.hold()) == before == ((3, 10, 7), warehouse.hold())


def test_a_repeated_try_of_an_extended_hold_says_until_when_it_lives_now() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), extend(TTL_MS * 2))
    (answer,) = warehouse.send(try_(3))
    assert answer == replace(held(3), expires_at_ms=START_MS + TTL_MS * 2)


@pytest.mark.parametrize("other", [try_(4), try_(3, order_no="o2"), try_(3, sku_id=SKU + 1)])
def test_the_same_hold_id_with_another_body_is_a_conflict(other: Record) -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    (answer,) = warehouse.send(other)
    assert isinstance(answer, StockRefused)
    assert (answer.reason, answer.available) == (StockReason.CONFLICT, 0)
    assert warehouse.stock() == (2, 10, 3)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (confirm(), StockReason.ALREADY_CONFIRMED),
        (cancel(), StockReason.ALREADY_CANCELLED),
    ],
)
def test_a_try_of_an_ended_hold_is_refused_by_the_name_of_its_end(
    end: Record, reason: StockReason
) -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), end)
    before = warehouse.stock()
    assert warehouse.send(try_(3)) == [refused(reason)]
    assert warehouse.stock() == before


def test_a_try_of_an_expired_hold_is_refused() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.wait(TTL_MS)
    assert warehouse.send(try_(3)) == [refused(StockReason.HOLD_EXPIRED)]


# --- confirm -------------------------------------------------------------------------------------


def test_a_confirm_takes_the_units_out_of_stock() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.forget_what_was_said()
    warehouse.send(confirm())
    assert said(warehouse) == ([DEDUCTED], [DEDUCTED])
    assert warehouse.stock() == (3, 7, 0)


def test_a_repeated_confirm_is_answered_again_but_moves_and_publishes_nothing() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), confirm(), try_(2, hold_id="h2", order_no="o2"))
    warehouse.forget_what_was_said()
    warehouse.wait(1_000)
    warehouse.send(confirm())
    assert said(warehouse) == ([], [DEDUCTED])
    assert warehouse.stock() == (4, 7, 2)


def test_a_confirm_of_an_unknown_hold_is_refused() -> None:
    warehouse = stocked(east=10)
    answer = end_refused("ConfirmHold", StockReason.UNKNOWN_HOLD)
    warehouse.send(confirm())
    assert said(warehouse) == ([answer], [answer])


def test_a_confirm_after_expiry_is_refused_as_hold_expired() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.wait(TTL_MS)
    assert warehouse.send(confirm()) == [end_refused("ConfirmHold", StockReason.HOLD_EXPIRED)]
    assert warehouse.stock() == (3, 10, 0)


@pytest.mark.parametrize("other", [confirm(order_no="o2"), cancel(order_no="o2")])
def test_another_order_cannot_end_a_hold(other: Record) -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    command = type(other).__name__
    assert warehouse.send(other) == [end_refused(command, StockReason.CONFLICT, order_no="o2")]
    assert warehouse.stock() == (2, 10, 3)


# --- cancel --------------------------------------------------------------------------------------


def test_a_cancel_gives_the_units_back() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.forget_what_was_said()
    warehouse.send(cancel())
    fact = released(cause=ReleaseCause.CANCELLED)
    assert said(warehouse) == ([fact], [fact])
    assert warehouse.stock() == (3, 10, 0)


def test_a_repeated_cancel_is_answered_again_but_moves_and_publishes_nothing() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), cancel(), try_(2, hold_id="h2", order_no="o2"))
    warehouse.forget_what_was_said()
    warehouse.send(cancel())
    assert said(warehouse) == ([], [released(cause=ReleaseCause.CANCELLED)])
    assert warehouse.stock() == (4, 10, 2)


def test_the_two_ends_exclude_each_other() -> None:
    sold, returned = stocked(east=10), stocked(east=10)
    sold.send(try_(3), confirm())
    returned.send(try_(3), cancel())
    assert sold.send(cancel()) == [end_refused("CancelHold", StockReason.ALREADY_CONFIRMED)]
    assert returned.send(confirm()) == [end_refused("ConfirmHold", StockReason.ALREADY_CANCELLED)]
    assert (sold.stock(), returned.stock()) == ((3, 7, 0), (3, 10, 0))


def test_a_cancel_before_its_try_fences_the_late_try() -> None:
    warehouse = stocked(east=10)
    fence = HoldFenced(SKU, SHOP, "h1", "o1", TRACE)
    assert warehouse.send(cancel()) == [fence]
    assert said(warehouse) == ([fence], [fence])
    due_ms = START_MS + RETENTION_MS
    assert warehouse.kept(StockHold) == [
        StockHold("h1", str(SKU), "o1", 0, 0, Phase.FENCED, due_ms, 0, 0, 0, "", "", SHOP)
    ]
    assert warehouse.send(try_(3)) == [refused(StockReason.FENCED)]
    assert warehouse.send(confirm()) == [end_refused("ConfirmHold", StockReason.FENCED)]
    assert warehouse.stock() == (1, 10, 0)


def test_a_repeated_cancel_of_a_fence_is_answered_again_but_not_published() -> None:
    warehouse = stocked(east=10)
    warehouse.send(cancel())
    before = warehouse.hold()
    warehouse.forget_what_was_said()
    warehouse.wait(1_000)
    warehouse.send(cancel())
    assert said(warehouse) == ([], [HoldFenced(SKU, SHOP, "h1", "o1", TRACE)])
    assert warehouse.hold() == before


# --- extend and expire ---------------------------------------------------------------------------


def test_an_extended_hold_lives_from_now() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.wait(TTL_MS - 1)
    warehouse.forget_what_was_said()
    warehouse.send(extend(TTL_MS))
    fact = HoldExtended(SKU, SHOP, "h1", "o1", warehouse.now_ms + TTL_MS, TRACE)
    assert said(warehouse) == ([fact], [fact])
    assert warehouse.wait(TTL_MS - 1) == []
    assert warehouse.stock() == (2, 10, 3)
    assert warehouse.wait(1) == [released(cause=ReleaseCause.EXPIRED)]


def test_an_extension_that_changes_nothing_is_answered_but_not_published() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.forget_what_was_said()
    warehouse.send(extend(TTL_MS), extend(1))
    answer = HoldExtended(SKU, SHOP, "h1", "o1", START_MS + TTL_MS, TRACE)
    assert said(warehouse) == ([], [answer, answer])


def test_a_hold_expires_at_its_time_and_not_before() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.forget_what_was_said()
    assert warehouse.wait(TTL_MS - 1) == []
    warehouse.wait(1)
    fact = released(cause=ReleaseCause.EXPIRED)
    assert said(warehouse) == ([fact], [fact])
    assert warehouse.stock() == (3, 10, 0)


def test_an_expired_hold_can_neither_be_cancelled_nor_extended() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.wait(TTL_MS)
    assert [*warehouse.send(cancel()), *warehouse.send(extend(TTL_MS))] == [
        end_refused("CancelHold", StockReason.HOLD_EXPIRED),
        end_refused("ExtendHold", StockReason.HOLD_EXPIRED),
    ]


def test_a_confirmed_hold_never_expires() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), confirm())
    assert warehouse.wait(TTL_MS) == []
    assert warehouse.stock() == (3, 7, 0)


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [confirm(), cancel()])
def test_an_end_is_remembered_for_the_retention_and_then_forgotten(end: Record) -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), end)
    warehouse.wait(RETENTION_MS - 1)
    assert warehouse.hold() is not None
    assert warehouse.wait(1) == []
    assert warehouse.hold() is None
    assert warehouse.send(confirm()) == [end_refused("ConfirmHold", StockReason.UNKNOWN_HOLD)]


def test_an_expired_hold_and_a_fence_are_remembered_for_the_retention() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.wait(TTL_MS)
    warehouse.send(cancel("h2"))
    warehouse.wait(RETENTION_MS - 1)
    phases = [warehouse.hold(hold_id).phase for hold_id in ("h1", "h2")]  # type: ignore[union-attr]  # fails the test
    assert phases == [Phase.EXPIRED, Phase.FENCED]
    assert warehouse.wait(1) == []
    assert (warehouse.hold("h1"), warehouse.hold("h2")) == (None, None)


def test_a_long_sleep_expires_first_and_forgets_a_retention_later() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    assert warehouse.wait(TTL_MS + 10 * RETENTION_MS) == [released(cause=ReleaseCause.EXPIRED)]
    assert warehouse.send(confirm()) == [end_refused("ConfirmHold", StockReason.HOLD_EXPIRED)]
    warehouse.wait(RETENTION_MS)
    assert warehouse.hold() is None


# --- invalid -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        try_(0),
        try_(-1),
        try_(AMOUNT_MAX + 1),
        try_(ttl_ms=0),
        try_(ttl_ms=-5),
        try_(ttl_ms=TTL_MAX_MS + 1),
        extend(0),
        extend(-1),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_quantities_and_times_out_of_range_are_invalid(message: Record, known: bool) -> None:
    warehouse = stocked(east=10)
    if known:
        warehouse.send(try_(3))
    with pytest.raises(InvalidMessage, match="OUT_OF_RANGE"):
        warehouse.send(message)


@pytest.mark.parametrize(
    "message",
    [
        try_(hold_id=""),
        try_(order_no=""),
        confirm(hold_id=""),
        confirm(order_no=""),
        cancel(hold_id=""),
        cancel(order_no=""),
        extend(5, hold_id=""),
        extend(5, order_no=""),
    ],
)
def test_an_empty_id_is_invalid(message: Record) -> None:
    with pytest.raises(InvalidMessage, match="EMPTY_ID"):
        stocked(east=10).send(message)
