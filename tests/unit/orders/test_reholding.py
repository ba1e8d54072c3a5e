"""A paid order whose hold is gone: it holds the same anew, else the money and the goods go back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.inventory import ConfirmHold, ReleaseCause, ReturnStock, TryHold
from schemas.order import (
    HoldRef,
    OrderConfirmed,
    OrderPaid,
    OrderRefunded,
    OrderRefunding,
)
from schemas.payment import RequestRefund
from schemas.record import Record
from streams.orders.facts import (
    HoldAnswered,
    HoldReasked,
    HoldRegained,
    HoldUndone,
    StepRetried,
)
from streams.orders.state import HoldMark, Order, OrderStatus
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
    cancel,
    created,
    deducted,
    end_refused,
    held,
    hold_id,
    paid,
    refund,
    refunded,
    released,
    stock_refused,
    succeeded,
    units_of,
)


def anew(sku: int = 1, nth: int = 1) -> str:
    return f"{hold_id(sku)}~{nth}"


def lost(sku: int = 1, nth: int = 0) -> Record:
    name = anew(sku, nth) if nth else hold_id(sku)
    return replace(end_refused("ConfirmHold", sku), hold_id=name)


def reasked(index: int = 0, sku: int = 1, nth: int = 1) -> HoldReasked:
    return HoldReasked(NO, index, HoldRef(anew(sku, nth), "stock", str(sku), 2))


def try_again(sku: int = 1, nth: int = 1) -> TryHold:
    return TryHold(anew(sku, nth), NO, SHOP, BUYER, sku, 2, LIMITS.hold_ttl_ms, TRACE)


def confirm(name: str, sku: int = 1) -> ConfirmHold:
    return ConfirmHold(name, NO, SHOP, sku, TRACE)


def undone(index: int, sku: int, *, is_sold: bool, reason: str = "HOLD_LOST") -> HoldUndone:
    hold = HoldRef(hold_id(sku), "stock", str(sku), 2)
    return HoldUndone(NO, SHOP, BUYER, index, hold, is_sold, reason, TRACE)


def return_stock(sku: int, qty: int, reason: str = "HOLD_LOST") -> ReturnStock:
    return ReturnStock(hold_id(sku), NO, SHOP, BUYER, sku, qty, reason, TRACE)


def refunding(version: int, *skus: int, reason: str = "HOLD_LOST") -> OrderRefunding:
    return OrderRefunding(
        order_no=NO,
        version=version,
        shop_id=SHOP,
        user_id=BUYER,
        pay_no=PAY_NO,
        refund_no=f"{PAY_NO}-R1",
        amount_fen=TOTAL_FEN,
        currency="CNY",
        reason=reason,
        trace_id=TRACE,
        refund_key="",
        units=units_of(*((sku, 2) for sku in skus)),
    )


# --- held anew -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer", [lost(), released(1, ReleaseCause.EXPIRED)], ids=["refused", "released"]
)
def test_a_hold_lost_after_payment_is_asked_for_anew_under_another_id(answer: Record) -> None:
    world = paid(1, 2)

    assert world.tell(answer) == [reasked()]
    assert world.public() == []
    assert world.asked() == [try_again()]


def test_what_is_held_anew_is_confirmed_and_the_order_goes_on() -> None:
    world = paid(1, 2)
    world.tell(lost(1), deducted(2))

    assert world.tell(held(1, hold=anew())) == [HoldRegained(NO, 0)]
    assert world.asked() == [confirm(anew())]
    assert world.tell(replace(deducted(1), hold_id=anew())) == [
        OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)
    ]


def test_the_order_is_not_confirmed_while_a_hold_is_asked_for_anew() -> None:
    world = paid(1, 2)
    world.tell(lost(1))

    assert world.tell(deducted(2)) == [HoldAnswered(NO, 1, HoldMark.DEDUCTED)]


def test_the_second_answer_about_a_lost_hold_has_no_effect() -> None:
    world = paid()
    world.tell(released(1, ReleaseCause.EXPIRED))

    assert world.tell(lost()) == []
    assert world.tell(released(1, ReleaseCause.EXPIRED)) == []


def test_a_try_that_nobody_answers_is_repeated_word_by_word() -> None:
    world = paid()
    world.tell(lost())

    assert world.wait(LIMITS.step_timeout_ms) == [StepRetried(NO)]
    assert world.asked() == [try_again()]


def test_a_parked_order_also_holds_anew() -> None:
    world = paid()
    world.wait(LIMITS.step_budget_ms)
    order = world.state.get(Order, NO)
    assert order is not None
    assert order.status is OrderStatus.PARKED

    assert world.tell(lost()) == [reasked()]
    world.tell(held(1, hold=anew()))
    assert world.tell(replace(deducted(1), hold_id=anew())) == [
        OrderConfirmed(NO, 6, SHOP, BUYER, TRACE)
    ]


# --- not to be had -------------------------------------------------------------------------------


def test_when_it_is_not_to_be_had_the_money_and_the_other_goods_go_back() -> None:
    world = paid(1, 2, 3)
    world.tell(deducted(2), lost(1))

    assert world.tell(replace(stock_refused(1), hold_id=anew())) == [
        HoldAnswered(NO, 0, HoldMark.RELEASED),
        refunding(5, 1, 2, 3),
        undone(1, 2, is_sold=True),
        undone(2, 3, is_sold=False),
    ]
    assert world.asked() == [
        RequestRefund(f"{PAY_NO}-R1", PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", "HOLD_LOST", TRACE),
        return_stock(2, 2),
        return_stock(3, 0),
    ]
    assert world.tell(deducted(3)) == []
    assert world.tell(refunded()) == [
        OrderRefunded(NO, 6, SHOP, BUYER, f"{PAY_NO}-R1", TOTAL_FEN, TRACE)
    ]


def test_after_the_last_try_the_order_is_refunded() -> None:
    world = paid()
    world.tell(lost())
    for nth in range(1, LIMITS.rehold_attempts):
        world.tell(held(1, hold=anew(nth=nth)))
        assert world.tell(lost(nth=nth)) == [reasked(nth=nth + 1)]
    world.tell(held(1, hold=anew(nth=LIMITS.rehold_attempts)))

    assert world.tell(lost(nth=LIMITS.rehold_attempts))[-1] == refunding(5, 1)


def test_a_wanted_refund_asks_for_nothing_anew() -> None:
    world = paid(1, 2)
    world.tell(refund(), deducted(2))

    assert world.tell(lost()) == [
        HoldAnswered(NO, 0, HoldMark.RELEASED),
        refunding(5, 1, 2, reason="broken"),
        undone(1, 2, is_sold=True),
    ]


# --- money that comes while the order expires ----------------------------------------------------


def paid_now(version: int) -> OrderPaid:
    return OrderPaid(NO, version, SHOP, BUYER, "CNY", TOTAL_FEN, PAY_NO, START_MS + 50, TRACE)


def expiring(*skus: int) -> World:
    world = created(*skus)
    world.wait(LIMITS.payment_window_ms)
    return world


def test_money_for_an_expiring_order_holds_its_goods_anew() -> None:
    world = expiring(1)

    assert world.tell(succeeded()) == [paid_now(5)]
    assert world.asked() == [confirm(hold_id(1))]
    assert world.tell(released(1)) == [reasked()]
    world.tell(held(1, hold=anew()))
    assert world.tell(replace(deducted(1), hold_id=anew())) == [
        OrderConfirmed(NO, 6, SHOP, BUYER, TRACE)
    ]


def test_money_for_an_expiring_order_goes_back_when_its_goods_are_gone() -> None:
    world = expiring(1)
    world.tell(succeeded(), released(1))

    refused = replace(stock_refused(1), hold_id=anew())
    assert world.tell(refused)[1:] == [refunding(6, 1)]


def test_money_for_an_order_that_was_given_up_goes_back() -> None:
    world = created(1)
    world.tell(cancel(), succeeded())

    assert world.public() == []
    assert [type(message) for message in world.asked()] == [RequestRefund]
