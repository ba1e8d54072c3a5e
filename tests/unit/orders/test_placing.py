"""From the placement to OrderCreated or OrderRejected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.inventory import CancelHold, TryHold
from schemas.order import (
    HoldRef,
    OrderCreated,
    OrderPaymentOpened,
    OrderRefused,
    OrderRejected,
    OrderRepeated,
    Refusal,
)
from schemas.payment import RequestPayment
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.orders.facts import HoldAnswered, HoldDenied, HoldsReturned, OrderForgotten
from streams.orders.limits import HOUR_MS
from streams.orders.state import HoldMark
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    START_MS,
    TOTAL_FEN,
    TRACE,
    World,
    cancelled,
    completed,
    created,
    fulfilling,
    held,
    hold_id,
    place,
    placed,
    released,
    reserving,
    stock_refused,
)

WINDOW_MS = LIMITS.idempotency_window_ms


def try_hold(sku: int) -> TryHold:
    return TryHold(hold_id(sku), NO, SHOP, BUYER, sku, 2, LIMITS.hold_ttl_ms, TRACE)


def cancel_hold(sku: int, reason: str) -> CancelHold:
    return CancelHold(hold_id(sku), NO, SHOP, sku, reason, TRACE)


def hold(sku: int) -> HoldRef:
    return HoldRef(hold_id(sku), "stock", str(sku), 2)


def order_created(version: int = 2) -> OrderCreated:
    expires_at_ms = START_MS + LIMITS.payment_window_ms
    return OrderCreated(NO, version, SHOP, BUYER, "CNY", TOTAL_FEN, expires_at_ms, TRACE)


def refused(reason: str, version: int, user_id: int = BUYER) -> OrderRefused:
    return OrderRefused(NO, version, SHOP, user_id, "PlaceOrder", reason, TRACE)


def test_a_placed_order_asks_for_every_hold() -> None:
    world = World()

    assert world.tell(place(1, 2)) == [placed(place(1, 2))]

    assert world.public() == [placed(place(1, 2))]
    assert world.asked() == [try_hold(1), try_hold(2)]
    assert [o.key for o in world.outputs] == [NO, "1", "2"]


def test_the_last_hold_creates_the_order() -> None:
    world = reserving(1, 2)

    assert world.tell(held(2)) == [HoldAnswered(NO, 1, HoldMark.HELD)]
    assert world.outputs == []

    assert world.tell(held(1)) == [order_created()]
    assert world.public() == [order_created()]
    assert world.asked() == []


def test_a_channel_given_at_placement_opens_a_payment_at_once() -> None:
    world = reserving(channel="wechat")

    opened = OrderPaymentOpened(NO, 3, SHOP, BUYER, PAY_NO, "wechat", TOTAL_FEN, "CNY", TRACE)
    assert world.tell(held()) == [order_created(), opened]
    assert world.public() == [order_created(), opened]
    assert world.asked() == [
        RequestPayment(PAY_NO, NO, SHOP, BUYER, "wechat", TOTAL_FEN, "CNY", TRACE)
    ]


def test_a_rejection_waits_for_all_answers_and_names_every_refusal() -> None:
    world = reserving(1, 2, 3)
    first = Refusal("2", "INSUFFICIENT", 2, 1)
    second = Refusal("3", "INSUFFICIENT", 2, 0)

    assert world.tell(stock_refused(2, available=1)) == [HoldDenied(NO, 1, first)]
    assert world.tell(held(1)) == [HoldAnswered(NO, 0, HoldMark.HELD)]
    rejected = OrderRejected(NO, 2, SHOP, BUYER, (first, second), TRACE)
    assert world.tell(stock_refused(3, available=0)) == [
        rejected,
        HoldsReturned(NO, SHOP, (hold(1),), "REJECTED", TRACE),
    ]
    assert world.public() == [rejected]
    assert world.asked() == [cancel_hold(1, "REJECTED")]


def test_a_hold_after_a_refusal_rejects_the_order_and_goes_back() -> None:
    world = reserving(1, 2)
    world.tell(stock_refused(1))

    rejected = OrderRejected(NO, 2, SHOP, BUYER, (Refusal("1", "INSUFFICIENT", 2, 1),), TRACE)
    assert world.tell(held(2)) == [
        rejected,
        HoldsReturned(NO, SHOP, (hold(2),), "REJECTED", TRACE),
    ]


def test_a_rejection_without_any_hold_gives_nothing_back() -> None:
    world = reserving()

    rejected = OrderRejected(NO, 2, SHOP, BUYER, (Refusal("1", "INSUFFICIENT", 2, 1),), TRACE)
    assert world.tell(stock_refused()) == [rejected]


def test_a_hold_that_runs_out_while_others_are_awaited_counts_as_refused() -> None:
    world = reserving(1, 2)
    world.tell(held(1))

    lost = Refusal("1", "HOLD_EXPIRED", 2, 0)
    assert world.tell(released(1)) == [HoldDenied(NO, 0, lost)]
    assert world.tell(held(2)) == [
        OrderRejected(NO, 2, SHOP, BUYER, (lost,), TRACE),
        HoldsReturned(NO, SHOP, (hold(2),), "REJECTED", TRACE),
    ]


@pytest.mark.parametrize("given", [created, fulfilling, completed, cancelled])
def test_the_same_order_again_has_no_effect(given: Callable[[], World]) -> None:
    world = given()

    repeat = world.repeat(place())
    assert world.tell(place(channel="wechat")) == [repeat]
    assert world.public() == [repeat]
    assert world.asked() == []


def test_the_same_order_again_before_it_is_decided_is_answered_by_the_decision() -> None:
    world = reserving()

    assert world.tell(place()) == []
    assert world.outputs == []


@pytest.mark.parametrize(
    ("given", "version"), [(reserving, 1), (created, 3), (fulfilling, 5), (completed, 6)]
)
def test_the_same_number_with_another_body_is_a_conflict(
    given: Callable[[], World], version: int
) -> None:
    world = given()

    conflict = refused("IDEMPOTENCY_CONFLICT", version)
    assert world.tell(place(fingerprint="f" * 16)) == [conflict]
    assert world.public() == [conflict]


def test_the_same_number_of_another_buyer_is_a_conflict_that_tells_nothing() -> None:
    world = created()

    conflict = refused("IDEMPOTENCY_CONFLICT", 0, user_id=9)
    assert world.tell(place(user_id=9)) == [conflict]


def test_an_order_placed_before_the_window_is_refused() -> None:
    world = World()

    assert world.tell(place(placed_at_ms=START_MS - WINDOW_MS + 1)) != []
    late = World()
    assert late.tell(place(placed_at_ms=START_MS - WINDOW_MS)) == [refused("EXPIRED_INTENT", 0)]


@pytest.mark.parametrize("ahead_ms", [0, 5 * 60_000])
def test_no_placement_counts_twice_however_late_its_repeat_comes(ahead_ms: int) -> None:
    world = World()
    order = place(placed_at_ms=START_MS + ahead_ms)
    world.tell(order, stock_refused())

    forgotten: list[Record] = []
    for _ in range(26):
        forgotten += world.wait(HOUR_MS)
        again = world.tell(order)
        assert len(again) == 1
        assert isinstance(again[0], OrderRepeated) or again == [refused("EXPIRED_INTENT", 0)]
    assert forgotten == [OrderForgotten(NO)]
    assert again == [refused("EXPIRED_INTENT", 0)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"fingerprint": "f" * 15}, "BAD_FINGERPRINT"),
        ({"fingerprint": "F" * 16}, "BAD_FINGERPRINT"),
        ({"fingerprint": "g" * 16}, "BAD_FINGERPRINT"),
        ({"holds": ()}, "BAD_HOLDS"),
        ({"holds": (hold(1), hold(1))}, "BAD_HOLDS"),
        ({"holds": (replace(hold(1), kind="coupon"),)}, "BAD_HOLDS"),
        ({"holds": (replace(hold(1), resource_id="x"),)}, "BAD_HOLDS"),
        ({"holds": (replace(hold(1), resource_id="٣"),)}, "BAD_HOLDS"),
        ({"holds": (replace(hold(1), amount=0),)}, "BAD_HOLDS"),
    ],
)
def test_a_malformed_order_is_invalid(change: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidMessage) as error:
        World().tell(replace(place(), **change))
    assert error.value.code == code


def test_a_repeated_answer_has_no_effect() -> None:
    world = reserving(1, 2)
    world.tell(held(1))

    assert world.tell(held(1)) == []
    assert world.tell(stock_refused(1)) == []
    world.tell(held(2))
    assert world.tell(held(2)) == []
    assert world.tell(stock_refused(2)) == []


@pytest.mark.parametrize("given", [World, completed, cancelled])
def test_units_that_nobody_awaits_are_given_back(given: Callable[[], World]) -> None:
    world = given()

    assert world.tell(held()) == [HoldsReturned(NO, SHOP, (hold(1),), "NOT_AWAITED", TRACE)]
    assert world.asked() == [cancel_hold(1, "NOT_AWAITED")]
    assert world.public() == []


def test_a_hold_that_a_repeated_try_brought_after_its_refusal_is_given_back() -> None:
    world = reserving(1, 2)
    world.tell(stock_refused(1))

    assert world.tell(held(1)) == [HoldsReturned(NO, SHOP, (hold(1),), "NOT_AWAITED", TRACE)]


def test_a_hold_that_is_none_of_the_orders_own_is_given_back() -> None:
    world = created()

    stray = HoldRef("another", "stock", "1", 2)
    assert world.tell(held(1, hold="another")) == [
        HoldsReturned(NO, SHOP, (stray,), "NOT_AWAITED", TRACE)
    ]
