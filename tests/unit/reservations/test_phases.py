"""The transition table of a hold: total, and an end is final."""

from __future__ import annotations

import pytest

from streams.reservations.phases import REPEAT, TRANSITIONS, Again, Phase, Reason, Request

NO_HOLD = None
ENDS = [phase for phase in Phase if phase is not Phase.HELD]


@pytest.mark.parametrize("request_", Request)
def test_every_request_has_a_step_for_every_phase(request_: Request) -> None:
    assert set(TRANSITIONS[request_]) == {NO_HOLD, *Phase}


def test_every_request_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Request)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("request_", Request)
def test_nothing_leaves_an_end(request_: Request, end: Phase) -> None:
    assert isinstance(TRANSITIONS[request_][end], Again | Reason)


def test_each_end_repeats_only_for_the_request_that_makes_it() -> None:
    repeats = {
        (request, phase)
        for request, steps in TRANSITIONS.items()
        for phase, step in steps.items()
        if step is REPEAT
    }
    assert repeats == {
        (Request.TRY, Phase.HELD),
        (Request.CONFIRM, Phase.CONFIRMED),
        (Request.CANCEL, Phase.CANCELLED),
        (Request.CANCEL, Phase.FENCED),
        (Request.EXPIRE, Phase.EXPIRED),
    }


def test_every_phase_can_be_reached() -> None:
    reached = {s for steps in TRANSITIONS.values() for s in steps.values() if isinstance(s, Phase)}
    assert reached == set(Phase)
