"""Money that no order needs goes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.order import OrderCancelled, OrderRefused
from schemas.payment import PaymentReason, RequestRefund
from streams.orders.facts import SurplusAsked, SurplusReturned, SurplusStuck
from streams.orders.state import SurplusRefund
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    TOTAL_FEN,
    TRACE,
    World,
    cancel,
    cancelled,
    completed,
    created,
    fulfilling,
    held,
    paid,
    pay,
    payment_refused,
    place,
    refund_failed,
    refunded,
    released,
    reserving,
    stock_refused,
    succeeded,
)


def request(n: int = 1, pay_no: str = PAY_NO) -> RequestRefund:
    return RequestRefund(f"{pay_no}-R{n}", pay_no, NO, SHOP, TOTAL_FEN, "CNY", "SURPLUS", TRACE)


def asked(n: int = 1, retries: int = 0, pay_no: str = PAY_NO, user_id: int = BUYER) -> SurplusAsked:
    return SurplusAsked(pay_no, NO, SHOP, user_id, TOTAL_FEN, "CNY", n, retries, TRACE)


def rejected() -> World:
    world = reserving(1)
    world.tell(stock_refused(1))
    return world


def expired() -> World:
    world = created()
    world.wait(LIMITS.payment_window_ms)
    world.tell(released())
    return world


def cancelling() -> World:
    world = created()
    world.tell(cancel())
    return world


@pytest.mark.parametrize("given", [reserving, cancelling, cancelled, expired, rejected])
def test_money_for_an_order_that_does_not_wait_for_it_goes_back(given: Callable[[], World]) -> None:
    world = given()

    assert world.tell(succeeded()) == [asked()]
    assert world.asked() == [request()]
    assert world.public() == []
    assert world.tell(succeeded()) == []
    assert world.tell(refunded()) == [SurplusReturned(PAY_NO)]
    assert world.state.get(SurplusRefund, PAY_NO) is None


def test_money_for_an_unknown_order_goes_back() -> None:
    world = World()

    assert world.tell(succeeded()) == [asked(user_id=0)]
    assert world.asked() == [request()]


@pytest.mark.parametrize("given", [paid, fulfilling, completed])
def test_a_second_payment_that_was_kept_goes_back(given: Callable[[], World]) -> None:
    world = given()

    assert world.tell(succeeded(f"{NO}-2")) == [asked(pay_no=f"{NO}-2")]


@pytest.mark.parametrize("pay_no", [f"{NO}-2", f"{NO}-0", f"{NO}-x", "other-1"])
def test_money_under_a_number_that_the_order_never_gave_goes_back(pay_no: str) -> None:
    world = created()

    assert world.tell(succeeded(pay_no)) == [asked(pay_no=pay_no)]


def test_a_cancelling_order_ends_while_its_late_money_is_on_its_way_back() -> None:
    world = cancelling()
    world.tell(succeeded())

    assert world.tell(released()) == [OrderCancelled(NO, 5, SHOP, BUYER, "changed my mind", TRACE)]
    assert world.tell(refunded()) == [SurplusReturned(PAY_NO)]


def test_a_repeat_after_the_money_is_back_asks_for_the_same_refund_again() -> None:
    world = cancelled()
    world.tell(succeeded(), refunded())

    assert world.tell(succeeded()) == [asked()]
    assert world.asked() == [request()]


def test_an_unanswered_refund_is_asked_for_again_and_then_reported() -> None:
    world = cancelled()
    world.tell(succeeded())

    stuck = OrderRefused(NO, 5, SHOP, BUYER, "RequestRefund", "SURPLUS_NOT_RETURNED", TRACE)
    assert world.wait(LIMITS.step_budget_ms) == [
        asked(retries=1),
        asked(retries=2),
        asked(retries=3),
        asked(retries=4),
        SurplusStuck(PAY_NO),
        stuck,
    ]
    assert world.public() == [stuck]
    assert world.asked() == [request()] * LIMITS.step_retries
    assert world.state.get(SurplusRefund, PAY_NO) is not None
    assert world.tell(refunded()) == [SurplusReturned(PAY_NO)]


def test_a_failed_refund_is_reported_once_for_payments_has_tried_it_to_the_last() -> None:
    world = cancelled()
    world.tell(succeeded())

    stuck = OrderRefused(NO, 5, SHOP, BUYER, "RequestRefund", "SURPLUS_NOT_RETURNED", TRACE)
    assert world.tell(refund_failed()) == [SurplusStuck(PAY_NO), stuck]
    assert world.public() == [stuck]
    assert world.tell(refund_failed()) == []
    assert world.wait(LIMITS.step_budget_ms) == []
    assert world.asked() == []
    assert world.tell(refunded()) == [SurplusReturned(PAY_NO)]


def test_a_refund_is_done_when_payments_has_nothing_left_to_refund() -> None:
    world = cancelled()
    world.tell(succeeded())

    nothing = payment_refused(PaymentReason.NOTHING_TO_REFUND, f"{PAY_NO}-R1")
    assert world.tell(nothing) == [SurplusReturned(PAY_NO)]


def test_a_refund_that_payments_refuses_is_reported_once() -> None:
    world = World()
    world.tell(succeeded())

    no = payment_refused(PaymentReason.UNKNOWN_PAYMENT, f"{PAY_NO}-R1")
    stuck = OrderRefused(NO, 0, SHOP, 0, "RequestRefund", "SURPLUS_NOT_RETURNED", TRACE)
    assert world.tell(no) == [SurplusStuck(PAY_NO), stuck]
    assert world.tell(no) == []


def test_two_surplus_payments_of_one_order_go_back_side_by_side() -> None:
    world = World()
    world.tell(place(channel="a"), held(), pay("b"), cancel(), released())
    second = f"{NO}-2"

    assert world.tell(succeeded()) == [asked()]
    assert world.tell(succeeded(second)) == [asked(pay_no=second)]
    assert world.tell(refunded(f"{second}-R1", second)) == [SurplusReturned(second)]
    assert world.tell(refunded()) == [SurplusReturned(PAY_NO)]
