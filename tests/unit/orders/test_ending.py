"""The ends of an order: cancelled, expired, completed."""

from __future__ import annotations

import pytest

from schemas.inventory import CancelHold, ReleaseCause, StockReason
from schemas.order import (
    CancelCause,
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderExpired,
    OrderParked,
)
from schemas.payment import ClosePayments
from schemas.record import Record
from streams.orders.facts import HoldAnswered, HoldsReturned, PaymentsEnded
from streams.orders.sold import packed
from streams.orders.state import FinishedOrder, HoldMark, Order, OrderStatus
from tests.unit.orders.world import (
    BODY,
    BUYER,
    LIMITS,
    NO,
    SHOP,
    START_MS,
    TOTAL_FEN,
    TRACE,
    World,
    cancel,
    complete,
    created,
    deducted,
    end_refused,
    fenced,
    fulfilling,
    held,
    hold_id,
    place,
    released,
    reserving,
    stock_refused,
)

WHY = "changed my mind"
EXPIRED = ReleaseCause.EXPIRED


def cancelling(version: int, cause: CancelCause, reason: str = WHY) -> OrderCancelling:
    return OrderCancelling(NO, version, SHOP, BUYER, cause, reason, TRACE)


def cancel_hold(sku: int, reason: str = "REQUESTED") -> CancelHold:
    return CancelHold(hold_id(sku), NO, SHOP, sku, reason, TRACE)


def test_cancelling_a_created_order_gives_everything_back_and_closes_its_payments() -> None:
    world = created(1, 2)

    world.tell(cancel())
    assert world.public() == [cancelling(4, CancelCause.REQUESTED)]
    assert world.asked() == [
        cancel_hold(1),
        cancel_hold(2),
        ClosePayments(NO, SHOP, "REQUESTED", TRACE),
    ]


def test_without_a_payment_attempt_there_is_nothing_to_close() -> None:
    world = created(channel=None)

    world.tell(cancel())
    assert world.asked() == [cancel_hold(1)]


def test_cancelling_while_reserving_cancels_what_is_held_and_what_is_asked_for() -> None:
    world = reserving(1, 2, 3)
    world.tell(held(1), stock_refused(2))

    world.tell(cancel())
    assert world.public() == [cancelling(2, CancelCause.REQUESTED)]
    assert world.asked() == [cancel_hold(1), cancel_hold(3)]


@pytest.mark.parametrize(
    "last",
    [
        released(2),
        fenced(2),
        stock_refused(2),
        end_refused("CancelHold", 2, StockReason.HOLD_EXPIRED),
        end_refused("CancelHold", 2, StockReason.UNKNOWN_HOLD),
    ],
    ids=["released", "fenced", "refused", "expired", "unknown"],
)
def test_the_order_is_cancelled_when_nothing_is_held_any_more(last: Record) -> None:
    world = reserving(1, 2)
    world.tell(cancel())

    assert world.tell(released(1)) == [HoldAnswered(NO, 0, HoldMark.RELEASED)]
    assert world.tell(last) == [OrderCancelled(NO, 3, SHOP, BUYER, WHY, TRACE)]


def test_a_hold_that_comes_while_its_cancel_is_under_way_changes_nothing() -> None:
    world = reserving(1)
    world.tell(cancel())

    assert world.tell(held(1)) == []
    assert world.tell(released(1)) == [OrderCancelled(NO, 3, SHOP, BUYER, WHY, TRACE)]


def test_cancelling_twice_has_no_effect() -> None:
    world = created()
    world.tell(cancel())

    assert world.tell(cancel()) == [world.repeat(cancel())]
    world.tell(released())
    assert world.tell(cancel()) == [world.repeat(cancel())]


def test_a_cancel_that_meets_sold_units_parks_the_order() -> None:
    world = created()
    world.tell(cancel())

    sold = end_refused("CancelHold", reason=StockReason.ALREADY_CONFIRMED)
    parked = OrderParked(NO, 5, SHOP, BUYER, "CANCELLING", "CANCEL_CONTRADICTED", TRACE)
    assert world.tell(sold) == [parked]
    assert world.tell(sold) == []


def test_an_order_that_nobody_paid_expires() -> None:
    world = created()
    cause = CancelCause.PAYMENT_TIMEOUT

    assert world.wait(LIMITS.payment_window_ms - 1) == []
    world.wait(1)
    assert world.public() == [cancelling(4, cause, "PAYMENT_TIMEOUT")]
    assert world.asked() == [
        cancel_hold(1, "PAYMENT_TIMEOUT"),
        ClosePayments(NO, SHOP, "PAYMENT_TIMEOUT", TRACE),
    ]
    assert world.tell(released()) == [OrderExpired(NO, 5, SHOP, BUYER, "PAYMENT_TIMEOUT", TRACE)]


def test_a_hold_lost_before_payment_expires_the_order() -> None:
    world = created(1, 2)

    world.tell(released(1, EXPIRED))
    assert world.public() == [cancelling(4, CancelCause.HOLD_LOST, "HOLD_LOST")]
    assert world.asked() == [
        cancel_hold(2, "HOLD_LOST"),
        ClosePayments(NO, SHOP, "HOLD_LOST", TRACE),
    ]
    assert world.tell(released(2)) == [OrderExpired(NO, 5, SHOP, BUYER, "HOLD_LOST", TRACE)]


def test_when_the_only_hold_is_lost_the_order_ends_at_once() -> None:
    world = created()

    ended = OrderExpired(NO, 5, SHOP, BUYER, "HOLD_LOST", TRACE)
    assert world.tell(released(1, EXPIRED)) == [
        HoldAnswered(NO, 0, HoldMark.RELEASED),
        cancelling(4, CancelCause.HOLD_LOST, "HOLD_LOST"),
        PaymentsEnded(NO, SHOP, "HOLD_LOST", TRACE),
        ended,
    ]


def test_the_holds_of_a_cancelled_order_are_returned_in_their_order() -> None:
    world = created(3, 1, 2)

    facts = world.tell(cancel())
    (returned,) = (fact for fact in facts if isinstance(fact, HoldsReturned))
    assert [hold.resource_id for hold in returned.holds] == ["3", "1", "2"]


def test_a_fulfilled_order_is_completed_once() -> None:
    world = fulfilling()

    done = OrderCompleted(NO, 6, SHOP, BUYER, TRACE)
    assert world.tell(complete()) == [done]
    assert world.public() == [done]
    assert world.tell(complete()) == [world.repeat(complete())]


def test_a_finished_order_leaves_its_memory_and_nothing_else() -> None:
    world = fulfilling()
    world.wait(1_000)
    world.tell(complete())

    assert world.state.get(Order, NO) is None
    assert world.state.get(FinishedOrder, NO) == FinishedOrder(
        order_no=NO,
        outcome=OrderStatus.COMPLETED,
        version=6,
        shop_id=SHOP,
        user_id=BUYER,
        currency="CNY",
        total_fen=TOTAL_FEN,
        paid_attempt=1,
        fingerprint=bytes.fromhex(BODY),
        due_ms=START_MS + 1_000 + LIMITS.return_window_ms,
        sold=packed(place(1).lines),
    )


@pytest.mark.parametrize(
    "answer",
    [
        deducted(),
        released(),
        fenced(),
        stock_refused(),
        end_refused("CancelHold"),
        end_refused("ConfirmHold"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_late_answers_to_a_finished_order_have_no_effect(answer: Record) -> None:
    world = created()
    world.tell(cancel(), released())

    assert world.tell(answer) == []
    assert World().tell(answer) == []
