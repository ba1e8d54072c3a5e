"""The schedule of a chaos run: what a seed draws."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.chaos.schedule import Fault, Round, draw_rounds

ALL = tuple(Fault)
SECONDS = 30.0

seeds = st.integers(0, 2**32)


def faults_of(one: Round) -> list[Fault]:
    return [strike.fault for strike in one.strikes]


@settings(deadline=None)
@given(seeds)
def test_the_same_seed_draws_the_same_schedule(seed: int) -> None:
    once = draw_rounds(seed, 20, ALL, SECONDS, workers=2)
    again = draw_rounds(seed, 20, tuple(reversed(ALL)), SECONDS, workers=2)

    assert once == again


def test_another_seed_draws_another_schedule() -> None:
    schedules = {draw_rounds(seed, 10, ALL, SECONDS, workers=2) for seed in range(20)}

    assert len(schedules) == 20


@settings(deadline=None)
@given(seeds)
def test_more_rounds_only_add_to_the_schedule(seed: int) -> None:
    assert draw_rounds(seed, 20, ALL, SECONDS, workers=2)[:5] == draw_rounds(
        seed, 5, ALL, SECONDS, workers=2
    )


@settings(deadline=None)
@given(seeds)
def test_every_fault_strikes_before_any_strikes_a_third_time(seed: int) -> None:
    dealt: list[Fault] = []
    for one in draw_rounds(seed, len(ALL), ALL, SECONDS, workers=2):
        dealt += faults_of(one)

    assert set(dealt) == set(ALL)
    assert max(map(dealt.count, ALL)) <= 2


@settings(deadline=None)
@given(seeds, st.integers(2, 5))
def test_two_faults_of_a_round_never_strike_the_same_process(seed: int, workers: int) -> None:
    for one in draw_rounds(seed, 30, ALL, SECONDS, workers):
        faults, slots = faults_of(one), [strike.slot for strike in one.strikes]

        assert 1 <= len(faults) <= 2
        assert len(set(faults)) == len(faults)
        assert set(faults) != {Fault.BROKER_STOP, Fault.BROKER_KILL}
        assert set(faults) != {Fault.GATEWAY_KILL, Fault.GATEWAY_FAULTS}
        assert len(set(slots)) == len(slots)
        assert all(0 <= slot < workers for slot in slots)


@settings(deadline=None)
@given(seeds)
def test_every_fault_strikes_in_the_first_half_so_that_load_outlasts_it(seed: int) -> None:
    for one in draw_rounds(seed, 30, ALL, SECONDS, workers=2):
        times = [strike.at_s for strike in one.strikes]

        assert times == sorted(times)
        assert all(0 < at_s < SECONDS / 2 for at_s in times)


def test_nothing_to_draw_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one fault"):
        draw_rounds(1, 5, (), SECONDS, workers=2)
