"""The rules of payments, each under its name, with the simulated gateway on the other side.

Where a rule is guarded by more detailed tests, they are in the file named beside it:

- the state is a fold that gives the same result in any order and with repeats: ``test_laws``
- a refunded or closed payment is never revived: here, ``test_refunds``, ``test_paying``
- unique by (gateway, gateway transaction number) and by pay_no + order_no: here, ``test_paying``
- a call may be repeated, never lost: ``tests/integration/test_effects``, ``tests/unit/gateway``
- UNKNOWN is polled with backoff: ``test_janitor``
- two successes for one order: the later is refunded by itself: here, ``test_paying``
- success on a cancelled or expired order: refunded: here, ``test_paying``
- the amount is checked: ``test_paying``
- every movement is a balanced double entry, zero at every version: ``test_books``
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.payment import (
    GatewayReport,
    PaymentQueried,
    PaymentReason,
    PaymentRequested,
    PaymentSucceeded,
    PaymentSurplus,
    PaymentTicketOpened,
    RefundQueried,
    RefundRequested,
    RefundSucceeded,
    TicketReason,
)
from schemas.record import Record
from streams.kernel.stage import Output
from streams.payments.machine import PayState
from streams.payments.state import ASK_AGAIN_MS, MAX_TRIES, ask_again_ms
from tests.unit.payments.desk import (
    FEN,
    SUCCEEDED,
    Desk,
    but,
    close,
    pay,
    refund,
    refund_requested,
    refund_succeeded,
    refused,
    requested,
    says,
    succeeded,
    surplus,
    ticket,
)
from topologies.gateway import Faults, SimulatedGateway

R1 = "O1-1-R1"
TICK_MS = 1_000
ALL_WAITS_MS = sum(ask_again_ms(tries) for tries in range(1, MAX_TRIES + 1))  # a bit over an hour
# A payment is asked about until the last wait is over, and then the refund of its money; a failure
# starts the wait again and comes after 9 s of slowness, 5 s of being lost and two ticks.
ALL_ENDED_MS = 2 * (ASK_AGAIN_MS + ALL_WAITS_MS + MAX_TRIES * (9_000 + 5_000 + 2 * TICK_MS))


class Till:
    """A payments partition and the gateway it talks to; ``luck`` reorders and repeats callbacks."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.desk = Desk()
        self.luck = random.Random(seed)
        self.gateway = SimulatedGateway(faults, self.luck, lambda: self.desk.now_ms)
        self._heard = 0
        self._on_their_way: list[tuple[int, GatewayReport]] = []

    def take(self, *messages: Record) -> None:
        for message in messages:
            self.desk.take(message)
            self._call()

    def pass_time(self, ms: int) -> None:
        """Let time pass, from one moment at which something happens to the next."""
        until_ms = self.desk.now_ms + ms
        while self.desk.now_ms < until_ms:
            self.desk.pass_time(self._next_ms(until_ms) - self.desk.now_ms)
            self._call()
            due = [report for at_ms, report in self._on_their_way if at_ms <= self.desk.now_ms]
            self._on_their_way = [o for o in self._on_their_way if o[0] > self.desk.now_ms]
            due += [report for report in due if self.luck.random() < 0.3]
            self.luck.shuffle(due)
            self.take(*due)

    def _next_ms(self, until_ms: int) -> int:
        """Return when the next message arrives or timer fires; ticks are a second apart."""
        moments = [until_ms, *(at_ms for at_ms, _ in self._on_their_way)]
        if due_ms := self.desk.known().due_ms:
            moments.append(due_ms)
        return min(max(min(moments), self.desk.now_ms + TICK_MS), until_ms)

    def of(self, kind: type[Record]) -> list[Any]:
        return [fact for fact in self.desk.public() if isinstance(fact, kind)]

    def _call(self) -> None:
        public = self.desk.public()
        for fact in public[self._heard :]:
            if isinstance(fact, PaymentRequested | RefundRequested):
                plan = (
                    self.gateway.plan_payment(fact)
                    if isinstance(fact, PaymentRequested)
                    else self.gateway.plan_refund(fact)
                )
                self._on_their_way += [(self.desk.now_ms + ms, report) for ms, report in plan]
            elif isinstance(fact, PaymentQueried):
                self.gateway.query_payment(fact, self._send)
            elif isinstance(fact, RefundQueried):
                self.gateway.query_refund(fact, self._send)
        self._heard = len(public)

    def _send(self, output: Output) -> None:
        assert isinstance(output.message, GatewayReport)
        self._on_their_way.append((self.desk.now_ms, output.message))


_FAULTS = st.builds(
    Faults,
    slow_ms=st.sampled_from([(0, 0), (0, 9_000)]),
    duplicate=st.sampled_from([0.0, 0.5]),
    reordered=st.sampled_from([0.0, 0.5]),
    lost=st.sampled_from([0.0, 0.5]),
    unknown=st.sampled_from([0.0, 0.3]),
    declined=st.sampled_from([0.0, 0.3]),
    refund_failed=st.sampled_from([0.0, 0.5]),
    silent=st.sampled_from([0.0, 0.7]),
)


@settings(max_examples=40)
@example(  # the twelfth try to refund O1-3-S1 is silent: its ticket comes after more than an hour
    faults=Faults(unknown=0.3, refund_failed=0.5, silent=0.7),
    seed=133,
    ends_s=None,
    channels=["sim", "sim-twice", "sim-late"],
)
@given(
    faults=_FAULTS,
    seed=st.integers(0, 1_000),
    ends_s=st.one_of(st.none(), st.integers(0, 60)),
    channels=st.lists(st.sampled_from(["sim", "sim-late", "sim-twice"]), min_size=2, max_size=3),
)
def test_of_all_the_money_that_came_one_payment_is_kept_and_the_rest_goes_back_by_itself(
    faults: Faults, seed: int, ends_s: int | None, channels: list[str]
) -> None:
    """Two or three channels, a gateway that misbehaves in every way, an order that may end."""
    till = Till(faults, seed)
    for n, channel in enumerate(channels, 1):
        till.take(pay(f"O1-{n}", channel))
        till.pass_time(2_000)
    if ends_s is not None:
        till.pass_time(ends_s * 1_000)
        till.take(close())
    till.pass_time(ALL_ENDED_MS)

    kept, more = till.of(PaymentSucceeded), till.of(PaymentSurplus)
    returned = till.of(RefundSucceeded)
    at_gateway = [
        (end.pay_no, end.gateway_txn_no)
        for payment in till.gateway._payments.values()
        for end in payment.ends
        if end.status is SUCCEEDED
    ]
    booked = [(fact.pay_no, fact.gateway_txn_no) for fact in (*kept, *more)]
    assert sorted(booked) == sorted(at_gateway), "money that is there was not found"
    assert len(kept) <= 1
    assert len(kept) == 1 or ends_s is not None or not at_gateway
    stuck = till.desk.known().tickets  # the dice may fall against a refund twelve times
    assert all(ticket.reason == TicketReason.REFUND_UNPAID for ticket in stuck)
    assert sorted(f.pay_no for f in (*returned, *stuck)) == sorted(f.pay_no for f in more)
    assert till.desk.known().refundable_fen() == FEN * len(kept)


def test_a_refund_that_is_never_heard_of_has_a_ticket_when_the_last_wait_is_over() -> None:
    till = Till(Faults(), seed=0)
    others = "wechat"  # a channel that the simulated gateway leaves alone
    till.take(pay(channel=others), says(SUCCEEDED), refund())
    till.pass_time(ALL_WAITS_MS - 1)
    assert till.of(PaymentTicketOpened) == []
    till.pass_time(1)
    last_version = 3 + (MAX_TRIES - 1) + 1  # requested, paid, refund requested; asked; the ticket
    assert till.of(PaymentTicketOpened) == [ticket(last_version, TicketReason.REFUND_UNPAID, R1)]


# --- two successes for one order: the later is refunded by itself --------------------------------


def test_two_channels_both_succeed_the_later_one_is_refunded_by_itself() -> None:
    desk = Desk()
    desk.take(pay("O1-1", "wechat"), pay("O1-2", "alipay"))
    first = but(says(SUCCEEDED, txn="4200"), gateway="wechat")
    second = but(says(SUCCEEDED, "O1-2", txn="2024"), gateway="alipay")
    back = but(says(SUCCEEDED, "O1-2", refund_no="O1-2-S1", txn="B1"), gateway="alipay")

    desk.take(first)
    facts = desk.take(second)

    assert facts == [
        but(surplus(5, "DUPLICATE", "O1-2", "2024"), gateway="alipay"),
        but(
            refund_requested(6, "O1-2-S1", "O1-2", reason="DUPLICATE", txn="2024"),
            gateway="alipay",
            channel="alipay",
        ),
    ]
    assert desk.take(second, first, second) == [], "callbacks repeat"
    assert desk.take(back) == [but(refund_succeeded(7, "O1-2-S1", "O1-2"), gateway="alipay")]
    assert [type(fact) for fact in desk.told()] == [PaymentSucceeded], "the order is not bothered"


def test_of_two_successes_the_one_that_is_heard_first_is_kept_whichever_was_paid_first() -> None:
    desk = Desk()
    desk.take(pay("O1-1", "wechat"), pay("O1-2", "alipay"))
    later = but(says(SUCCEEDED, "O1-2", txn="T2"), occurred_at_ms=2)
    earlier = but(says(SUCCEEDED, "O1-1", txn="T1"), occurred_at_ms=1)
    assert desk.take(later)[0] == but(succeeded(3, "O1-2", "T2"), paid_at_ms=2)
    assert desk.take(earlier)[0] == surplus(5, "DUPLICATE")


# --- success on a cancelled or expired order -----------------------------------------------------


@pytest.mark.parametrize("reason", ["CANCELLED", "EXPIRED"])
def test_success_on_an_order_that_has_ended_is_refunded_by_itself(reason: str) -> None:
    desk = Desk()
    desk.take(pay(), close(reason))
    assert desk.take(says(SUCCEEDED)) == [
        surplus(3, "ORDER_CLOSED"),
        refund_requested(4, "O1-1-S1", reason="ORDER_CLOSED"),
    ]
    assert desk.take(says(SUCCEEDED, refund_no="O1-1-S1", txn="B1")) == [
        refund_succeeded(5, "O1-1-S1")
    ]


# --- a refunded or closed payment is never revived -----------------------------------------------


def test_a_closed_payment_is_never_revived() -> None:
    desk = Desk()
    desk.take(pay(), close(), says(SUCCEEDED))
    assert desk.known().attempts[0].state is PayState.CLOSED
    assert desk.take(pay()) == [refused(4, pay(), PaymentReason.ORDER_CLOSED)]


def test_a_refunded_payment_is_never_revived() -> None:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED), refund(), says(SUCCEEDED, refund_no=R1, txn="B1"))
    again = pay("O1-2")
    assert desk.take(says(SUCCEEDED)) == []
    assert desk.take(again) == [refused(4, again, PaymentReason.ALREADY_PAID)]


# --- unique by (gateway, gateway transaction number) and by pay_no + order_no --------------------


def test_a_movement_of_money_counts_once_by_gateway_and_number() -> None:
    desk = Desk()
    desk.take(pay(), says(SUCCEEDED, txn="T1"))
    assert desk.take(says(SUCCEEDED, txn="T1")) == []
    assert desk.take(but(says(SUCCEEDED, txn="T1"), gateway="other"))[0] == but(
        surplus(3, "DUPLICATE"), gateway="other"
    )


def test_a_payment_number_is_one_attempt_of_its_order() -> None:
    desk = Desk()
    assert desk.take(pay()) == [requested(1)]
    assert desk.take(pay()) == []
    other = pay(channel="alipay")
    assert desk.take(other) == [refused(1, other, PaymentReason.CONFLICT)]


# --- partial refunds -----------------------------------------------------------------------------


@given(parts=st.lists(st.integers(1, FEN), min_size=1, max_size=8), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_partial_refunds_are_idempotent_by_number_and_never_more_than_was_kept(
    parts: list[int], seed: int
) -> None:
    till = Till(Faults(refund_failed=0.3, duplicate=0.5, unknown=0.2), seed)
    till.take(pay())
    till.pass_time(30_000)
    accepted, left_fen = {}, FEN
    for n, part_fen in enumerate(parts, 1):
        ask = refund(f"O1-1-R{n}", amount_fen=part_fen)
        till.take(ask, ask)
        if part_fen <= left_fen:
            accepted[ask.refund_no] = part_fen
            left_fen -= part_fen
    till.pass_time(ALL_ENDED_MS)

    returned = {fact.refund_no: fact.amount_fen for fact in till.of(RefundSucceeded)}
    assert returned == accepted
    assert len(till.of(RefundSucceeded)) == len(accepted)
    assert till.desk.known().refundable_fen() == left_fen
