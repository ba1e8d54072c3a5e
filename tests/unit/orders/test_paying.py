"""Payment attempts, and the money that comes."""

from __future__ import annotations

import pytest

from schemas.inventory import ConfirmHold, StockReason
from schemas.order import (
    OrderConfirmed,
    OrderPaid,
    OrderParked,
    OrderPaymentOpened,
    OrderRefused,
)
from schemas.payment import PaymentReason, PaymentSucceeded, RequestPayment
from schemas.record import Record
from streams.orders.facts import AttemptEnded, HoldAnswered, PaymentTaken
from streams.orders.limits import OrderLimits
from streams.orders.state import HoldMark
from tests.unit.orders.world import (
    BUYER,
    NO,
    PAY_NO,
    SHOP,
    START_MS,
    TOTAL_FEN,
    TRACE,
    World,
    cancel,
    created,
    deducted,
    end_refused,
    failed,
    held,
    hold_id,
    paid,
    pay,
    payment_refused,
    place,
    succeeded,
)


def opened(version: int, n: int, channel: str) -> OrderPaymentOpened:
    return OrderPaymentOpened(
        NO, version, SHOP, BUYER, f"{NO}-{n}", channel, TOTAL_FEN, "CNY", TRACE
    )


def order_paid(version: int, pay_no: str = PAY_NO) -> OrderPaid:
    return OrderPaid(NO, version, SHOP, BUYER, "CNY", TOTAL_FEN, pay_no, START_MS + 50, TRACE)


def confirm(sku: int) -> ConfirmHold:
    return ConfirmHold(hold_id(sku), NO, SHOP, sku, TRACE)


def test_a_created_order_can_be_paid() -> None:
    world = created(channel=None)

    assert world.tell(pay("wechat")) == [opened(3, 1, "wechat")]
    assert world.asked() == [
        RequestPayment(PAY_NO, NO, SHOP, BUYER, "wechat", TOTAL_FEN, "CNY", TRACE)
    ]


def test_paying_again_over_the_open_channel_has_no_effect() -> None:
    world = created(channel="wechat")

    assert world.tell(pay("wechat")) == [world.repeat(pay())]


def test_a_client_may_switch_the_channel() -> None:
    world = created(channel="wechat")

    assert world.tell(pay("alipay")) == [opened(4, 2, "alipay")]
    assert world.tell(pay("wechat")) == [opened(5, 3, "wechat")]


@pytest.mark.parametrize(
    "answer",
    [failed(), payment_refused(PaymentReason.TOO_MANY_ATTEMPTS)],
    ids=["failed", "refused"],
)
def test_after_an_attempt_came_to_nothing_the_same_channel_can_be_tried_again(
    answer: Record,
) -> None:
    world = created(channel="wechat")

    assert world.tell(answer) == [AttemptEnded(NO)]
    assert world.public() == []
    assert world.tell(pay("wechat")) == [opened(4, 2, "wechat")]


def test_the_failure_of_an_attempt_that_was_replaced_has_no_effect() -> None:
    world = created(channel="wechat")
    world.tell(pay("alipay"))

    assert world.tell(failed(PAY_NO)) == []
    assert world.tell(pay("alipay")) == [world.repeat(pay())]


def test_attempts_are_limited() -> None:
    world = World(OrderLimits(payment_attempts=2))
    world.tell(place(channel="a"), held(), pay("b"))

    reason = "TOO_MANY_ATTEMPTS"
    assert world.tell(pay("c")) == [OrderRefused(NO, 4, SHOP, BUYER, "PayOrder", reason, TRACE)]


def test_money_makes_the_order_paid_and_confirms_every_hold() -> None:
    world = created(1, 2)

    assert world.tell(succeeded()) == [order_paid(4)]
    assert world.public() == [order_paid(4)]
    assert world.asked() == [confirm(1), confirm(2)]


def test_money_of_any_attempt_counts() -> None:
    world = created()
    world.tell(pay("alipay"))

    assert world.tell(succeeded(f"{NO}-1")) == [order_paid(5, f"{NO}-1")]


def test_the_last_deduction_confirms_the_order() -> None:
    world = paid(1, 2)

    assert world.tell(deducted(2)) == [HoldAnswered(NO, 1, HoldMark.DEDUCTED)]
    assert world.public() == []
    confirmed = OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)
    assert world.tell(deducted(1)) == [confirmed]
    assert world.public() == [confirmed]


def test_a_hold_that_was_confirmed_already_counts_as_deducted() -> None:
    world = paid()

    answer = end_refused("ConfirmHold", reason=StockReason.ALREADY_CONFIRMED)
    assert world.tell(answer) == [OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)]


def test_repeated_money_and_deductions_have_no_effect() -> None:
    world = paid(1, 2)

    assert world.tell(succeeded()) == []
    world.tell(deducted(1))
    assert world.tell(deducted(1)) == []
    world.tell(deducted(2))
    assert world.tell(deducted(2)) == []
    assert world.tell(succeeded()) == []


@pytest.mark.parametrize(
    "money", [succeeded(amount_fen=TOTAL_FEN - 1), succeeded(currency="USD")], ids=["sum", "coin"]
)
def test_money_that_does_not_fit_parks_the_order(money: Record) -> None:
    world = created()

    parked = OrderParked(NO, 4, SHOP, BUYER, "CREATED", "PAYMENT_MISMATCH", TRACE)
    assert isinstance(money, PaymentSucceeded)
    assert world.tell(money) == [PaymentTaken(NO, 1, money.amount_fen), parked]
    assert world.public() == [parked]
    assert world.tell(money) == []
    assert world.tell(cancel()) == [
        OrderRefused(NO, 4, SHOP, BUYER, "CancelOrder", "ORDER_PARKED", TRACE)
    ]
    assert world.wait(1_000 * 3_600_000) == []
