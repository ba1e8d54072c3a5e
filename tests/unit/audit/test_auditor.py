"""What the auditor takes in, what it leaves for later, and what it says."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.audit.history import History, cause, judge, lawful
from topologies.audit.auditor import Auditor
from topologies.audit.laws import KEPT_PER_LAW, At, Law


def test_a_fact_sent_again_after_a_crash_counts_once() -> None:
    history, auditor = lawful(), Auditor()
    half = len(history.facts) // 2
    sent = list(enumerate(history.facts))
    for offset, (topic, name, fact) in sent[:half] + sent[half - 9 : half] + sent[half:]:
        auditor.take(topic, 0, cause(offset), name, fact, offset)

    verdict = auditor.verdict(final=True)

    assert verdict.ok
    assert verdict.counters["resent"] == 9
    assert verdict.counters["facts"] == len(history.facts)


def test_positions_are_judged_per_channel_and_per_partition_read() -> None:
    auditor = Auditor()
    history = History()
    for _ in range(4):
        history.received(1)
    (topic, name, first), (_, _, second), (_, _, third), (_, _, fourth) = history.facts
    auditor.take(topic, 0, cause(9, index=1), name, first)
    auditor.take(topic, 0, cause(9, index=0), name, first)  # below on the same channel
    auditor.take(topic, 0, cause(9, index=1), name, first)  # the same again
    auditor.take(topic, 0, cause(9, index=2), name, second)
    auditor.take(topic, 0, cause(1, partition=1), name, third)  # another channel
    auditor.take(topic, 5, cause(1), name, fourth)  # another partition is read

    verdict = auditor.verdict()

    assert verdict.ok
    assert verdict.counters["resent"] == 2
    assert verdict.counters["units_received"] == 4


@pytest.mark.parametrize(
    "headers", [None, [], [("cause", None)], [("cause", b"too short")], [("other", b"x" * 24)]]
)
def test_a_fact_without_a_cause_is_a_violation(headers: list[tuple[str, bytes | None]]) -> None:
    history, auditor = History(), Auditor()
    history.received(1)
    topic, name, fact = history.facts[0]

    auditor.take(topic, 3, headers, name, fact, 17)

    verdict = auditor.verdict()
    assert verdict.broken == {Law.CAUSE: 1}
    assert verdict.violations[0].at == At("inventory.events", 3, 17)
    assert verdict.counters["units_received"] == 1


def test_what_facts_to_come_may_still_satisfy_is_judged_only_at_rest() -> None:
    history = History()
    history.received(10)
    history.created("A")
    history.opened("B")
    history.payment("PaymentSurplus", "B")
    history.paid("C")
    history.drop("PaymentSucceeded")

    assert judge(history, final=False).ok
    assert set(judge(history, final=True).broken) == {
        Law.ORDER_SETTLED,
        Law.SURPLUS_REFUNDED,
        Law.BOOKS_SETTLED,
        Law.PAID_HAS_PAYMENT,
        Law.KEPT_MONEY,
        Law.HOLD_DEDUCTED,
        Law.MONEY_BALANCE,
    }


def test_a_verdict_changes_nothing_and_may_be_asked_again() -> None:
    history, auditor = lawful(), Auditor()
    for offset, (topic, name, fact) in enumerate(history.facts[:-1]):
        auditor.take(topic, 0, cause(offset), name, fact, offset)

    assert auditor.verdict(final=True) == auditor.verdict(final=True)
    assert auditor.verdict(final=True).broken == {
        Law.ORDER_SETTLED: 1,
        Law.HOLD_DEDUCTED: 1,
    }

    topic, name, fact = history.facts[-1]
    auditor.take(topic, 0, cause(len(history.facts)), name, fact)
    assert auditor.verdict(final=True).ok


def test_an_order_that_was_expected_and_is_not_there_is_lost() -> None:
    verdict = judge(lawful(), expected={"A", "B", "lost"})

    assert [(v.law, v.key) for v in verdict.violations] == [(Law.ORDER_LOST, "lost")]
    assert judge(lawful(), expected=13).broken == {Law.ORDER_LOST: 1}
    assert judge(lawful(), expected=11).broken == {Law.ORDER_LOST: 1}
    assert judge(lawful(), expected=12).ok


def test_parked_orders_are_no_violation_but_named() -> None:
    verdict = judge(lawful())

    assert verdict.parked == {"H": "PAID: no answer"}
    assert verdict.orders["OrderParked"] == 1


def test_counters_say_what_happened() -> None:
    verdict = judge(lawful())

    assert verdict.counters == {
        "facts": 152,
        "resent": 0,
        "orders": 12,
        "holds": 12,
        "movements": 26,
        "units_received": 150,
        "units_adjusted": -3,
        "units_sold": 12,
        "units_held": 2,
        "promotions_used": 0,
        "payments_kept": 8,
        "payments_surplus": 4,
        "refunds": 7,
        "gateway_queries": 2,
        "tickets": 3,
        "tickets_open": 1,
        "paid_fen": 12_300,
        "returned_fen": 6_367,
        "kept_fen": 5_933,
        "refusals": 0,
    }
    assert verdict.orders == {
        "OrderCancelled": 2,
        "OrderCompleted": 2,
        "OrderConfirmed": 2,
        "OrderExpired": 1,
        "OrderParked": 1,
        "OrderRefunded": 3,
        "OrderRejected": 1,
    }


def test_a_violation_reads_as_a_sentence_with_its_place_in_the_log() -> None:
    history = History()
    history.received(5)
    history.change("StockReceived", version=2)

    (violation,) = judge(history, final=False).violations

    assert str(violation) == (
        "stock-version sku 1001 in east: expected version 1, found 2 at inventory.events/0/0"
    )


def test_of_a_law_broken_very_often_all_are_counted_and_the_first_kept() -> None:
    history = History()
    for _ in range(KEPT_PER_LAW + 5):
        history.received(1)
        history.facts[-1][2]["version"] = -1

    verdict = judge(history, final=False)

    assert verdict.broken == {Law.STOCK_VERSION: KEPT_PER_LAW + 5}
    assert len(verdict.violations) == KEPT_PER_LAW


@given(order=st.permutations(range(3)), draws=st.lists(st.integers(0, 2), max_size=160))
def test_the_order_in_which_topics_are_read_does_not_matter(
    order: list[int], draws: list[int]
) -> None:
    history, auditor = lawful(), Auditor()
    topics = sorted({topic for topic, _, _ in history.facts})
    waiting = [deque[tuple[str, dict[str, object]]]() for _ in topics]
    for topic, name, fact in history.facts:
        waiting[topics.index(topic)].append((name, fact))
    turns = [n for n in draws if waiting[n]] + [n for n in order for _ in waiting[n]]
    for offset, n in enumerate(turns):
        if waiting[n]:
            name, fact = waiting[n].popleft()
            auditor.take(topics[n], 0, cause(offset), name, fact)

    assert not any(waiting)
    assert auditor.verdict(final=True) == judge(lawful())


@given(crashes=st.lists(st.tuples(st.integers(0, 151), st.integers(0, 30)), max_size=5))
def test_crashes_that_send_facts_again_change_nothing(crashes: list[tuple[int, int]]) -> None:
    history, auditor = lawful(), Auditor()
    resent = 0
    for offset in range(len(history.facts)):
        back = max([0, *(n for at, n in crashes if at == offset)])
        first = max(0, offset - back)
        resent += offset - first
        for again in range(first, offset + 1):
            topic, name, fact = history.facts[again]
            auditor.take(topic, 0, cause(again), name, fact, again)

    verdict = auditor.verdict(final=True)
    assert verdict.ok
    assert verdict.counters["resent"] == resent
    assert verdict.orders == judge(lawful()).orders
