"""The experiment of `front_door` in a short form: everything is away once, for a few seconds."""

from __future__ import annotations

import pytest

from tests.chaos.front_door import Plan, run

RATE, OUTAGE_S = 20.0, 6.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_clients_were_told_is_what_happened_whatever_was_away() -> None:
    report = run(Plan(RATE, OUTAGE_S, ("kafka+api", "redis")), print)

    assert report["ok"], report
    assert report["orders"] > RATE * OUTAGE_S * 2
    assert report["traced_facts"] > 5 * report["orders"]
