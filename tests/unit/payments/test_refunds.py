"""Refunds: those the order asks for, and those of surplus money."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.payment import PaymentReason
from streams.payments.facts import AnsweredAgain, RefundNoted
from streams.payments.machine import PayState
from streams.payments.state import (
    MAX_REFUND_TRIES,
    REFUND_RETRY_CAP_MS,
    REFUND_RETRY_MS,
    refund_retry_ms,
)
from tests.unit.payments.desk import (
    CLOSED,
    FAILED,
    FEN,
    ORDER,
    PENDING,
    SUCCEEDED,
    UNKNOWN,
    Desk,
    but,
    close,
    pay,
    refund,
    refund_failed,
    refund_requested,
    refund_succeeded,
    refused,
    refused_report,
    says,
)

R1, R2, S1 = "O1-1-R1", "O1-1-R2", "O1-1-S1"


@pytest.fixture
def paid() -> Desk:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED))
    return desk


@pytest.fixture
def surplus_desk() -> Desk:
    desk = Desk()
    desk.take(pay(), close(), says(SUCCEEDED))
    return desk


def test_kept_money_is_given_back_on_request(paid: Desk) -> None:
    assert paid.take(refund()) == [refund_requested(3)]
    assert paid.public()[-1] == refund_requested(3)
    assert paid.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == [refund_succeeded(4)]
    assert paid.told()[-1] == refund_succeeded(4)
    assert paid.public()[-1] is paid.told()[-1]


def test_the_same_request_while_it_is_open_is_not_asked_again(paid: Desk) -> None:
    paid.take(refund())
    assert paid.take(refund()) == []


def test_the_same_request_is_answered_the_same_again(paid: Desk) -> None:
    paid.take(refund(), says(SUCCEEDED, refund_no=R1, txn="B1"))
    assert paid.take(refund()) == [AnsweredAgain(ORDER, refund_succeeded(4))]
    assert paid.told()[-2:] == [refund_succeeded(4)] * 2


def test_the_same_request_after_a_failure_is_answered_by_it_again(paid: Desk) -> None:
    paid.take(refund(), says(FAILED, refund_no=R1))
    assert paid.told()[-1] == refund_failed(4)
    assert paid.take(refund()) == [AnsweredAgain(ORDER, refund_failed(4))]


@pytest.mark.parametrize(
    "other",
    [
        but(refund(), amount_fen=1),
        but(refund(), currency="USD"),
        but(refund(), reason="OTHER"),
        but(refund(), pay_no="O1-2"),
        but(refund(), shop_id=8),
    ],
)
def test_the_same_number_with_another_body_is_a_conflict(paid: Desk, other: Any) -> None:
    paid.take(refund())
    facts: list[Any] = [*paid.take(other)]
    assert [(f.reason, f.version) for f in facts] == [(PaymentReason.CONFLICT, 3)]
    assert paid.told()[-1:] == facts


def test_the_number_of_a_refund_of_surplus_money_cannot_be_used(surplus_desk: Desk) -> None:
    message = but(refund(S1), reason="ORDER_CLOSED")
    assert surplus_desk.take(message) == [refused(4, message, PaymentReason.CONFLICT)]


def test_a_failed_refund_leaves_its_money_for_the_next_number(paid: Desk) -> None:
    paid.take(refund(), says(FAILED, refund_no=R1))
    assert paid.take(refund(R2)) == [refund_requested(5, R2)]


def test_an_order_asks_again_by_itself_no_timer_does(paid: Desk) -> None:
    paid.take(refund(), says(FAILED, refund_no=R1))
    assert paid.pass_time(REFUND_RETRY_CAP_MS) == []


def test_parts_may_be_given_back_until_nothing_is_left(paid: Desk) -> None:
    paid.take(refund(R1, amount_fen=FEN - 1))
    too_much = refund(R2, amount_fen=2)
    assert paid.take(too_much) == [refused(3, too_much, PaymentReason.NOTHING_TO_REFUND)]
    assert paid.told()[-1] == refused(3, too_much, PaymentReason.NOTHING_TO_REFUND)
    assert paid.take(refund(R2, amount_fen=1)) == [refund_requested(4, R2, amount_fen=1)]
    assert paid.known().refundable_fen() == 0


@pytest.mark.parametrize("amount_fen", [0, -5, FEN + 1])
def test_an_amount_that_is_not_there_is_refused(paid: Desk, amount_fen: int) -> None:
    message = refund(amount_fen=amount_fen)
    assert paid.take(message) == [refused(2, message, PaymentReason.NOTHING_TO_REFUND)]


def test_what_was_never_paid_is_not_given_back() -> None:
    desk = Desk()
    assert desk.take(refund()) == [refused(0, refund(), PaymentReason.UNKNOWN_PAYMENT)]
    desk.take(pay())
    assert desk.take(refund()) == [refused(1, refund(), PaymentReason.NOTHING_TO_REFUND)]
    other = refund(pay_no="O1-9")
    assert desk.take(other) == [refused(1, other, PaymentReason.UNKNOWN_PAYMENT)]


def test_only_the_kept_payment_is_given_back() -> None:
    desk = Desk()
    desk.take(pay(), says(FAILED), pay("O1-2"), says(SUCCEEDED, "O1-2", txn="T2"))
    assert desk.take(refund()) == [refused(4, refund(), PaymentReason.NOTHING_TO_REFUND)]


def test_surplus_money_is_not_given_back_twice(surplus_desk: Desk) -> None:
    assert surplus_desk.take(refund()) == [refused(4, refund(), PaymentReason.NOTHING_TO_REFUND)]


def test_another_currency_or_shop_is_refused(paid: Desk) -> None:
    dollars = but(refund(), currency="USD")
    assert paid.take(dollars) == [refused(2, dollars, PaymentReason.CURRENCY_MISMATCH)]
    other = but(refund(), shop_id=8)
    assert paid.take(other) == [but(refused(2, other, PaymentReason.CONFLICT), shop_id=8)]


def test_a_refunded_payment_is_never_revived(paid: Desk) -> None:
    paid.take(refund(), says(SUCCEEDED, refund_no=R1, txn="B1"))
    assert paid.take(says(SUCCEEDED)) == []
    message = pay("O1-2")
    assert paid.take(message) == [refused(4, message, PaymentReason.ALREADY_PAID)]


def test_progress_of_a_refund_is_noted_and_a_late_failure_does_not_undo_a_success(
    paid: Desk,
) -> None:
    paid.take(refund())
    assert paid.take(says(UNKNOWN, refund_no=R1)) == [RefundNoted(ORDER, R1, PayState.UNKNOWN)]
    assert paid.take(says(PENDING, refund_no=R1)) == [RefundNoted(ORDER, R1, PayState.PENDING)]
    assert paid.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == [refund_succeeded(4)]
    assert paid.take(says(FAILED, refund_no=R1)) == []
    assert paid.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == []


def test_a_success_wins_over_a_failure_that_came_first(paid: Desk) -> None:
    paid.take(refund(), says(CLOSED, refund_no=R1))
    assert paid.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == [refund_succeeded(5)]
    assert paid.known().refundable_fen() == 0


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (says(SUCCEEDED, refund_no=R1, txn="B1", amount_fen=1), PaymentReason.AMOUNT_MISMATCH),
        (
            but(says(SUCCEEDED, refund_no=R1, txn="B1"), currency="USD"),
            PaymentReason.CURRENCY_MISMATCH,
        ),
        (says(SUCCEEDED, "O1-9", refund_no=R1, txn="B1"), PaymentReason.CONFLICT),
    ],
)
def test_a_report_that_does_not_fit_the_refund_is_refused(
    paid: Desk, report: Any, reason: PaymentReason
) -> None:
    paid.take(refund())
    assert paid.take(report) == [refused_report(3, report, reason)]
    assert paid.known().refunds[0].state == PayState.REQUESTED


def test_a_second_movement_for_one_refund_is_refused_in_public(paid: Desk) -> None:
    paid.take(refund(), says(SUCCEEDED, refund_no=R1, txn="B1"))
    again = says(SUCCEEDED, refund_no=R1, txn="B2")
    assert paid.take(again) == [refused_report(4, again, PaymentReason.NOT_A_REPEAT)]
    assert paid.public()[-1] == refused_report(4, again, PaymentReason.NOT_A_REPEAT)


# --- surplus money: nobody asks again, so time does ----------------------------------------------


def test_a_failed_refund_of_surplus_money_is_asked_again_under_its_number(
    surplus_desk: Desk,
) -> None:
    asked = refund_requested(6, S1, reason="ORDER_CLOSED")
    assert surplus_desk.take(says(FAILED, refund_no=S1)) == [refund_failed(5, S1)]
    assert surplus_desk.take(says(FAILED, refund_no=S1)) == []
    assert surplus_desk.pass_time(REFUND_RETRY_MS - 1) == []
    assert surplus_desk.pass_time(1) == [asked]
    assert surplus_desk.pass_time(REFUND_RETRY_CAP_MS) == []
    report = says(SUCCEEDED, refund_no=S1, txn="B1")
    assert surplus_desk.take(report) == [refund_succeeded(7, S1)]
    assert surplus_desk.told() == []


def test_each_refund_of_surplus_money_waits_for_its_own_time(surplus_desk: Desk) -> None:
    surplus_desk.take(says(SUCCEEDED, txn="T2"), says(FAILED, refund_no=S1))
    surplus_desk.pass_time(1)
    surplus_desk.take(says(FAILED, refund_no="O1-1-S2"))
    first = refund_requested(9, S1, reason="ORDER_CLOSED")
    assert surplus_desk.pass_time(REFUND_RETRY_MS - 1) == [first]
    second = refund_requested(10, "O1-1-S2", reason="ORDER_CLOSED", txn="T2")
    assert surplus_desk.pass_time(1) == [second]


def test_a_success_during_the_wait_ends_it(surplus_desk: Desk) -> None:
    surplus_desk.take(says(FAILED, refund_no=S1), says(SUCCEEDED, refund_no=S1, txn="B1"))
    assert surplus_desk.pass_time(REFUND_RETRY_CAP_MS) == []


def test_after_the_last_try_the_failure_stays_as_a_fact(surplus_desk: Desk) -> None:
    for _ in range(MAX_REFUND_TRIES - 1):
        surplus_desk.take(says(FAILED, refund_no=S1))
        assert len(surplus_desk.pass_time(REFUND_RETRY_CAP_MS)) == 1
    version = surplus_desk.known().version
    last = refund_failed(version + 1, S1, reason="GAVE_UP")
    assert surplus_desk.take(says(FAILED, refund_no=S1)) == [last]
    assert surplus_desk.public()[-1] == last
    assert surplus_desk.told() == []
    assert surplus_desk.pass_time(REFUND_RETRY_CAP_MS) == []
    report = says(SUCCEEDED, refund_no=S1, txn="B1")
    assert surplus_desk.take(report) == [refund_succeeded(version + 2, S1)]


def test_waits_double_up_to_the_cap() -> None:
    waits = [refund_retry_ms(tries) for tries in range(1, MAX_REFUND_TRIES)]
    assert waits[:4] == [5_000, 10_000, 20_000, 40_000]
    assert waits[-4:] == [REFUND_RETRY_CAP_MS] * 4
    assert sum(waits) == 3_035_000
