"""Refunds: those the order asks for, and those of surplus money."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.payment import PaymentReason, RefundRequested, TicketReason
from streams.payments.facts import AnsweredAgain, RefundNoted
from streams.payments.machine import PayState
from streams.payments.state import (
    ASK_AGAIN_CAP_MS,
    ASK_AGAIN_MS,
    MAX_TRIES,
    ask_again_ms,
)
from tests.unit.payments.desk import (
    ANSWERED,
    CLOSED,
    FAILED,
    FEN,
    ORDER,
    PENDING,
    RETRY,
    SUCCEEDED,
    UNKNOWN,
    Desk,
    but,
    close,
    overpaid,
    pay,
    refund,
    refund_failed,
    refund_requested,
    refund_succeeded,
    refused,
    refused_report,
    resolve,
    says,
    ticket,
    ticket_closed,
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


def test_the_same_request_after_the_last_failure_is_answered_by_it_again(paid: Desk) -> None:
    paid.take(refund())
    for _ in range(MAX_TRIES - 1):
        paid.take(says(FAILED, refund_no=R1))
        paid.pass_time(ASK_AGAIN_CAP_MS)
    failed, _ticket = paid.take(says(FAILED, refund_no=R1))
    assert paid.told()[-1] == failed
    assert paid.take(refund()) == [AnsweredAgain(ORDER, failed)]


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


def test_a_failed_refund_is_asked_for_again_under_its_number_and_the_order_is_not_told(
    paid: Desk,
) -> None:
    paid.take(refund())
    assert paid.take(says(FAILED, refund_no=R1)) == [refund_failed(4)]
    told = paid.told()
    assert paid.pass_time(ASK_AGAIN_MS) == [refund_requested(5, is_repeat=True)]
    assert paid.take(refund()) == []
    assert paid.told() == told
    assert paid.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == [refund_succeeded(6)]
    assert paid.told() == [*told, refund_succeeded(6)]


def test_a_failed_refund_leaves_its_money_to_no_other_number(paid: Desk) -> None:
    paid.take(refund(), says(FAILED, refund_no=R1))
    second = refund(R2)
    assert paid.take(second) == [refused(4, second, PaymentReason.NOTHING_TO_REFUND)]


def test_after_the_order_was_told_of_a_failure_no_other_number_is_taken_until_it_came_true(
    paid: Desk,
) -> None:
    paid.take(refund(amount_fen=1))
    for _ in range(MAX_TRIES - 1):
        paid.take(says(FAILED, refund_no=R1))
        paid.pass_time(ASK_AGAIN_CAP_MS)
    paid.take(says(FAILED, refund_no=R1))
    second = refund(R2, amount_fen=1)
    stuck = refused(paid.known().version, second, PaymentReason.REFUND_STUCK)
    assert paid.take(second) == [stuck]
    assert paid.told()[-1] == stuck
    paid.take(resolve(RETRY))
    assert paid.take(second)[0].reason == PaymentReason.REFUND_STUCK  # type: ignore[attr-defined]
    paid.take(says(SUCCEEDED, refund_no=R1, txn="B1", amount_fen=1))
    version = paid.known().version
    assert paid.take(second) == [refund_requested(version + 1, R2, amount_fen=1)]


def test_a_refund_that_failed_and_comes_true_cannot_have_been_paid_twice(paid: Desk) -> None:
    """The gateway says failed, the order asks under a second number, the first comes true."""
    paid.take(refund(), says(FAILED, refund_no=R1), refund(R2))
    assert paid.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == [refund_succeeded(5)]
    assert paid.take(refund(R2)) == [refused(5, refund(R2), PaymentReason.NOTHING_TO_REFUND)]
    assert [fact.refund_no for fact in paid.public() if isinstance(fact, RefundRequested)] == [R1]


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
    assert paid.take(says(UNKNOWN, refund_no=R1)) == [RefundNoted(ORDER, R1, UNKNOWN)]
    assert paid.take(says(PENDING, refund_no=R1)) == [RefundNoted(ORDER, R1, PENDING)]
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
    refusal, *opened = paid.take(report)
    assert refusal == refused_report(3, report, reason)
    is_money = reason != PaymentReason.CONFLICT
    assert [t.reason for t in paid.known().tickets] == [TicketReason.MONEY_MISMATCH] * is_money
    assert len(opened) == is_money
    assert paid.take(report) == [but(refusal, version=paid.known().version)]
    assert paid.known().refunds[0].state == PayState.REQUESTED


def test_a_second_movement_for_one_refund_is_booked_as_overpaid_with_a_ticket(paid: Desk) -> None:
    paid.take(refund(), says(SUCCEEDED, refund_no=R1, txn="B1"))
    again = says(SUCCEEDED, refund_no=R1, txn="B2")
    assert paid.take(again) == [overpaid(5), ticket(6, TicketReason.REFUND_OVERPAID, R1)]
    assert paid.take(again, says(SUCCEEDED, refund_no=R1, txn="B1")) == []
    third = says(SUCCEEDED, refund_no=R1, txn="B3")
    assert paid.take(third) == [
        overpaid(7, txn="B3"),
        ticket(8, TicketReason.REFUND_OVERPAID, R1, nth=2),
    ]


# --- surplus money: nobody asks again, so time does ----------------------------------------------


def test_a_failed_refund_of_surplus_money_is_asked_again_under_its_number(
    surplus_desk: Desk,
) -> None:
    asked = refund_requested(6, S1, reason="ORDER_CLOSED", is_repeat=True)
    assert surplus_desk.take(says(FAILED, refund_no=S1)) == [refund_failed(5, S1)]
    assert surplus_desk.take(says(FAILED, refund_no=S1)) == []
    assert surplus_desk.pass_time(ASK_AGAIN_MS - 1) == []
    assert surplus_desk.pass_time(1) == [asked]
    report = says(SUCCEEDED, refund_no=S1, txn="B1")
    assert surplus_desk.take(report) == [refund_succeeded(7, S1)]
    assert surplus_desk.told() == []


def test_each_refund_of_surplus_money_waits_for_its_own_time(surplus_desk: Desk) -> None:
    surplus_desk.take(says(SUCCEEDED, txn="T2"), says(FAILED, refund_no=S1))
    surplus_desk.pass_time(1)
    surplus_desk.take(says(FAILED, refund_no="O1-1-S2"))
    first = refund_requested(9, S1, reason="ORDER_CLOSED", is_repeat=True)
    assert surplus_desk.pass_time(ASK_AGAIN_MS - 1) == [first]
    second = refund_requested(10, "O1-1-S2", reason="ORDER_CLOSED", txn="T2", is_repeat=True)
    assert surplus_desk.pass_time(1) == [second]


def test_a_success_during_the_wait_ends_it(surplus_desk: Desk) -> None:
    surplus_desk.take(says(FAILED, refund_no=S1), says(SUCCEEDED, refund_no=S1, txn="B1"))
    assert surplus_desk.pass_time(ASK_AGAIN_CAP_MS) == []


@pytest.mark.parametrize("refund_no", [R1, S1])
def test_after_the_last_try_a_ticket_is_opened_and_the_order_told_if_it_asked(
    refund_no: str,
) -> None:
    desk = Desk()
    desk.take(pay(), *([close()] if refund_no == S1 else []), says(SUCCEEDED))
    if refund_no == R1:
        desk.take(refund())
    for _ in range(MAX_TRIES - 1):
        desk.take(says(FAILED, refund_no=refund_no))
        assert len(desk.pass_time(ASK_AGAIN_CAP_MS)) == 1
    version, told = desk.known().version, len(desk.told())
    last = refund_failed(version + 1, refund_no, reason="GAVE_UP")
    opened = ticket(version + 2, TicketReason.REFUND_UNPAID, refund_no)
    assert desk.take(says(FAILED, refund_no=refund_no)) == [last, opened]
    assert desk.public()[-2:] == [last, opened]
    assert desk.told()[told:] == ([last] if refund_no == R1 else [])
    assert desk.pass_time(ASK_AGAIN_CAP_MS) == []
    assert desk.take(says(SUCCEEDED, refund_no=refund_no, txn="B1")) == [
        refund_succeeded(version + 3, refund_no),
        ticket_closed(opened, version + 4, ANSWERED),
    ]


def test_waits_double_up_to_the_cap() -> None:
    waits = [ask_again_ms(tries) for tries in range(1, MAX_TRIES + 1)]
    assert waits[:4] == [5_000, 10_000, 20_000, 40_000]
    assert waits[-4:] == [ASK_AGAIN_CAP_MS] * 4
    assert sum(waits) == 3_635_000
