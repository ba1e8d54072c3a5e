"""Giving a payment back in parts: what each unit cost, frozen when it was bought."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.order import (
    AppliedRule,
    OrderCompleted,
    OrderConfirmed,
    OrderParked,
    OrderPartlyRefunded,
    OrderRefunded,
    OrderRefunding,
    OrderRefused,
    PlaceOrder,
    PricedLine,
    SkuUnits,
)
from schemas.payment import RequestRefund
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.orders.facts import RefundWanted
from streams.orders.limits import OrderLimits
from streams.orders.state import FinishedOrder
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    TRACE,
    World,
    complete,
    completed,
    deducted,
    end_refused,
    fulfilling,
    held,
    hold_id,
    paid,
    place,
    refund,
    refund_failed,
    refunded,
    ship,
    stock_refused,
    succeeded,
    units_of,
)

Line = tuple[int, int, int]  # sku, units, payable fen


def bought(*lines: Line, limits: OrderLimits = LIMITS) -> World:
    """An order of these lines, paid and confirmed."""
    skus = sorted({sku for sku, _, _ in lines})
    total_fen = sum(fen for _, _, fen in lines)
    message = replace(
        place(*skus, channel="wechat"),
        lines=tuple(PricedLine(sku, qty, fen, 0, fen) for sku, qty, fen in lines),
        total_fen=total_fen,
    )
    assert isinstance(message, PlaceOrder)
    world = World(limits)
    world.tell(
        message,
        *(held(sku) for sku in skus),
        succeeded(amount_fen=total_fen),
        *(deducted(sku) for sku in skus),
    )
    return world


def amounts(world: World, *messages: Record) -> list[int]:
    """Tell messages; return what the last one began to give back."""
    facts = world.tell(*messages)
    return [fact.amount_fen for fact in facts if isinstance(fact, OrderRefunding)]


def refused(reason: str, version: int) -> OrderRefused:
    return OrderRefused(NO, version, SHOP, BUYER, "RefundOrder", reason, TRACE)


def nth(n: int) -> str:
    return f"{PAY_NO}-R{n}"


def test_a_part_of_the_payment_goes_back_and_the_order_goes_on() -> None:
    world = bought((1, 3, 1_000))

    refunding = OrderRefunding(
        order_no=NO,
        version=6,
        shop_id=SHOP,
        user_id=BUYER,
        pay_no=PAY_NO,
        refund_no=nth(1),
        amount_fen=334,
        currency="CNY",
        reason="broken",
        trace_id=TRACE,
        refund_key="r1",
        units=units_of((1, 1)),
    )
    assert world.tell(refund((1, 1), key="r1")) == [refunding]
    assert world.asked() == [RequestRefund(nth(1), PAY_NO, NO, SHOP, 334, "CNY", "broken", TRACE)]
    partly = OrderPartlyRefunded(NO, 7, SHOP, BUYER, nth(1), 334, TRACE)
    assert world.tell(refunded()) == [partly]
    assert world.public() == [partly]
    assert isinstance(world.tell(complete())[0], OrderCompleted)


def test_each_unit_gives_back_its_share_and_all_units_the_whole_line() -> None:
    world = bought((1, 3, 1_000), (2, 1, 7))

    assert amounts(world, refund((1, 1), key="a")) == [334]
    assert amounts(world, refunded(nth(1)), refund((1, 1), key="b")) == [333]
    assert amounts(world, refunded(nth(2)), refund((1, 1), key="c")) == [333]
    assert amounts(world, refunded(nth(3)), refund((2, 1), key="d")) == [7]
    assert world.tell(refunded(nth(4))) == [OrderRefunded(NO, 13, SHOP, BUYER, nth(4), 7, TRACE)]


def test_a_refund_without_units_gives_back_what_is_left() -> None:
    world = bought((1, 3, 1_000), (2, 1, 7))
    world.tell(refund((1, 2), key="a"), refunded())

    facts = world.tell(refund(key="rest"))
    assert [(f.amount_fen, f.units) for f in facts if isinstance(f, OrderRefunding)] == [
        (340, units_of((1, 1), (2, 1)))
    ]


def test_units_of_one_sku_are_given_back_in_the_order_of_its_lines() -> None:
    world = bought((1, 1, 500), (1, 2, 301))

    assert amounts(world, refund((1, 2), key="a")) == [651]
    assert amounts(world, refunded(), refund((1, 1), key="b")) == [150]


@settings(deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2_000)),
        min_size=1,
        max_size=4,
    ),
    draws=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=20),
)
def test_any_way_of_refunding_everything_gives_back_exactly_what_was_paid(
    lines: list[Line], draws: list[tuple[int, int]]
) -> None:
    total_fen = sum(fen for _, _, fen in lines)
    world = bought(*lines, limits=OrderLimits(refunds=100))
    back, attempt = [], 0
    for n, (sku, qty) in enumerate([*draws, (0, 0)]):
        message = refund((sku, qty), key=f"r{n}") if qty else refund(key="rest")
        began = amounts(world, message)
        if began:
            attempt += 1
            back += began
            world.tell(refunded(nth(attempt)))
    assert all(amount_fen > 0 for amount_fen in back[:-1])
    assert sum(back) == total_fen


def test_the_same_key_again_has_no_effect_whatever_became_of_the_order() -> None:
    world = bought((1, 3, 1_000))
    again = refund((1, 1), key="r1")
    world.tell(again)

    assert world.tell(again) == [world.repeat(again)]
    world.tell(refunded())
    assert world.tell(again) == [world.repeat(again)]
    world.tell(ship())
    assert world.tell(again) == [world.repeat(again)]
    world.tell(complete())
    assert world.tell(again) == [world.repeat(again)]


def test_the_same_key_with_other_units_is_a_conflict() -> None:
    world = bought((1, 3, 1_000))
    world.tell(refund((1, 1), key="r1"))

    assert world.tell(refund((1, 2), key="r1")) == [refused("REFUND_CONFLICT", 6)]


def test_refunds_are_made_one_at_a_time() -> None:
    world = bought((1, 3, 1_000))
    world.tell(refund((1, 1), key="r1"))

    assert world.tell(refund((1, 1), key="r2")) == [refused("REFUND_UNDER_WAY", 6)]
    world.tell(refunded())
    assert amounts(world, refund((1, 1), key="r2")) == [333]


@pytest.mark.parametrize("units", [((1, 4),), ((9, 1),)])
def test_more_than_was_sold_is_never_refunded(units: tuple[tuple[int, int], ...]) -> None:
    world = bought((1, 3, 1_000))

    assert world.tell(refund(*units, key="r")) == [refused("MORE_THAN_SOLD", 5)]


def test_more_than_is_left_is_never_refunded() -> None:
    world = bought((1, 3, 1_000))
    world.tell(refund((1, 2), key="r1"), refunded())

    assert world.tell(refund((1, 2), key="r2")) == [refused("MORE_THAN_SOLD", 7)]


def test_units_that_cost_nothing_are_not_refunded() -> None:
    world = bought((1, 1, 1_000), (2, 1, 0))

    assert world.tell(refund((2, 1), key="r")) == [refused("NOTHING_TO_REFUND", 5)]


def test_an_order_that_cost_nothing_is_not_refunded() -> None:
    world = bought((1, 1, 0))

    assert world.tell(refund()) == [refused("NOTHING_TO_REFUND", 5)]


def test_refunds_are_limited() -> None:
    world = bought((1, 3, 1_000), limits=OrderLimits(refunds=1))
    world.tell(refund((1, 1), key="r1"), refunded())

    assert world.tell(refund((1, 1), key="r2")) == [refused("TOO_MANY_REFUNDS", 7)]


def test_a_completed_order_is_refunded_in_part_and_completes_again() -> None:
    world = bought((1, 3, 1_000), (2, 1, 7))
    world.tell(complete())
    before = world.state.get(FinishedOrder, NO)

    assert amounts(world, refund((1, 2), key="r1")) == [667]
    assert world.tell(refunded()) == [OrderPartlyRefunded(NO, 8, SHOP, BUYER, nth(1), 667, TRACE)]
    assert world.wait(LIMITS.return_window_ms - 1) == []
    assert world.wait(1) == [OrderCompleted(NO, 9, SHOP, BUYER, TRACE)]

    after = world.state.get(FinishedOrder, NO)
    assert before is not None
    assert after is not None
    assert after.fingerprint == before.fingerprint
    assert amounts(world, refund(key="rest")) == [340]
    assert world.tell(refunded(nth(2))) == [OrderRefunded(NO, 11, SHOP, BUYER, nth(2), 340, TRACE)]


def test_a_completed_order_is_remembered_until_it_cannot_be_returned_any_more() -> None:
    limits = OrderLimits(return_window_ms=2 * LIMITS.return_window_ms)
    world = bought((1, 3, 1_000), limits=limits)
    world.tell(complete())

    assert world.wait(limits.return_window_ms - 1) == []
    assert amounts(world, refund((1, 1), key="r")) == [334]


def test_a_shipped_order_that_was_refunded_in_part_completes_by_itself() -> None:
    world = bought((1, 3, 1_000))
    world.tell(ship(), refund((1, 1), key="r"), refunded())

    assert world.wait(LIMITS.delivery_window_ms) == [OrderCompleted(NO, 9, SHOP, BUYER, TRACE)]


def test_a_refund_in_part_while_holds_are_confirmed_starts_when_they_are() -> None:
    world = paid()

    wanted = RefundWanted(NO, "broken", "r1", units_of((1, 1)), 1_999)
    assert world.tell(refund((1, 1), key="r1")) == [wanted]
    assert world.tell(refund((1, 1), key="r1")) == [world.repeat(refund())]
    assert world.tell(refund(key="r2")) == [refused("REFUND_UNDER_WAY", 4)]
    confirmed, refunding = world.tell(deducted())
    assert confirmed == OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)
    assert isinstance(refunding, OrderRefunding)
    assert (refunding.refund_key, refunding.amount_fen) == ("r1", 1_999)
    assert isinstance(world.tell(refunded())[0], OrderPartlyRefunded)


def test_a_refund_in_part_does_not_give_back_holds_that_nobody_confirms() -> None:
    world = paid()
    world.tell(refund((1, 1), key="r1"))

    parked = OrderParked(NO, 5, SHOP, BUYER, "PAID", "CONFIRM_UNANSWERED", TRACE)
    assert world.wait(LIMITS.step_budget_ms)[-1] == parked


def test_when_the_goods_are_lost_a_refund_in_part_becomes_one_of_everything() -> None:
    world = paid()
    world.tell(refund((1, 1), key="r1"))

    world.tell(end_refused("ConfirmHold"))
    refunding = world.tell(replace(stock_refused(), hold_id=f"{hold_id(1)}~1"))[-1]
    assert isinstance(refunding, OrderRefunding)
    assert (refunding.refund_key, refunding.amount_fen) == ("r1", 3_998)
    assert isinstance(world.tell(refunded())[0], OrderRefunded)


def test_the_failure_of_an_earlier_refund_is_not_that_of_the_next() -> None:
    world = bought((1, 3, 1_000))
    world.tell(refund((1, 1), key="r1"), refunded(nth(1)), refund((1, 1), key="r2"))

    assert world.tell(refund_failed(nth(1))) == []
    parked = OrderParked(NO, 9, SHOP, BUYER, "REFUNDING", "REFUND_FAILED", TRACE)
    assert world.tell(refund_failed(nth(2))) == [parked]


def test_the_answer_to_an_earlier_refund_is_not_that_of_the_next() -> None:
    world = bought((1, 3, 1_000))
    world.tell(refund((1, 1), key="r1"), refunded(nth(1)))

    assert world.tell(refunded(nth(1))) == []
    world.tell(refund((1, 1), key="r2"))
    assert world.tell(refunded(nth(1))) == []
    assert isinstance(world.tell(refunded(nth(2)))[0], OrderPartlyRefunded)


@pytest.mark.parametrize("given_", [fulfilling, completed])
def test_a_malformed_refund_is_invalid(given_: Callable[[], World]) -> None:
    with pytest.raises(InvalidMessage) as error:
        given_().tell(replace(refund(key="r"), units=(SkuUnits(1, 0),)))
    assert error.value.code == "BAD_UNITS"


def test_a_discounted_order_gives_back_its_share_and_in_all_what_was_paid() -> None:
    # given three units of 10.00 with 9.99 off, frozen in the line: 20.01 were paid
    message = replace(
        place(1, channel="wechat"),
        lines=(PricedLine(1, 3, 1_000, 999, 2_001),),
        rules=(AppliedRule("sale", 999),),
        total_fen=2_001,
        pack="autumn@1",
    )
    world = World(LIMITS)
    world.tell(message, held(1), succeeded(amount_fen=2_001), deducted(1))

    assert amounts(world, refund((1, 1), key="a")) == [667]
    assert amounts(world, refunded(nth(1)), refund()) == [1_334]
    assert message.total_fen == 667 + 1_334
