"""Laws of the fold: order and repeats do not matter, and no money is lost or made."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas import payment, topics
from schemas.codec import local_codec
from schemas.payment import (
    GatewayReport,
    GatewayStatus,
    PaymentRefused,
    PaymentSucceeded,
    PaymentSurplus,
    RefundRequested,
    RefundSucceeded,
)
from schemas.record import Record
from schemas.stream import Progress
from streams.engine.memory import MemoryHost
from streams.payments import facts, payments_stage
from streams.payments.evolve import FOLDS
from streams.payments.machine import INPUTS, OPEN, TRANSITIONS, PayState
from streams.payments.react import OUTPUTS
from streams.payments.state import FORGET_MS, OrderPayments
from tests.unit.payments.desk import (
    CLOSED,
    FAILED,
    FEN,
    ORDER,
    PENDING,
    SUCCEEDED,
    UNKNOWN,
    Desk,
    close,
    pay,
    refund,
    says,
)

# --- totality ------------------------------------------------------------------------------------


def test_every_state_has_an_answer_to_every_input() -> None:
    assert set(TRANSITIONS) == set(PayState)
    for answers in TRANSITIONS.values():
        assert set(answers) == {*GatewayStatus, *INPUTS}


def test_reports_only_lift_a_state() -> None:
    rank = {state: n for n, state in enumerate(("REQUESTED", "UNKNOWN", "PENDING", "FAILED"))}
    rank |= {"SUCCEEDED": 4, "CLOSED": 5}
    for state, answers in TRANSITIONS.items():
        assert all(rank[answers[status]] >= rank[state] for status in GatewayStatus)


def test_closing_ends_what_is_open_and_nothing_else() -> None:
    changed = {state for state, answers in TRANSITIONS.items() if answers["CLOSE"] != state}
    assert changed == OPEN


def test_every_fact_is_folded_and_reacted_to() -> None:
    private = {kind for kind in vars(facts).values() if _is_fact(kind)}
    assert len(private) == 8
    assert set(FOLDS) == set(OUTPUTS) == private | set(topics.PAYMENT_EVENTS.records)


def _is_fact(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Record) and kind.__module__ == facts.__name__


# --- order and repeats ---------------------------------------------------------------------------

_ONE_PAYMENT = (
    says(PENDING),
    says(UNKNOWN),
    says(FAILED),
    says(CLOSED),
    says(SUCCEEDED),
    says(SUCCEEDED, amount_fen=1, txn="T9"),
)


def _position(desk: Desk) -> tuple[object, ...]:
    known = desk.known()
    attempts = sorted((a.pay_no, a.state.value) for a in known.attempts)
    movements = sorted((m.pay_no, m.gateway_txn_no, m.is_kept) for m in known.movements)
    refunds = sorted((r.refund_no, r.amount_fen, r.state.value) for r in known.refunds)
    return attempts, movements, refunds, known.refundable_fen()


@st.composite
def _reports_in_two_orders(
    draw: st.DrawFn, kinds: tuple[GatewayReport, ...]
) -> tuple[list[GatewayReport], list[GatewayReport]]:
    """The same set of reports twice, each time in some order and with some repeats."""
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, unique=True))
    repeats = st.lists(st.sampled_from(chosen), max_size=6)
    one = draw(st.permutations(chosen + draw(repeats)))
    other = draw(st.permutations(chosen + draw(repeats)))
    return one, other


@given(
    orders=_reports_in_two_orders(_ONE_PAYMENT), at=st.integers(0, 12), other_at=st.integers(0, 12)
)
def test_one_attempt_ends_the_same_in_any_order_also_ahead_of_its_request(
    orders: tuple[list[GatewayReport], list[GatewayReport]], at: int, other_at: int
) -> None:
    ends = []
    for reports, request_at in zip(orders, (at, other_at), strict=True):
        desk = Desk()
        desk.take(*reports[:request_at], pay(), *reports[request_at:])
        ends.append(_position(desk))
        is_paid = says(SUCCEEDED) in reports
        assert desk.known().refundable_fen() == (FEN if is_paid else 0)
        assert (desk.known().attempts[0].state == PayState.SUCCEEDED) is is_paid
    assert ends[0] == ends[1]


@given(orders=_reports_in_two_orders(_ONE_PAYMENT))
def test_a_closed_attempt_ends_the_same_in_any_order(
    orders: tuple[list[GatewayReport], list[GatewayReport]],
) -> None:
    ends = []
    for reports in orders:
        desk = Desk()
        desk.take(pay(), close(), *reports)
        ends.append(_position(desk))
        assert desk.known().attempts[0].state == PayState.CLOSED
        assert desk.known().refundable_fen() == 0
    assert ends[0] == ends[1]


_ONE_REFUND = tuple(
    says(status, refund_no="O1-1-R1", txn="B1")
    for status in (PENDING, UNKNOWN, FAILED, CLOSED, SUCCEEDED)
)


@given(
    orders=_reports_in_two_orders(_ONE_REFUND), at=st.integers(0, 11), other_at=st.integers(0, 11)
)
def test_one_refund_ends_the_same_in_any_order_also_ahead_of_its_request(
    orders: tuple[list[GatewayReport], list[GatewayReport]], at: int, other_at: int
) -> None:
    ends = []
    for reports, request_at in zip(orders, (at, other_at), strict=True):
        desk = Desk()
        desk.take(pay(), says(SUCCEEDED), *reports[:request_at], refund(), *reports[request_at:])
        ends.append(_position(desk))
    assert ends[0] == ends[1]


# --- conservation --------------------------------------------------------------------------------

_PAY_NOS = ("O1-1", "O1-2", "O1-3")
ANYTHING = st.one_of(
    st.builds(pay, st.sampled_from(_PAY_NOS)),
    st.builds(close),
    st.builds(
        refund,
        st.sampled_from(("O1-1-R1", "O1-1-R2", "O1-2-R1")),
        st.sampled_from(_PAY_NOS),
        st.sampled_from((1, FEN // 2, FEN)),
    ),
    st.sampled_from(_PAY_NOS).flatmap(
        lambda pay_no: st.builds(
            says,
            st.sampled_from(GatewayStatus),
            st.just(pay_no),
            txn=st.sampled_from((f"{pay_no}/a", f"{pay_no}/b")),
            amount_fen=st.sampled_from((FEN, FEN, FEN, 1)),
        )
    ),
    st.builds(
        says,
        st.sampled_from(GatewayStatus),
        st.just("O1-1"),
        txn=st.just("B1"),
        refund_no=st.sampled_from(("O1-1-R1", "O1-1-R2", "O1-1-S1")),
    ),
)


@given(messages=st.lists(st.tuples(ANYTHING, st.integers(0, 20_000)), max_size=30))
def test_money_is_neither_lost_nor_made(messages: list[tuple[Record, int]]) -> None:
    desk = Desk()
    came: set[tuple[str, str]] = set()
    for message, wait_ms in messages:
        desk.take(message)
        desk.pass_time(wait_ms)
        if isinstance(message, GatewayReport) and _is_fitting_money(message):
            came.add((message.pay_no, message.gateway_txn_no))
    public = desk.public()
    asked = {f.pay_no for f in public if isinstance(f, payment.PaymentRequested)}
    kept = [f for f in public if isinstance(f, PaymentSucceeded)]
    surplus = [f for f in public if isinstance(f, PaymentSurplus)]
    booked = [(f.pay_no, f.gateway_txn_no) for f in kept]
    booked += [(f.pay_no, f.gateway_txn_no) for f in surplus]

    assert len(kept) <= 1
    assert Counter(booked) == Counter(one for one in came if one[0] in asked)
    own = {f.refund_no: f for f in public if isinstance(f, RefundRequested)}
    given_back = {(f.pay_no, f.paid_txn_no) for f in own.values() if "-S" in f.refund_no}
    assert given_back == {(f.pay_no, f.gateway_txn_no) for f in surplus}
    versions = [f.version for f in public if not isinstance(f, PaymentRefused)]
    assert versions == list(range(1, len(versions) + 1))
    known = desk.state.get(OrderPayments, ORDER)
    if known is not None:
        assert known.refundable_fen() >= 0
    back = [f.amount_fen for f in public if isinstance(f, RefundSucceeded)]
    assert sum(back) <= FEN * len(booked)


def _is_fitting_money(report: GatewayReport) -> bool:
    is_payment = not report.refund_no and report.amount_fen == FEN
    return is_payment and report.status is SUCCEEDED


@given(messages=st.lists(ANYTHING, max_size=20), at=st.integers(0, 19))
def test_a_message_that_is_repeated_at_once_has_no_further_effect(
    messages: list[Record], at: int
) -> None:
    desk = Desk()
    for n, message in enumerate(messages):
        desk.take(message)
        if n == at:
            before, public = desk.state.get(OrderPayments, ORDER), desk.public()
            desk.take(message)
            assert desk.state.get(OrderPayments, ORDER) == before
            assert all(isinstance(f, PaymentRefused) for f in desk.public()[len(public) :])


# --- on a host -----------------------------------------------------------------------------------


def test_state_outlives_a_crash_at_any_point() -> None:
    messages = (
        says(SUCCEEDED, "O1-2", txn="T2"),
        pay(),
        says(PENDING),
        pay("O1-2"),
        says(SUCCEEDED),
        refund(amount_fen=1),
        says(FAILED, refund_no="O1-1-S1"),
        close(),
    )
    expected = _run(messages, crash_after=-1)
    assert len(expected) >= 6
    for crash_after in range(len(messages)):
        assert _run(messages, crash_after) == expected


def _run(messages: tuple[Record, ...], crash_after: int) -> list[Record]:
    stage = payments_stage()
    kinds: dict[type[Record], None] = dict.fromkeys(
        (*stage.inbox.records, *topics.PAYMENT_EVENTS.records, *stage.entities, Progress)
    )
    host = MemoryHost([stage], local_codec(tuple(kinds)))
    for n, message in enumerate(messages):
        host.send(stage.inbox.name, ORDER, message)
        host.run()
        if n % 2:
            host.checkpoint()
        if n == crash_after:
            host.crash()
    host.advance(10_000)
    host.advance(FORGET_MS)
    return host.facts(topics.PAYMENT_EVENTS.name)
