"""What an operator may decide about a ticket, and what that does."""

from __future__ import annotations

import pytest

from schemas.payment import PaymentReason, PaymentTicketOpened, TicketReason, TicketResolution
from streams.payments.facts import PaymentsForgotten
from streams.payments.resolving import FITTING
from streams.payments.state import ASK_AGAIN_CAP_MS, ASK_AGAIN_MS, FORGET_MS, MAX_TRIES
from tests.unit.payments.desk import (
    ANSWERED,
    FAILED,
    ORDER,
    RETRY,
    SETTLED,
    SUCCEEDED,
    UNKNOWN,
    WRITTEN_OFF,
    Desk,
    but,
    close,
    failed,
    overpaid,
    pay,
    queried,
    refund,
    refund_queried,
    refund_requested,
    refund_succeeded,
    refused,
    resolve,
    says,
    succeeded,
    ticket_closed,
)

R1 = "O1-1-R1"


def open_ticket(desk: Desk) -> PaymentTicketOpened:
    """Let time pass until there is a ticket."""
    while not desk.known().tickets:
        facts = desk.pass_time(ASK_AGAIN_CAP_MS)
    opened = facts[-1]
    assert isinstance(opened, PaymentTicketOpened)
    return opened


def payment_unknown() -> Desk:
    desk = Desk()
    desk.take(pay(), says(UNKNOWN))
    return desk


def refund_unknown() -> Desk:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED), refund(), says(UNKNOWN, refund_no=R1))
    return desk


def refund_given_up() -> tuple[Desk, PaymentTicketOpened]:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED), refund())
    for _ in range(MAX_TRIES - 1):
        desk.take(says(FAILED, refund_no=R1))
        desk.pass_time(ASK_AGAIN_CAP_MS)
    _, opened = desk.take(says(FAILED, refund_no=R1))
    assert isinstance(opened, PaymentTicketOpened)
    return desk, opened


def overpaid_twice() -> tuple[Desk, PaymentTicketOpened]:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED), refund(), says(SUCCEEDED, refund_no=R1, txn="B1"))
    _, opened = desk.take(says(SUCCEEDED, refund_no=R1, txn="B2"))
    assert isinstance(opened, PaymentTicketOpened)
    return desk, opened


def test_a_payment_is_asked_about_again_from_the_first_wait() -> None:
    desk = payment_unknown()
    opened = open_ticket(desk)
    version = opened.version
    assert desk.take(resolve(RETRY)) == [
        ticket_closed(opened, version + 1, RETRY, "mia"),
        queried(version + 2, 1),
    ]
    assert desk.public()[-2].operator == "mia"
    assert desk.pass_time(ASK_AGAIN_MS) == [queried(version + 3, 2)]
    second = open_ticket(desk)
    assert second.ticket_no == "O1-T2"


def test_a_payment_that_is_written_off_has_failed_and_the_order_is_told() -> None:
    desk = payment_unknown()
    opened = open_ticket(desk)
    version = opened.version
    end = failed(version + 2, "WRITTEN_OFF")
    assert desk.take(resolve(WRITTEN_OFF)) == [
        ticket_closed(opened, version + 1, WRITTEN_OFF, "mia"),
        end,
    ]
    assert desk.told() == [end]
    assert desk.take(says(SUCCEEDED)) == [succeeded(version + 3)], "money that is there counts"


def test_a_closed_payment_that_is_written_off_is_done_with() -> None:
    desk = payment_unknown()
    desk.take(close())
    opened = open_ticket(desk)
    facts = desk.take(resolve(WRITTEN_OFF))
    assert facts == [ticket_closed(opened, opened.version + 1, WRITTEN_OFF, "mia")]
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_a_refund_that_failed_is_asked_for_again_under_its_number() -> None:
    desk, opened = refund_given_up()
    version = opened.version
    assert desk.take(resolve(RETRY)) == [
        ticket_closed(opened, version + 1, RETRY, "mia"),
        refund_requested(version + 2, is_repeat=True),
    ]
    assert desk.take(says(FAILED, refund_no=R1))[0] == but(
        desk.public()[-1], version=version + 3, reason="FAILED"
    )
    assert desk.pass_time(ASK_AGAIN_MS) == [refund_requested(version + 4, is_repeat=True)]


def test_a_refund_without_an_end_is_asked_about_again() -> None:
    desk = refund_unknown()
    opened = open_ticket(desk)
    assert desk.take(resolve(RETRY)) == [
        ticket_closed(opened, opened.version + 1, RETRY, "mia"),
        refund_queried(opened.version + 2, 1),
    ]


def test_a_refund_that_was_settled_outside_counts_as_refunded_and_the_order_is_told() -> None:
    desk, opened = refund_given_up()
    version = opened.version
    returned = refund_succeeded(version + 2, txn=opened.ticket_no, gateway="manual")
    assert desk.take(resolve(SETTLED)) == [
        ticket_closed(opened, version + 1, SETTLED, "mia"),
        returned,
    ]
    assert desk.told()[-1] == returned
    assert desk.known().refundable_fen() == 0
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_a_refund_that_comes_true_after_it_was_settled_outside_is_overpaid_never_silent() -> None:
    desk, opened = refund_given_up()
    desk.take(resolve(SETTLED))
    facts = desk.take(says(SUCCEEDED, refund_no=R1, txn="B1"))
    assert facts[0] == overpaid(opened.version + 3, txn="B1")
    assert [t.reason for t in desk.known().tickets] == [TicketReason.REFUND_OVERPAID]


@pytest.mark.parametrize("resolution", [SETTLED, WRITTEN_OFF])
def test_an_overpaid_refund_waits_for_a_decision(resolution: TicketResolution) -> None:
    desk, opened = overpaid_twice()
    assert desk.pass_time(10 * FORGET_MS) == []
    closed = ticket_closed(opened, opened.version + 1, resolution, "mia")
    assert desk.take(resolve(resolution)) == [closed]
    assert desk.pass_time(FORGET_MS) == [PaymentsForgotten(ORDER)]


def test_a_resolution_that_is_repeated_has_no_further_effect() -> None:
    desk, opened = overpaid_twice()
    desk.take(resolve(SETTLED))
    refusal = refused(opened.version + 1, resolve(SETTLED), PaymentReason.TICKET_NOT_OPEN)
    assert desk.take(resolve(SETTLED)) == [refusal]
    assert desk.public()[-1] == refusal
    assert refusal not in desk.told()


def test_a_ticket_of_an_unknown_order_is_not_open() -> None:
    message = resolve(RETRY)
    assert Desk().take(message) == [refused(0, message, PaymentReason.TICKET_NOT_OPEN)]


def test_another_shop_cannot_resolve_a_ticket() -> None:
    desk, opened = overpaid_twice()
    message = resolve(SETTLED, shop_id=8)
    refusal = but(refused(opened.version, message, PaymentReason.CONFLICT), shop_id=8)
    assert desk.take(message) == [refusal]


@pytest.mark.parametrize("reason", TicketReason)
@pytest.mark.parametrize("resolution", TicketResolution)
def test_a_resolution_that_does_not_fit_the_ticket_is_refused(
    reason: TicketReason, resolution: TicketResolution
) -> None:
    if reason == TicketReason.PAYMENT_UNKNOWN:
        desk = payment_unknown()
        open_ticket(desk)
    elif reason == TicketReason.REFUND_UNPAID:
        desk, _ = refund_given_up()
    elif reason == TicketReason.REFUND_OVERPAID:
        desk, _ = overpaid_twice()
    else:
        desk = Desk()
        desk.take(pay(), says(SUCCEEDED, amount_fen=1))
    message = resolve(resolution)
    facts = desk.take(message)
    wrong = refused(desk.known().version, message, PaymentReason.WRONG_RESOLUTION)
    assert (facts == [wrong]) is (resolution not in FITTING[reason])
    assert ANSWERED not in FITTING[reason]
