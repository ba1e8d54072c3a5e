"""An order that was amended: its attempts so far are void, and it may open others."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.payment import ClosePayments, GatewayReport, PaymentClosed, PaymentSucceeded
from streams.payments.facts import AnsweredAgain, AttemptsVoided
from tests.unit.payments.desk import (
    FAILED,
    ORDER,
    PAY,
    PENDING,
    SUCCEEDED,
    Desk,
    close,
    closed,
    pay,
    requested,
    says,
    succeeded,
    surplus,
)

SECOND = "O1-2"
WHY = "AMENDED"


def void(pay_no: str = PAY) -> ClosePayments:
    return replace(close(WHY), pay_no=pay_no)


def answer(version: int, pay_no: str = PAY) -> AnsweredAgain:
    return AnsweredAgain(ORDER, closed(version, pay_no, WHY))


def test_open_attempts_are_closed_and_the_order_is_answered() -> None:
    desk = Desk()
    desk.take(pay(), pay(SECOND, "other"))

    assert desk.take(void(SECOND)) == [
        closed(3, PAY, WHY),
        closed(4, SECOND, WHY),
        AttemptsVoided(ORDER),
        answer(4, SECOND),
    ]
    assert desk.told() == [closed(4, SECOND, WHY)]


def test_the_order_may_open_another_attempt_and_pay_over_it() -> None:
    desk = Desk()
    desk.take(pay(), void())

    assert desk.take(pay(SECOND)) == [requested(3, SECOND)]
    assert desk.take(says(SUCCEEDED, pay_no=SECOND)) == [succeeded(4, SECOND)]


@pytest.mark.parametrize("before", [[], [says(PENDING)], [says(FAILED)]], ids=len)
def test_money_of_a_void_attempt_goes_back_whatever_was_said_before(
    before: list[GatewayReport],
) -> None:
    desk = Desk()
    desk.take(pay(), *before, void())
    version = desk.known().version

    assert desk.take(says(SUCCEEDED))[0] == surplus(version + 1, "VOID")
    desk.take(pay(SECOND))
    paid = desk.take(says(SUCCEEDED, pay_no=SECOND, txn="T2"))[0]
    assert isinstance(paid, PaymentSucceeded)


def test_an_order_whose_money_was_kept_before_is_told_so_again() -> None:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED))

    assert desk.take(void()) == [AnsweredAgain(ORDER, succeeded(2))]
    assert desk.told()[-1] == succeeded(2)


def test_asking_again_is_answered_again() -> None:
    desk = Desk()
    desk.take(pay(), void())

    assert desk.take(void()) == [AttemptsVoided(ORDER), answer(2)]


def test_payments_that_are_not_known_are_closed() -> None:
    desk = Desk()

    (told,) = desk.take(void())
    assert isinstance(told, AnsweredAgain)
    assert isinstance(told.answer, PaymentClosed)
    assert desk.told() == [told.answer]
