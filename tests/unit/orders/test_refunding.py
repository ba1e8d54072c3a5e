"""Giving the payment of an order back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.order import OrderConfirmed, OrderParked, OrderRefunded, OrderRefunding, SkuUnits
from schemas.payment import PaymentReason, RequestRefund
from streams.orders.facts import HoldAnswered, RefundWanted
from streams.orders.state import FinishedOrder, HoldMark, Order, OrderStatus
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    TOTAL_FEN,
    TRACE,
    World,
    completed,
    deducted,
    end_refused,
    fulfilling,
    paid,
    payment_refused,
    refund,
    refund_failed,
    refunded,
    units_of,
)


def refunding(version: int, reason: str = "broken", skus: tuple[int, ...] = (1,)) -> OrderRefunding:
    refund_no = f"{PAY_NO}-R1"
    return OrderRefunding(
        order_no=NO,
        version=version,
        shop_id=SHOP,
        user_id=BUYER,
        pay_no=PAY_NO,
        refund_no=refund_no,
        amount_fen=TOTAL_FEN,
        currency="CNY",
        reason=reason,
        trace_id=TRACE,
        refund_key="",
        units=tuple(SkuUnits(sku, 2) for sku in skus),
    )


def request(reason: str = "broken") -> RequestRefund:
    refund_no = f"{PAY_NO}-R1"
    return RequestRefund(refund_no, PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", reason, TRACE)


def order_refunded(version: int) -> OrderRefunded:
    return OrderRefunded(NO, version, SHOP, BUYER, f"{PAY_NO}-R1", TOTAL_FEN, TRACE)


@pytest.mark.parametrize(("given", "version"), [(fulfilling, 6), (completed, 7)])
def test_a_refund_gives_the_whole_payment_back(given: Callable[[], World], version: int) -> None:
    world = given()

    assert world.tell(refund()) == [refunding(version)]
    assert world.asked() == [request()]
    assert world.tell(refunded()) == [order_refunded(version + 1)]
    assert world.public() == [order_refunded(version + 1)]


def test_after_a_refund_only_the_memory_of_the_order_is_left() -> None:
    world = completed()
    before = world.state.get(FinishedOrder, NO)
    world.tell(refund())
    assert world.state.get(FinishedOrder, NO) is None
    world.tell(refunded())

    after = world.state.get(FinishedOrder, NO)
    assert world.state.get(Order, NO) is None
    assert before is not None
    assert after is not None
    assert (after.outcome, after.version) == (OrderStatus.REFUNDED, 8)
    assert (after.fingerprint, after.total_fen) == (before.fingerprint, before.total_fen)


def test_refunding_twice_has_no_effect() -> None:
    world = fulfilling()
    world.tell(refund())

    assert world.tell(refund()) == [world.repeat(refund())]
    world.tell(refunded())
    assert world.tell(refund()) == [world.repeat(refund())]
    assert world.tell(refunded()) == []


def test_a_refund_while_holds_are_confirmed_starts_when_they_are() -> None:
    world = paid(1, 2)

    wanted = RefundWanted(NO, "broken", "", units_of((1, 2), (2, 2)), TOTAL_FEN)
    assert world.tell(refund()) == [wanted]
    assert world.outputs == []
    assert world.tell(refund()) == [world.repeat(refund())]
    world.tell(deducted(1))
    confirmed = OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)
    assert world.tell(deducted(2)) == [confirmed, refunding(6, skus=(1, 2))]
    assert world.asked() == [request()]


def test_a_wanted_refund_keeps_its_reason_when_a_hold_is_lost() -> None:
    world = paid()
    world.tell(refund())

    assert world.tell(end_refused("ConfirmHold")) == [
        HoldAnswered(NO, 0, HoldMark.RELEASED),
        refunding(5),
    ]


def test_a_refund_that_payments_gave_up_parks_the_order_once() -> None:
    world = fulfilling()
    world.tell(refund())

    parked = OrderParked(NO, 7, SHOP, BUYER, "REFUNDING", "REFUND_FAILED", TRACE)
    assert world.tell(refund_failed()) == [parked]
    assert world.tell(refund_failed()) == []
    assert world.wait(LIMITS.step_budget_ms) == []
    assert world.tell(refunded()) == [order_refunded(8)]


def test_a_refund_that_payments_refuses_parks_the_order_once() -> None:
    world = fulfilling()
    world.tell(refund())

    no = payment_refused(PaymentReason.NOTHING_TO_REFUND, f"{PAY_NO}-R1")
    parked = OrderParked(NO, 7, SHOP, BUYER, "REFUNDING", "REFUND_REFUSED", TRACE)
    assert world.tell(no) == [parked]
    assert world.tell(no) == []


def test_money_that_is_back_after_all_ends_a_parked_refund() -> None:
    world = fulfilling()
    world.tell(refund(), payment_refused(PaymentReason.CONFLICT, f"{PAY_NO}-R1"))

    assert world.tell(refunded()) == [order_refunded(8)]


def test_answers_about_a_refund_that_nobody_asked_for_have_no_effect() -> None:
    world = fulfilling()

    assert world.tell(refunded()) == []
    assert world.tell(refund_failed()) == []
    assert world.tell(payment_refused(PaymentReason.UNKNOWN_REFUND, f"{PAY_NO}-R1")) == []
