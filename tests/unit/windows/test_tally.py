"""A tally is a commutative monoid, and its quantiles are what they say they are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernel.flow import Fact
from streams.windows.tally import Step, Tally, basis_points

STEP = Step("to_paid")

_facts = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 99),
        st.sampled_from("abc"),
        st.integers(-9, 9),
        st.integers(0, 9),
    ),
    max_size=12,
)


def tally_of(facts: list[tuple[int, int, str, int, int]]) -> Tally:
    tally = Tally()
    for partition, offset, name, amount, version in facts:
        tally.add(Fact(None, "order.events", partition, offset, 0), **{name: amount})
        tally.add_time(STEP, offset)
        tally.latest = max(tally.latest, (version, amount))
    return tally


def merged(*tallies: Tally) -> Tally:
    result = Tally()
    for tally in tallies:
        result.merge(tally)
    return result


def content(tally: Tally) -> tuple[object, ...]:
    return tally.sums, tally.latest, tally.facts, tally.ranges()


@given(_facts, _facts, _facts)
def test_merging_is_associative_and_the_same_in_any_order(
    a: list[tuple[int, int, str, int, int]],
    b: list[tuple[int, int, str, int, int]],
    c: list[tuple[int, int, str, int, int]],
) -> None:
    x, y, z = map(tally_of, (a, b, c))
    left, right = merged(merged(x, y), z), merged(x, merged(y, z))
    assert content(left) == content(right) == content(merged(z, x, y))


@given(_facts, _facts)
def test_merged_tallies_are_the_tally_of_all_facts(
    a: list[tuple[int, int, str, int, int]], b: list[tuple[int, int, str, int, int]]
) -> None:
    assert content(merged(tally_of(a), tally_of(b))) == content(tally_of(a + b))


@given(_facts)
def test_zero_changes_nothing(a: list[tuple[int, int, str, int, int]]) -> None:
    assert content(merged(tally_of(a), Tally())) == content(tally_of(a))


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_a_quantile_is_never_too_low_and_at_most_a_half_too_high(times_ms: list[int]) -> None:
    tally = Tally()
    for ms in times_ms:
        tally.add_time(STEP, ms)
    ranked = sorted(times_ms)
    told = STEP.of(tally.sums)
    for share, said in ((0.5, told.p50_ms), (0.99, told.p99_ms)):
        true = ranked[math.ceil(share * len(ranked)) - 1]
        assert true <= said <= true * 1.5 + 1
    assert (told.count, told.mean_ms) == (len(ranked), sum(ranked) // len(ranked))


@pytest.mark.parametrize(("part", "whole", "told"), [(1, 4, 2500), (0, 9, 0), (3, 0, 0)])
def test_a_ratio_is_in_basis_points_and_zero_of_nothing(part: int, whole: int, told: int) -> None:
    assert basis_points(part, whole) == told
