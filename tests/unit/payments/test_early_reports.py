"""A gateway's message may be ahead of the request; and what is done with may be forgotten."""

from __future__ import annotations

import pytest

from schemas.payment import PaymentReason, TicketReason
from streams.payments.facts import (
    EarlyReportsDropped,
    PaymentsForgotten,
    ReportRemembered,
)
from streams.payments.state import (
    EARLY_REPORT_MS,
    FORGET_KEPT_MS,
    FORGET_MS,
    MAX_EARLY_REPORTS,
    MAX_TRIES,
)
from tests.unit.payments.desk import (
    FAILED,
    ORDER,
    PENDING,
    SHOP,
    START_MS,
    SUCCEEDED,
    Desk,
    but,
    close,
    closed,
    failed,
    pay,
    refund,
    refund_requested,
    refund_succeeded,
    refused_report,
    requested,
    says,
    succeeded,
    surplus,
    ticket,
)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_money_ahead_of_its_request_is_kept_when_the_request_comes(desk: Desk) -> None:
    report = says(SUCCEEDED)
    assert desk.take(report) == [ReportRemembered(ORDER, report)]
    assert desk.outputs == []
    assert desk.take(pay()) == [requested(1), succeeded(2)]
    assert desk.known().early == ()
    assert desk.pass_time(EARLY_REPORT_MS) == []


def test_repeats_ahead_of_the_request_are_remembered_once(desk: Desk) -> None:
    desk.take(says(SUCCEEDED))
    assert desk.take(but(says(SUCCEEDED), occurred_at_ms=1, trace_id="")) == []


def test_everything_ahead_of_the_request_is_judged_in_its_order(desk: Desk) -> None:
    desk.take(says(FAILED), says(PENDING), says(SUCCEEDED), says(SUCCEEDED, txn="T2"))
    assert desk.take(pay()) == [
        requested(1),
        failed(2),
        succeeded(3),
        surplus(4, "DUPLICATE", txn="T2"),
        refund_requested(5, "O1-1-S1", reason="DUPLICATE", txn="T2"),
    ]


def test_wrong_money_ahead_of_the_request_is_refused_when_the_request_comes(desk: Desk) -> None:
    report = says(SUCCEEDED, amount_fen=1)
    desk.take(report)
    refusal = refused_report(1, report, PaymentReason.AMOUNT_MISMATCH)
    opened = ticket(2, TicketReason.MONEY_MISMATCH, amount_fen=1)
    assert desk.take(pay()) == [requested(1), refusal, opened]


def test_messages_about_other_numbers_stay_remembered(desk: Desk) -> None:
    other = says(SUCCEEDED, "O1-2", txn="T2")
    desk.take(other)
    assert desk.take(pay()) == [requested(1)]
    assert [early.report for early in desk.known().early] == [other]


def test_a_refunds_report_ahead_of_its_request_is_judged_with_it(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED), says(SUCCEEDED, refund_no="O1-1-R1", txn="B1"))
    assert desk.take(refund()) == [refund_requested(3), refund_succeeded(4)]
    assert desk.known().early == ()


def test_a_refunds_report_waits_for_the_refund_not_for_its_payment(desk: Desk) -> None:
    desk.take(says(SUCCEEDED, refund_no="O1-1-R1", txn="B1"))
    assert desk.take(pay(), says(SUCCEEDED)) == [succeeded(2)]
    assert desk.take(refund()) == [refund_requested(3), refund_succeeded(4)]


def test_a_surplus_refunds_report_that_is_ahead_is_judged_with_it(desk: Desk) -> None:
    desk.take(pay(), close(), says(SUCCEEDED, refund_no="O1-1-S1", txn="B1"))
    assert desk.take(says(SUCCEEDED)) == [
        surplus(3, "ORDER_CLOSED"),
        refund_requested(4, "O1-1-S1", reason="ORDER_CLOSED"),
        refund_succeeded(5, "O1-1-S1"),
    ]


def test_money_that_nobody_asked_for_becomes_a_public_fact_that_names_it(desk: Desk) -> None:
    report = says(SUCCEEDED)
    desk.take(report)
    assert desk.pass_time(EARLY_REPORT_MS - 1) == []
    refusal = refused_report(0, report, PaymentReason.UNKNOWN_PAYMENT, shop_id=0)
    assert desk.pass_time(1) == [
        refusal,
        EarlyReportsDropped(ORDER, START_MS),
    ]
    assert desk.public() == [refusal]
    assert desk.told() == []
    assert desk.is_forgotten()


def test_only_messages_that_waited_long_enough_are_refused(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED, "O1-2"))
    desk.pass_time(10)
    desk.take(says(SUCCEEDED, refund_no="O1-1-R7"))
    first = refused_report(1, says(SUCCEEDED, "O1-2"), PaymentReason.UNKNOWN_PAYMENT)
    dropped = EarlyReportsDropped(ORDER, START_MS)
    assert desk.pass_time(EARLY_REPORT_MS - 10) == [first, dropped]
    report = says(SUCCEEDED, refund_no="O1-1-R7")
    second = refused_report(1, report, PaymentReason.UNKNOWN_REFUND)
    assert desk.pass_time(10) == [second, EarlyReportsDropped(ORDER, START_MS + 10)]
    assert desk.known().early == ()
    assert desk.take(says(SUCCEEDED)) == [succeeded(2)]


def test_what_cannot_be_remembered_is_refused_at_once(desk: Desk) -> None:
    desk.take(*(says(SUCCEEDED, txn=f"T{n}") for n in range(MAX_EARLY_REPORTS)))
    report = says(SUCCEEDED, txn="Tx")
    refusal = refused_report(0, report, PaymentReason.UNKNOWN_PAYMENT, shop_id=0)
    assert desk.take(report) == [refusal]


# --- forgetting ----------------------------------------------------------------------------------


def test_an_ended_order_is_forgotten_after_the_retention(desk: Desk) -> None:
    desk.take(pay(), close())
    assert desk.pass_time(FORGET_MS - 1) == []
    assert desk.pass_time(1) == [PaymentsForgotten(ORDER)]
    assert desk.is_forgotten()
    assert desk.public() == [requested(1), closed(2)]


def test_a_fully_refunded_order_is_forgotten_after_the_retention(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED), refund(), says(SUCCEEDED, refund_no="O1-1-R1", txn="B1"))
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_kept_money_is_forgotten_at_last(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    assert desk.pass_time(FORGET_KEPT_MS) == [PaymentsForgotten(ORDER)]


def test_a_payment_of_nothing_is_forgotten_after_the_retention(desk: Desk) -> None:
    desk.take(pay(amount_fen=0), says(SUCCEEDED, amount_fen=0))
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_kept_money_is_remembered_as_long_as_it_may_have_to_be_given_back(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    assert desk.pass_time(FORGET_KEPT_MS - 1) == []
    assert desk.take(refund(amount_fen=1)) == [refund_requested(3, amount_fen=1)]
    desk.take(says(SUCCEEDED, refund_no="O1-1-R1", txn="B1", amount_fen=1))
    assert desk.pass_time(FORGET_KEPT_MS - 1) == []
    assert desk.pass_time(1) == [PaymentsForgotten(ORDER)]


@pytest.mark.parametrize("state", ["attempt", "refund", "surplus", "failed", "closed"])
def test_what_has_no_end_is_asked_about_until_there_is_a_ticket_and_never_forgotten(
    desk: Desk, state: str
) -> None:
    if state == "attempt":
        desk.take(pay(), says(PENDING))
    elif state == "refund":
        desk.take(pay(), says(SUCCEEDED), refund(), says(PENDING, refund_no="O1-1-R1"))
    elif state == "surplus":
        desk.take(pay(), close(), says(SUCCEEDED))
    elif state == "failed":
        desk.take(pay(), close(), says(SUCCEEDED), says(FAILED, refund_no="O1-1-S1"))
    else:
        desk.take(pay(), says(PENDING), close())
    for _ in range(2 * MAX_TRIES):
        desk.pass_time(FORGET_KEPT_MS)
    assert len(desk.known().tickets) == 1
    assert desk.pass_time(10 * FORGET_KEPT_MS) == []
    assert not desk.is_forgotten()


def test_an_attempt_that_the_gateway_never_spoke_of_waits_for_the_effect_worker(desk: Desk) -> None:
    desk.take(pay())
    assert desk.pass_time(10 * FORGET_KEPT_MS) == []
    assert not desk.is_forgotten()


def test_a_report_for_a_forgotten_order_is_an_unknown_payment(desk: Desk) -> None:
    desk.take(pay(), close())
    desk.pass_time(FORGET_MS)
    report = says(SUCCEEDED)
    assert desk.take(report) == [ReportRemembered(ORDER, report)]
    refusal = refused_report(0, report, PaymentReason.UNKNOWN_PAYMENT, shop_id=0)
    assert desk.pass_time(EARLY_REPORT_MS)[:1] == [refusal]
    assert desk.is_forgotten()


def test_the_shop_is_known_once_the_request_is(desk: Desk) -> None:
    desk.take(says(SUCCEEDED, "O1-2"), pay())
    assert desk.known().shop_id == SHOP
