"""What an effect worker may commit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.frontier import Frontier
from streams.kernel.errors import StageDefect


def test_nothing_is_committable_before_the_first_call_is_done() -> None:
    frontier = Frontier()
    frontier.begin(7)
    before = frontier.committable
    frontier.done(7)
    assert (before, frontier.committable) == (None, 8)


def test_a_call_that_is_done_early_waits_for_those_before_it() -> None:
    frontier = Frontier()
    for offset in (7, 8, 11):
        frontier.begin(offset)
    seen = []
    for offset in (8, 7, 11):
        frontier.done(offset)
        seen.append((frontier.committable, len(frontier)))
    assert seen == [(None, 2), (11, 1), (12, 0)]


@pytest.mark.parametrize("offset", [4, 5])
def test_a_record_that_goes_back_is_a_defect(offset: int) -> None:
    frontier = Frontier()
    frontier.begin(5)
    frontier.done(5)
    with pytest.raises(StageDefect):
        frontier.begin(offset)


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Begins in offset order with gaps, and each call done at some later time, or never."""
    offset = draw(st.integers(0, 5))
    steps: list[tuple[str, int]] = []
    begun: list[int] = []
    for _ in range(draw(st.integers(0, 40))):
        is_end: bool = draw(st.booleans())
        if begun and is_end:
            at = begun.pop(draw(st.integers(0, len(begun) - 1)))
            steps.append(("done", at))
        else:
            offset += draw(st.integers(1, 3))
            steps.append(("begin", offset))
            begun.append(offset)
    return steps


@given(history=_histories())
def test_a_commit_never_passes_a_call_under_way_nor_holds_back_one_that_is_done(
    history: list[tuple[str, int]],
) -> None:
    frontier = Frontier()
    under_way: set[int] = set()
    last, before = None, None
    for step, offset in history:
        if step == "begin":
            frontier.begin(offset)
            under_way.add(offset)
            last = offset
        else:
            frontier.done(offset)
            under_way.remove(offset)
        at = frontier.committable
        assert len(frontier) == len(under_way)
        assert at is None or not under_way or at <= min(under_way)
        assert before is None or (at is not None and at >= before)
        if not under_way and last is not None:
            assert at == last + 1
        before = at
