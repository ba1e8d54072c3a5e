"""The rules against labelled histories: what is found, how soon, and what is false."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.alert import AlertCleared, AlertRaised
from schemas.record import Record
from streams.alerts.rules import (
    AnyRule,
    BelowSafetyStock,
    BelowThreshold,
    Oversold,
    StockOutAhead,
    StuckHold,
    SuddenVelocity,
    checked,
)
from tests.unit.alerts import histories as h
from tests.unit.alerts.running import Running

RULES: tuple[AnyRule, ...] = checked(
    (
        BelowThreshold(id=h.LOW, units=h.THRESHOLD, clear_units=h.ENOUGH),
        BelowSafetyStock(
            id=h.SAFETY, lead_time_s=h.LEAD_TIME_S, service_factor=h.SERVICE_FACTOR, clear_share=1.2
        ),
        StockOutAhead(id=h.SOON, within_s=h.SOON_S, clear_s=2 * h.SOON_S),
        SuddenVelocity(id=h.RUSH, settle_s=10),
        Oversold(id=h.OVERSOLD),
        StuckHold(id=h.STUCK, grace_s=h.GRACE_S),
    )
)
BATCH_MS = 250
DETECTION_MS = 1_000


class Score(NamedTuple):
    """What became of the labels: ``missed`` and ``false`` name those that went wrong."""

    labels: int
    alerts: int
    missed: list[h.Label]
    disturbed: list[h.Label]
    false: list[AlertRaised]

    @property
    def accuracy(self) -> float:
        return 1 - (len(self.missed) + len(self.disturbed)) / self.labels

    @property
    def false_share(self) -> float:
        return len(self.false) / self.alerts


def alerts_of(told: h.History) -> list[AlertRaised | AlertCleared]:
    running = Running(RULES)
    batch: list[tuple[int, Record]] = []
    now_ms = told.events[0].at_ms
    for at_ms, fact in told.events:
        while at_ms > now_ms:
            running.take_all(batch, now_ms)
            batch, now_ms = [], now_ms + BATCH_MS
        batch.append((at_ms, fact))
    running.take_all(batch, now_ms)
    return running.alerts


def scored(seed: int) -> Score:
    told = h.history(seed)
    raised: defaultdict[tuple[int, str], list[AlertRaised]] = defaultdict(list)
    cleared_ms: dict[str, int] = {}
    for alert in alerts_of(told):
        if isinstance(alert, AlertRaised):
            raised[alert.sku_id, alert.rule_id].append(alert)
        else:
            cleared_ms[alert.alert_id] = alert.cleared_at_ms

    def is_open(label: h.Label, first_ms: int, last_ms: int) -> bool:
        return any(
            one.raised_at_ms <= last_ms and cleared_ms.get(one.alert_id, last_ms) >= first_ms
            for one in raised[label.sku_id, label.kind]
        )

    missed = [
        one for one in told.incidents if not is_open(one, one.first_ms, one.first_ms + DETECTION_MS)
    ]
    disturbed = [
        one
        for one in told.decoys
        if any(
            one.first_ms <= alert.raised_at_ms <= one.last_ms
            for alert in raised[one.sku_id, one.kind]
        )
    ]
    false = [
        alert
        for label in told.calm
        for alert in raised[label.sku_id, label.kind]
        if label.first_ms <= alert.raised_at_ms < label.last_ms
    ]
    alerts = sum(map(len, raised.values()))
    return Score(len(told.incidents) + len(told.decoys), alerts, missed, disturbed, false)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_at_least_95_percent_are_right_within_a_second_and_less_than_5_percent_false(
    seed: int,
) -> None:
    score = scored(seed)
    assert score.labels > 40
    assert score.accuracy >= 0.95, (score.missed, score.disturbed)
    assert score.false_share < 0.05, score.false


def test_the_generator_shares_no_code_with_the_rules() -> None:
    source = Path(h.__file__).read_text()
    imported = {
        line.split()[1] for line in source.splitlines() if line.startswith(("import", "from"))
    }
    assert not {name for name in imported if name.startswith(("streams", "topologies"))}
