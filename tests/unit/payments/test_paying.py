"""Attempts: what opens, keeps, fails, closes and refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import InvalidMessage
from schemas.payment import GatewayStatus, PaymentReason, TicketReason
from schemas.stream import Tick
from streams.payments.facts import AnsweredAgain, PaymentNoted, PaymentsEnded
from streams.payments.machine import PayState
from streams.payments.state import MAX_ATTEMPTS
from tests.unit.payments.desk import (
    CLOSED,
    FAILED,
    ORDER,
    PENDING,
    SHOP,
    SUCCEEDED,
    UNKNOWN,
    Desk,
    but,
    close,
    closed,
    failed,
    pay,
    refund_requested,
    refund_succeeded,
    refused,
    refused_report,
    requested,
    says,
    succeeded,
    surplus,
    ticket,
)

SECOND = "O1-2"


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_request_opens_an_attempt_and_only_the_public_hears_of_it(desk: Desk) -> None:
    assert desk.take(pay()) == [requested(1)]
    assert desk.public() == [requested(1)]
    assert desk.told() == []


def test_a_success_is_kept_and_the_order_is_told_the_public_fact(desk: Desk) -> None:
    desk.take(pay())
    assert desk.take(says(SUCCEEDED)) == [succeeded(2)]
    assert desk.public()[-1] is desk.told()[-1]
    assert desk.known().kept_pay_no == "O1-1"


@pytest.mark.parametrize(
    ("status", "state"), [(PENDING, PayState.PENDING), (UNKNOWN, PayState.UNKNOWN)]
)
def test_progress_is_noted_and_nobody_is_told(
    desk: Desk, status: GatewayStatus, state: PayState
) -> None:
    desk.take(pay())
    told = len(desk.outputs)
    assert desk.take(says(status)) == [PaymentNoted(ORDER, "O1-1", status)]
    assert desk.known().attempts[0].state == state
    assert desk.take(says(status)) == []
    assert len(desk.outputs) == told


@pytest.mark.parametrize("status", [FAILED, CLOSED])
def test_a_failure_is_told_once_with_the_gateways_reason(desk: Desk, status: GatewayStatus) -> None:
    desk.take(pay())
    assert desk.take(says(status)) == [failed(2, status.value)]
    assert desk.told() == [failed(2, status.value)]
    assert desk.take(says(FAILED)) == []
    assert desk.take(says(CLOSED)) == []


@pytest.mark.parametrize("status", [FAILED, CLOSED])
def test_money_wins_over_a_failure_that_came_first(desk: Desk, status: GatewayStatus) -> None:
    desk.take(pay(), says(status))
    assert desk.take(says(SUCCEEDED)) == [succeeded(3)]


def test_a_success_that_the_gateway_repeats_has_no_effect(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    assert desk.take(says(SUCCEEDED)) == []


def test_the_same_request_while_it_is_open_is_not_asked_again(desk: Desk) -> None:
    desk.take(pay())
    assert desk.take(pay()) == []


def test_the_same_request_after_the_success_is_answered_by_it_again(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    public = len(desk.public())
    assert desk.take(but(pay(), trace_id="other")) == [AnsweredAgain(ORDER, succeeded(2))]
    assert desk.told() == [succeeded(2), succeeded(2)]
    assert len(desk.public()) == public


def test_the_same_request_after_the_failure_is_answered_by_it_again(desk: Desk) -> None:
    desk.take(pay(), says(CLOSED))
    assert desk.take(pay()) == [AnsweredAgain(ORDER, failed(2, "CLOSED"))]


def test_the_same_request_after_its_attempt_was_closed_is_refused(desk: Desk) -> None:
    desk.take(pay(), close())
    assert desk.take(pay()) == [refused(2, pay(), PaymentReason.ORDER_CLOSED)]


@pytest.mark.parametrize(
    "other",
    [
        but(pay(), amount_fen=1),
        but(pay(), currency="USD"),
        but(pay(), channel="sim-late"),
        but(pay(), user_id=43),
        but(pay(), shop_id=8),
    ],
)
def test_the_same_number_with_another_body_is_a_conflict(desk: Desk, other: Any) -> None:
    desk.take(pay())
    facts = desk.take(other)
    assert facts == [but(refused(1, pay(), PaymentReason.CONFLICT), shop_id=other.shop_id)]
    assert desk.told() == facts


def test_a_paid_order_takes_no_other_request(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    other = pay(SECOND)
    assert desk.take(other) == [refused(2, other, PaymentReason.ALREADY_PAID)]
    assert desk.told()[-1] == refused(2, other, PaymentReason.ALREADY_PAID)


def test_an_ended_order_takes_no_request_even_if_it_never_had_one(desk: Desk) -> None:
    assert desk.take(close()) == [PaymentsEnded(ORDER, SHOP)]
    assert desk.take(pay()) == [refused(0, pay(), PaymentReason.ORDER_CLOSED)]


def test_a_negative_amount_is_refused(desk: Desk) -> None:
    message = pay(amount_fen=-1)
    assert desk.take(message) == [refused(0, message, PaymentReason.AMOUNT_MISMATCH)]
    assert desk.is_forgotten()


def test_another_shop_cannot_pay_for_the_order(desk: Desk) -> None:
    desk.take(pay())
    message = but(pay(SECOND), shop_id=8)
    assert desk.take(message) == [but(refused(1, message, PaymentReason.CONFLICT), shop_id=8)]


def test_attempts_are_limited(desk: Desk) -> None:
    desk.take(*(pay(f"O1-{n}") for n in range(MAX_ATTEMPTS)))
    message = pay("O1-x")
    reason = PaymentReason.TOO_MANY_ATTEMPTS
    assert desk.take(message) == [refused(MAX_ATTEMPTS, message, reason)]


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (says(SUCCEEDED, amount_fen=1), PaymentReason.AMOUNT_MISMATCH),
        (but(says(SUCCEEDED), currency="USD"), PaymentReason.CURRENCY_MISMATCH),
    ],
)
def test_money_that_does_not_fit_the_attempt_is_not_kept(
    desk: Desk, report: Any, reason: PaymentReason
) -> None:
    desk.take(pay())
    refusal = refused_report(1, report, reason)
    opened = but(
        ticket(2, TicketReason.MONEY_MISMATCH, amount_fen=report.amount_fen),
        currency=report.currency,
    )
    assert desk.take(report) == [refusal, opened]
    assert desk.public()[-2:] == [refusal, opened]
    assert desk.take(report) == [but(refusal, version=2)]
    assert desk.told() == []
    assert desk.known().movements == ()
    assert desk.take(says(SUCCEEDED)) == [succeeded(3)]


def test_money_without_the_gateways_number_is_invalid(desk: Desk) -> None:
    desk.take(pay())
    with pytest.raises(InvalidMessage, match="NO_TXN_NO"):
        desk.take(says(SUCCEEDED, txn=""))


def test_a_message_that_is_not_about_payments_is_invalid(desk: Desk) -> None:
    with pytest.raises(InvalidMessage, match="NOT_FOR_PAYMENTS"):
        desk.take(Tick(1))


def test_the_first_success_closes_the_other_open_attempts(desk: Desk) -> None:
    desk.take(pay(), pay(SECOND), pay("O1-3"), says(FAILED, "O1-3"))
    assert desk.take(says(SUCCEEDED, SECOND)) == [
        succeeded(5, SECOND),
        closed(6, "O1-1", "ALREADY_PAID"),
    ]


def test_a_second_payment_of_one_order_is_given_back(desk: Desk) -> None:
    desk.take(pay(), pay(SECOND, "sim-late"), says(SUCCEEDED))
    facts = desk.take(says(SUCCEEDED, SECOND, txn="T2"))
    assert facts == [
        surplus(5, "DUPLICATE", SECOND, "T2"),
        refund_requested(6, "O1-2-S1", SECOND, reason="DUPLICATE", txn="T2", channel="sim-late"),
    ]
    assert desk.public()[-2:] == facts
    assert desk.told() == [succeeded(3)]
    assert desk.take(says(SUCCEEDED, SECOND, txn="T2")) == []


def test_a_second_charge_of_one_attempt_is_given_back_and_the_first_stays(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    assert desk.take(says(SUCCEEDED, txn="T2")) == [
        surplus(3, "DUPLICATE", txn="T2"),
        refund_requested(4, "O1-1-S1", reason="DUPLICATE", txn="T2"),
    ]
    assert desk.take(says(SUCCEEDED, txn="T3")) == [
        surplus(5, "DUPLICATE", txn="T3"),
        refund_requested(6, "O1-1-S2", reason="DUPLICATE", txn="T3"),
    ]
    assert desk.known().refundable_fen() == 12_500


def test_the_same_movement_of_money_cannot_pay_two_attempts(desk: Desk) -> None:
    desk.take(pay(), pay(SECOND), says(SUCCEEDED))
    report = says(SUCCEEDED, SECOND, txn="T1")
    assert desk.take(report) == [refused_report(4, report, PaymentReason.CONFLICT)]


def test_two_gateways_may_use_the_same_number(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    second = but(says(SUCCEEDED), gateway="other")
    assert desk.take(second) == [
        but(surplus(3, "DUPLICATE"), gateway="other"),
        but(refund_requested(4, "O1-1-S1", reason="DUPLICATE"), gateway="other"),
    ]


def test_closing_closes_what_is_open_once(desk: Desk) -> None:
    desk.take(pay(), says(PENDING), pay(SECOND), pay("O1-3"), says(FAILED, "O1-3"))
    assert desk.take(close()) == [closed(5), closed(6, SECOND), PaymentsEnded(ORDER, SHOP)]
    assert desk.take(close()) == []
    assert desk.take(says(FAILED, SECOND)) == []


def test_money_after_the_end_is_given_back_and_the_attempt_stays_closed(desk: Desk) -> None:
    desk.take(pay(), close())
    assert desk.take(says(SUCCEEDED)) == [
        surplus(3, "ORDER_CLOSED"),
        refund_requested(4, "O1-1-S1", reason="ORDER_CLOSED"),
    ]
    assert desk.told() == []
    assert desk.known().attempts[0].state == PayState.CLOSED
    report = says(SUCCEEDED, refund_no="O1-1-S1", txn="B1")
    assert desk.take(report) == [refund_succeeded(5, "O1-1-S1")]
    assert desk.told() == []
    assert desk.take(pay()) == [refused(5, pay(), PaymentReason.ORDER_CLOSED)]


def test_money_after_a_failure_and_the_end_is_given_back(desk: Desk) -> None:
    desk.take(pay(), says(FAILED), close())
    assert desk.take(says(SUCCEEDED)) == [
        surplus(3, "ORDER_CLOSED"),
        refund_requested(4, "O1-1-S1", reason="ORDER_CLOSED"),
    ]


def test_closing_leaves_kept_money_to_the_order(desk: Desk) -> None:
    desk.take(pay(), says(SUCCEEDED))
    assert desk.take(close()) == [PaymentsEnded(ORDER, SHOP)]
    assert desk.known().refundable_fen() == 12_500
