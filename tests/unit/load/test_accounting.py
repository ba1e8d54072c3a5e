"""Orders are counted by number: a fact counts once, an order settles once, nothing is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from topologies.load.accounting import ENDS, STATES, STAYS, Accounts, State
from topologies.load.closed_loop import Bench, Stopwatch
from topologies.load.latency import Latency, latency, percentile
from topologies.load.payers import Payer
from topologies.load.report import NAMED, report

PAID_WAY = (State.PLACED, State.CREATED, State.PAYING, State.PAID, State.CONFIRMED)


def accounts(*payers: Payer, completes: bool = False) -> Accounts:
    found = Accounts(completes)
    for n, payer in enumerate(payers):
        found.send(payer, float(n))
    return found


def test_every_fact_of_an_order_has_a_state() -> None:
    assert set(STATES) | STAYS == set(topics.ORDER_EVENTS.records)
    assert not set(STATES) & STAYS
    assert set(STATES.values()) == set(State) - {State.SENT, State.REFUSED}


def test_an_order_that_completes_settles_when_completed() -> None:
    found = accounts(Payer.PAY, completes=True)
    for state in PAID_WAY:
        assert found.take(0, "A", state, 1.0)
        assert found.settled == 0

    found.take(0, "A", State.COMPLETED, 2.0)

    assert found.settled == 1
    assert found.missing() == []


def test_an_order_that_does_not_complete_settles_when_confirmed() -> None:
    found = accounts(Payer.PAY)
    for state in PAID_WAY:
        found.take(0, "A", state, 1.0)

    assert found.settled == 1


@pytest.mark.parametrize("end", sorted(ENDS - {State.REFUSED}))
def test_every_end_settles(end: State) -> None:
    found = accounts(Payer.PAY, completes=True)
    found.take(0, "A", State.PLACED, 1.0)
    found.take(0, "A", end, 1.0)

    assert found.settled == 1


def test_a_repeated_fact_counts_once() -> None:
    found = accounts(Payer.PAY, Payer.PAY)
    for state in (*PAID_WAY, *PAID_WAY[2:]):
        found.take(0, "A", state, 1.0)

    assert (found.settled, found.paid, found.repeats) == (1, 1, 3)
    assert found.create_latency().measured == 1
    assert found.by_state() == {State.SENT: {Payer.PAY: 1}, State.CONFIRMED: {Payer.PAY: 1}}


def test_an_older_fact_sent_again_does_not_take_an_order_back() -> None:
    found = accounts(Payer.PAY)
    for state in (*PAID_WAY, State.CREATED, State.PLACED):
        found.take(0, "A", state, 1.0)

    assert list(found.by_state()) == [State.CONFIRMED]
    assert found.settled == 1


def test_a_confirmed_order_that_is_refunded_is_open_until_it_is() -> None:
    found = accounts(Payer.PAY)
    for state in PAID_WAY:
        found.take(0, "A", state, 1.0)

    found.take(0, "A", State.REFUNDING, 2.0)
    assert found.settled == 0
    found.take(0, "A", State.REFUNDED, 3.0)
    assert found.settled == 1


def test_one_intent_that_becomes_two_orders_is_named() -> None:
    found = accounts(Payer.PAY)
    found.take(0, "A", State.PLACED, 1.0)

    assert not found.take(0, "B", State.PLACED, 1.0)
    assert found.doubled == [("A", "B")]
    assert not report(found, "ab", 1.0).ok


def test_an_intent_that_is_not_admitted_settles_unless_its_order_is_known() -> None:
    found = accounts(Payer.PAY, Payer.PAY)
    found.take(1, "B", State.PLACED, 1.0)

    assert found.refuse(0)
    assert not found.refuse(0)
    assert not found.refuse(1)
    assert found.settled == 1


def test_latencies_run_from_sending_to_the_decision_and_from_there_to_the_payment() -> None:
    found = accounts(Payer.PAY, Payer.PAY, Payer.LATE)
    found.take(0, "A", State.CREATED, 0.5)
    found.take(0, "A", State.PAID, 0.7)
    found.take(1, "B", State.REJECTED, 1.25)
    found.take(2, "C", State.CREATED, 2.1)
    found.take(2, "C", State.PAID, 99.0)  # the buyer's doing

    assert found.create_latency() == Latency(3, 250.0, 500.0, 500.0, 500.0)
    assert found.pay_latency() == Latency(1, 200.0, 200.0, 200.0, 200.0)


def test_what_is_missing_is_counted_and_the_first_are_named() -> None:
    found = accounts(*[Payer.NEVER] * 15)
    found.take(0, "A", State.PLACED, 1.0)
    found.take(0, "A", State.CREATED, 1.0)
    found.take(1, "B", State.REJECTED, 1.0)

    made = report(found, "ab", 3.0)

    assert not made.ok
    assert made.missing_count == 14
    assert len(made.missing) == NAMED
    assert made.missing[:2] == ["A (never): CREATED", "intent ab-2 (never): SENT"]
    assert made.states == {
        "SENT": {"never": 13},
        "CREATED": {"never": 1},
        "REJECTED": {"never": 1},
    }


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([s for s in State if s is not State.SENT]))
    )
)
def test_settled_is_always_the_number_of_orders_at_an_end(
    facts: list[tuple[int, State]],
) -> None:
    found = accounts(*[Payer.PAY] * 5, completes=True)
    for index, state in facts:
        if state is State.REFUSED:
            found.refuse(index)
        else:
            found.take(index, str(index), state, 9.0)

    assert found.settled == 5 - len(found.missing())
    assert sum(sum(payers.values()) for payers in found.by_state().values()) == 5


def test_a_percentile_is_the_value_of_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]

    assert percentile(values, 0.50) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([7.0], 0.01) == 7
    assert percentile([1.0, 2.0], 0.5) == 1
    assert percentile([1.0, 2.0], 0.51) == 2
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)

    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered)


def test_latency_is_in_milliseconds_and_empty_when_nothing_was_measured() -> None:
    assert latency([0.2, 0.1]) == Latency(2, 100.0, 200.0, 200.0, 200.0)
    assert latency([]) == Latency(0, 0.0, 0.0, 0.0, 0.0)


def test_the_rate_is_taken_between_the_warm_up_and_the_end_of_the_full_window() -> None:
    stopwatch = Stopwatch(from_count=100, to_count=500, now_s=0.0)
    for count, now_s in ((50, 1.0), (120, 2.0), (300, 3.0), (520, 6.0), (600, 60.0)):
        stopwatch.tell(count, now_s)

    assert stopwatch.per_second() == (520 - 120) / (6.0 - 2.0)


def test_without_a_warm_up_the_rate_counts_from_the_start() -> None:
    stopwatch = Stopwatch(from_count=0, to_count=10, now_s=1.0)
    stopwatch.tell(10, 3.0)

    assert stopwatch.per_second() == 5.0


def test_a_run_that_never_got_past_its_warm_up_has_no_rate() -> None:
    stopwatch = Stopwatch(from_count=100, to_count=500, now_s=0.0)
    stopwatch.tell(99, 5.0)

    assert stopwatch.per_second() == 0.0


def test_a_bench_needs_orders_beyond_its_warm_up() -> None:
    with pytest.raises(ValueError, match="leaves none"):
        Bench(orders=10, warmup=10)
