"""Unknown outcomes: when the gateway is asked, how often, and what an answer ends."""

from __future__ import annotations

import pytest

from schemas.payment import GatewayStatus, PaymentQueried, RefundQueried, TicketReason
from streams.payments.facts import PaymentNoted, PaymentsForgotten
from streams.payments.machine import PayState
from streams.payments.state import ASK_AGAIN_CAP_MS, ASK_AGAIN_MS, FORGET_MS, MAX_TRIES
from tests.unit.payments.desk import (
    ANSWERED,
    CLOSED,
    FAILED,
    ORDER,
    PENDING,
    SUCCEEDED,
    UNKNOWN,
    Desk,
    close,
    closed,
    failed,
    pay,
    queried,
    refund,
    refund_queried,
    refund_requested,
    refund_succeeded,
    says,
    succeeded,
    surplus,
    ticket,
    ticket_closed,
)

R1 = "O1-1-R1"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.take(pay())
    return desk


@pytest.mark.parametrize("status", [PENDING, UNKNOWN])
def test_unknown_is_polled_with_backoff(desk: Desk, status: GatewayStatus) -> None:
    desk.take(says(status))
    assert desk.pass_time(ASK_AGAIN_MS - 1) == []
    assert desk.pass_time(1) == [queried(2, 1)]
    assert desk.public()[-1] == queried(2, 1)
    assert desk.told() == []
    desk.take(says(status))
    assert desk.pass_time(ASK_AGAIN_MS - 1) == []
    assert desk.pass_time(1) == [queried(3, 2)]
    assert desk.pass_time(2 * ASK_AGAIN_MS) == [queried(4, 3)]
    assert desk.pass_time(4 * ASK_AGAIN_MS) == [queried(5, 4)]


def test_further_progress_does_not_put_the_question_off(desk: Desk) -> None:
    desk.take(says(UNKNOWN))
    desk.pass_time(ASK_AGAIN_MS - 1)
    desk.take(says(PENDING))
    assert desk.pass_time(1) == [queried(2)]


@pytest.mark.parametrize(
    ("status", "end"),
    [(SUCCEEDED, succeeded(3)), (FAILED, failed(3)), (CLOSED, failed(3, "CLOSED"))],
)
def test_the_answer_to_a_query_ends_the_attempt_and_the_asking(
    desk: Desk, status: GatewayStatus, end: object
) -> None:
    desk.take(says(UNKNOWN))
    desk.pass_time(ASK_AGAIN_MS)
    assert desk.take(says(status)) == [end]
    assert desk.pass_time(ASK_AGAIN_CAP_MS) == []


def test_after_the_last_query_a_ticket_is_opened(desk: Desk) -> None:
    desk.take(says(UNKNOWN))
    asked = [desk.pass_time(ASK_AGAIN_CAP_MS) for _ in range(MAX_TRIES)]
    assert asked == [[queried(1 + nth, nth)] for nth in range(1, MAX_TRIES + 1)]
    opened = ticket(MAX_TRIES + 2, TicketReason.PAYMENT_UNKNOWN)
    assert desk.pass_time(ASK_AGAIN_CAP_MS) == [opened]
    assert desk.public()[-1] == opened
    assert desk.pass_time(10 * ASK_AGAIN_CAP_MS) == []
    assert desk.take(says(PENDING)) == [PaymentNoted(ORDER, "O1-1", PENDING)]
    assert desk.pass_time(10 * ASK_AGAIN_CAP_MS) == []


@pytest.mark.parametrize(("status", "end"), [(SUCCEEDED, succeeded), (FAILED, failed)])
def test_an_answer_that_comes_after_all_closes_the_ticket(
    desk: Desk, status: GatewayStatus, end: object
) -> None:
    desk.take(says(UNKNOWN))
    for _ in range(MAX_TRIES):
        desk.pass_time(ASK_AGAIN_CAP_MS)
    (opened,) = desk.pass_time(ASK_AGAIN_CAP_MS)
    version = desk.known().version
    assert desk.take(says(status)) == [
        end(version + 1),  # type: ignore[operator]  # succeeded or failed
        ticket_closed(opened, version + 2, ANSWERED),  # type: ignore[arg-type]
    ]
    assert desk.known().tickets == ()


def test_money_that_a_lost_message_hides_is_found_and_goes_back_when_the_order_has_ended(
    desk: Desk,
) -> None:
    """Paid at the gateway, the callback lost, the order expired: the janitor finds the money."""
    desk.take(says(PENDING))
    assert desk.take(close())[:1] == [closed(2)]
    assert desk.pass_time(ASK_AGAIN_MS) == [queried(3, 1, is_closed=True)]
    assert desk.take(says(SUCCEEDED)) == [
        surplus(4, "ORDER_CLOSED"),
        refund_requested(5, "O1-1-S1", reason="ORDER_CLOSED"),
    ]
    assert desk.take(says(PENDING)) == []
    desk.take(says(SUCCEEDED, refund_no="O1-1-S1", txn="B1"))
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


@pytest.mark.parametrize("status", [CLOSED, FAILED])
def test_a_closed_attempt_is_asked_about_until_the_gateway_says_that_no_money_came(
    desk: Desk, status: GatewayStatus
) -> None:
    desk.take(says(PENDING))
    desk.take(close())
    desk.pass_time(ASK_AGAIN_MS)
    assert desk.take(says(PENDING)) == []
    assert desk.pass_time(ASK_AGAIN_MS) == [queried(4, 2, is_closed=True)]
    assert desk.take(says(status)) == [PaymentNoted(ORDER, "O1-1", status)]
    assert desk.take(says(status)) == []
    assert desk.known().attempts[0].state == PayState.CLOSED
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_closing_asks_soon_whatever_the_wait_was(desk: Desk) -> None:
    desk.take(says(PENDING))
    for _ in range(MAX_TRIES - 1):
        desk.pass_time(ASK_AGAIN_CAP_MS)
    desk.take(close())
    version = desk.known().version
    assert desk.pass_time(ASK_AGAIN_MS) == [queried(version + 1, 1, is_closed=True)]


def test_a_closed_attempt_that_the_gateway_first_speaks_of_afterwards_is_asked_about(
    desk: Desk,
) -> None:
    desk.take(close())
    assert desk.take(says(PENDING)) == [PaymentNoted(ORDER, "O1-1", PENDING)]
    assert desk.take(says(PENDING)) == []
    assert desk.pass_time(ASK_AGAIN_MS) == [queried(3, 1, is_closed=True)]


def test_a_closed_attempt_that_the_gateway_never_spoke_of_is_not_asked_about(desk: Desk) -> None:
    desk.take(close())
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_an_attempt_closed_by_another_ones_success_is_asked_about_too(desk: Desk) -> None:
    desk.take(says(PENDING), pay("O1-2"), says(SUCCEEDED, "O1-2"))
    assert desk.pass_time(ASK_AGAIN_MS) == [queried(5, 1, is_closed=True)]


@pytest.mark.parametrize("said", [(), (PENDING,), (UNKNOWN,), (UNKNOWN, PENDING)])
def test_a_refund_without_an_end_is_asked_about_with_backoff(
    desk: Desk, said: tuple[GatewayStatus, ...]
) -> None:
    desk.take(says(SUCCEEDED), refund(), *(says(status, refund_no=R1) for status in said))
    assert desk.pass_time(ASK_AGAIN_MS) == [refund_queried(4, 2)]
    assert desk.pass_time(2 * ASK_AGAIN_MS) == [refund_queried(5, 3)]
    assert desk.take(says(SUCCEEDED, refund_no=R1, txn="B1")) == [refund_succeeded(6)]
    assert not any(isinstance(f, RefundQueried) for f in desk.pass_time(ASK_AGAIN_CAP_MS))


def test_a_refund_that_is_found_to_have_failed_is_asked_for_again(desk: Desk) -> None:
    desk.take(says(SUCCEEDED), refund(), says(UNKNOWN, refund_no=R1))
    desk.pass_time(ASK_AGAIN_MS)
    desk.take(says(FAILED, refund_no=R1))
    assert desk.pass_time(2 * ASK_AGAIN_MS) == [refund_requested(6, is_repeat=True)]


def test_a_refund_that_nobody_knows_the_end_of_gets_a_ticket_and_a_late_failure_no_second_one(
    desk: Desk,
) -> None:
    desk.take(says(SUCCEEDED), refund(), says(UNKNOWN, refund_no=R1))
    for _ in range(MAX_TRIES - 1):
        desk.pass_time(ASK_AGAIN_CAP_MS)
    version = desk.known().version
    opened = ticket(version + 1, TicketReason.REFUND_UNPAID, R1)
    assert desk.pass_time(ASK_AGAIN_CAP_MS) == [opened]
    assert [type(f).__name__ for f in desk.take(says(FAILED, refund_no=R1))] == ["RefundFailed"]
    assert len(desk.known().tickets) == 1


def test_two_things_that_are_due_together_have_versions_without_a_gap(desk: Desk) -> None:
    desk.take(says(PENDING), pay("O1-2"), says(UNKNOWN, "O1-2"))
    facts = desk.pass_time(ASK_AGAIN_MS)
    assert facts == [queried(3), queried(4, pay_no="O1-2")]


def test_the_ordinary_payment_is_never_asked_about(desk: Desk) -> None:
    desk.take(says(SUCCEEDED))
    desk.pass_time(10 * ASK_AGAIN_CAP_MS)
    assert not any(isinstance(f, PaymentQueried) for f in desk.facts)
