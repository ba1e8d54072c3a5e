"""Steps that nobody answers: asked again with growing waits, then given up or parked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.inventory import CancelHold, ConfirmHold, ReturnStock, TryHold
from schemas.order import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderExpired,
    OrderParked,
    OrderRefunding,
    OrderRejected,
    Refusal,
)
from schemas.payment import RequestRefund
from schemas.record import Record
from streams.orders.decide import DUE, UNTIMED
from streams.orders.facts import HoldsReturned, OrderForgotten, StepRetried
from streams.orders.limits import MINUTE_MS, OrderLimits
from streams.orders.state import FINISHED, Order, OrderStatus
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    TOTAL_FEN,
    TRACE,
    WORLDS,
    World,
    after,
    cancel,
    cancelled,
    completed,
    created,
    deducted,
    end_refused,
    fulfilling,
    held,
    hold_id,
    paid,
    refund,
    refunded,
    released,
    reserving,
    stock_refused,
    succeeded,
    units_of,
)

RETRIES = [StepRetried(NO)] * LIMITS.step_retries


def parked(version: int, step: str, reason: str) -> OrderParked:
    return OrderParked(NO, version, SHOP, BUYER, step, reason, TRACE)


def test_the_waits_double_up_to_the_cap() -> None:
    waits = [LIMITS.step_wait_ms(n) for n in range(6)]
    assert waits == [10_000, 20_000, 40_000, 80_000, 120_000, 120_000]
    assert LIMITS.step_budget_ms == 270_000


def test_an_order_expires_before_its_holds_do() -> None:
    assert LIMITS.hold_ttl_ms == LIMITS.payment_window_ms + LIMITS.hold_grace_ms == 25 * MINUTE_MS


@pytest.mark.parametrize(
    "bad",
    [
        {"payment_window_ms": 0},
        {"step_timeout_ms": -1},
        {"step_retries": -1},
        {"hold_grace_ms": 2 * 270_000 - 1},
        {"step_retries": 5},
    ],
)
def test_limits_that_contradict_one_another_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"_ms|step_retries"):
        OrderLimits(**bad)


def test_each_wait_is_longer_than_the_one_before() -> None:
    world = reserving()

    for retries in range(LIMITS.step_retries):
        assert world.wait(LIMITS.step_wait_ms(retries) - 1) == []
        assert world.wait(1) == [StepRetried(NO)]
        assert world.public() == []


def test_only_unanswered_holds_are_asked_for_again_word_by_word() -> None:
    world = reserving(1, 2, 3)
    first = world.asked()
    world.tell(held(1), stock_refused(3))

    world.wait(LIMITS.step_timeout_ms)
    assert world.asked() == [first[1]]
    assert isinstance(first[1], TryHold)


def test_an_order_whose_holds_nobody_answers_is_rejected_and_fenced() -> None:
    world = reserving(1, 2, 3)
    world.tell(held(1), stock_refused(3))

    facts = world.wait(LIMITS.step_budget_ms)
    refusals = (Refusal("3", "INSUFFICIENT", 2, 1), Refusal("2", "TIMEOUT", 2, 0))
    assert facts[:-2] == RETRIES
    assert facts[-2] == OrderRejected(NO, 2, SHOP, BUYER, refusals, TRACE)
    assert isinstance(facts[-1], HoldsReturned)
    cancels = [message for message in world.asked() if isinstance(message, CancelHold)]
    assert [message.sku_id for message in cancels] == [1, 2]


def test_a_paid_order_asks_again_for_its_confirmations_and_then_parks() -> None:
    world = paid(1, 2)
    world.tell(deducted(1))

    facts = world.wait(LIMITS.step_budget_ms)
    assert facts == [*RETRIES, parked(5, "PAID", "CONFIRM_UNANSWERED")]
    confirm = ConfirmHold(hold_id(2), NO, SHOP, 2, TRACE)
    assert world.asked() == [confirm] * LIMITS.step_retries


def test_a_paid_order_whose_refund_is_wanted_is_refunded_and_not_parked() -> None:
    world = paid()
    world.tell(refund())

    facts = world.wait(LIMITS.step_budget_ms)
    no, reason = f"{PAY_NO}-R1", "broken"
    refunding = OrderRefunding(
        NO, 5, SHOP, BUYER, PAY_NO, no, TOTAL_FEN, "CNY", reason, TRACE, "", units_of((1, 2))
    )
    assert facts[len(RETRIES)] == refunding
    assert world.asked()[-1] == ReturnStock(hold_id(1), NO, SHOP, BUYER, 1, 0, "REFUNDED", TRACE)


def test_a_cancelling_order_asks_again_for_its_releases_and_then_parks() -> None:
    world = created(1, 2)
    world.tell(cancel(), released(1))

    facts = world.wait(LIMITS.step_budget_ms)
    assert facts == [*RETRIES, parked(5, "CANCELLING", "CANCEL_UNANSWERED")]
    again = CancelHold(hold_id(2), NO, SHOP, 2, "REQUESTED", TRACE)
    assert world.asked() == [again] * LIMITS.step_retries


def test_a_refunding_order_asks_again_for_its_refund_and_then_parks() -> None:
    world = fulfilling()
    world.tell(refund())

    facts = world.wait(LIMITS.step_budget_ms)
    assert facts == [*RETRIES, parked(7, "REFUNDING", "REFUND_UNANSWERED")]
    request = RequestRefund(f"{PAY_NO}-R1", PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", "broken", TRACE)
    assert world.asked() == [request] * LIMITS.step_retries


@pytest.mark.parametrize(
    ("given", "answer", "expected"),
    [
        (paid, deducted(), OrderConfirmed(NO, 6, SHOP, BUYER, TRACE)),
        (
            lambda: _told(paid(), end_refused("ConfirmHold")),
            replace(stock_refused(), hold_id=f"{hold_id(1)}~1"),
            OrderRefunding(
                order_no=NO,
                version=6,
                shop_id=SHOP,
                user_id=BUYER,
                pay_no=PAY_NO,
                refund_no=f"{PAY_NO}-R1",
                amount_fen=TOTAL_FEN,
                currency="CNY",
                reason="HOLD_LOST",
                trace_id=TRACE,
                refund_key="",
                units=units_of((1, 2)),
            ),
        ),
        (
            lambda: _told(created(), cancel()),
            released(),
            OrderCancelled(NO, 6, SHOP, BUYER, "changed my mind", TRACE),
        ),
        (
            lambda: _waited(created(), LIMITS.payment_window_ms),
            released(),
            OrderExpired(NO, 6, SHOP, BUYER, "PAYMENT_TIMEOUT", TRACE),
        ),
    ],
    ids=["confirmed", "gone", "cancelled", "expired"],
)
def test_the_awaited_answer_lets_a_parked_order_go_on(
    given: Callable[[], World], answer: Record, expected: Record
) -> None:
    world = given()
    assert isinstance(world.wait(LIMITS.step_budget_ms)[-1], OrderParked)

    assert expected in world.tell(answer)
    assert world.public() == [expected]


@pytest.mark.parametrize(
    ("given", "next_step"),
    [
        (lambda: _waited(reserving(), LIMITS.step_timeout_ms), cancel()),
        (lambda: _waited(created(), LIMITS.step_timeout_ms), succeeded()),
        (lambda: _waited(paid(), LIMITS.step_timeout_ms), end_refused("ConfirmHold")),
    ],
    ids=["cancelling", "paid", "refunding"],
)
def test_every_step_has_all_its_retries(given: Callable[[], World], next_step: Record) -> None:
    world = given()
    world.tell(next_step)

    facts = world.wait(LIMITS.step_budget_ms)
    assert facts[:-1] == RETRIES
    assert isinstance(facts[-1], OrderParked)


@pytest.mark.parametrize("given", [fulfilling, lambda: _waited(paid(), LIMITS.step_budget_ms)])
def test_orders_that_wait_for_people_are_never_forgotten(given: Callable[[], World]) -> None:
    world = given()

    assert world.wait(400 * 24 * 60 * MINUTE_MS) == []


def test_a_finished_order_is_forgotten_when_the_window_is_over() -> None:
    world = cancelled()

    assert world.wait(LIMITS.idempotency_window_ms - 1) == []
    assert world.wait(1) == [OrderForgotten(NO)]
    assert len(world.state) == 0
    assert world.outputs == []


LIVE = [status for status in OrderStatus if status not in FINISHED]


def test_every_order_that_has_not_ended_has_a_timer_or_a_reason_to_wait() -> None:
    assert {*DUE, *UNTIMED} == set(LIVE)
    assert {*DUE} & {*UNTIMED} == {OrderStatus.PARTLY_REFUNDED}  # it depends on its goods


@pytest.mark.parametrize("status", LIVE)
def test_a_timer_runs_in_every_status_but_those_that_may_wait(status: OrderStatus) -> None:
    world = WORLDS[status]()
    order = world.state.get(Order, NO)

    assert order is not None
    assert order.status is status
    assert (order.due_ms == 0) == (status in UNTIMED)


@pytest.mark.parametrize("status", sorted({*DUE} - {*UNTIMED}))
def test_an_order_that_nothing_moves_is_driven_on_and_a_public_fact_says_so(
    status: OrderStatus,
) -> None:
    world = WORLDS[status]()
    limit_ms = {
        OrderStatus.CREATED: LIMITS.payment_window_ms,
        OrderStatus.SHIPPED: LIMITS.delivery_window_ms,
    }.get(status, LIMITS.step_budget_ms)

    assert LIMITS.step_budget_ms < 5 * MINUTE_MS
    world.wait(limit_ms)
    assert world.public() != []
    order = world.state.get(Order, NO)
    assert order is None or order.status is not status


def test_an_order_that_came_back_in_part_and_is_all_there_is_driven_on_too() -> None:
    world = after(completed(), refund((1, 1), key="r1"), refunded())

    assert world.wait(LIMITS.return_window_ms) == [OrderCompleted(NO, 9, SHOP, BUYER, TRACE)]


def _told(world: World, *messages: Record) -> World:
    world.tell(*messages)
    return world


def _waited(world: World, ms: int) -> World:
    world.wait(ms)
    return world
