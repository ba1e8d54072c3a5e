"""A backtest raises what the live flow would have raised; and rules are read again when changed."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from schemas import inventory
from schemas.alert import AlertRaised
from streams.alerts.flow import AlertsFlow
from streams.alerts.rules import BelowThreshold, Oversold, StuckHold
from streams.engine.flow_fold import Place
from tests.unit.alerts.running import Running
from tests.unit.windows.log import CODEC, ID, START_MS, Log
from topologies.alert_backtest import Backtest
from topologies.flow_process import Reloading

TOPIC, TRACE = "inventory.events", "0af7651916cd43dd8448eb211c80319c"
RULES = (
    BelowThreshold(id="low", units=10, clear_units=20),
    Oversold(id="oversold"),
    StuckHold(id="stuck", grace_s=1),
)
LEVELS = (50, 9, 4, 30, 8, -1, 25, 3)


def adjusted(sku: int, version: int, on_hand: int) -> inventory.StockAdjusted:
    return inventory.StockAdjusted(sku, "east", version, 1, "", "", on_hand, 0, 0, 0, TRACE)


def test_it_raises_and_clears_what_the_live_flow_does() -> None:
    log, live = Log(), Running(RULES)
    for version, on_hand in enumerate(LEVELS, 1):
        for sku in (7, 8):
            log.append(TOPIC, sku % 2, version * 500, adjusted(sku, version, on_hand))
            live.take(START_MS + version * 500, adjusted(sku, version, on_hand))
    test = Backtest(RULES, CODEC, {TOPIC: ID}, [*log.places, (TOPIC, 2)])
    test.end((TOPIC, 2))
    for place, records in log.places.items():
        test.take(place, records)
    tried = test.result()
    found: dict[str, list[int]] = defaultdict(list)
    for raised, cleared in tried:
        found[raised.alert_id] = [1, 2] if cleared else [1]
    wanted: dict[str, list[int]] = defaultdict(list)
    for alert in live.alerts:
        wanted[alert.alert_id].append(alert.version)
    assert found == wanted
    assert [one.raised.raised_at_ms for one in tried] == sorted(
        one.raised_at_ms for one in live.alerts if isinstance(one, AlertRaised)
    )


def test_time_alone_raises_a_stuck_hold_in_history() -> None:
    log = Log()
    place: Place = (TOPIC, 0)
    held = inventory.StockHeld(7, "east", 1, 1, "H", "N", 1, START_MS + 1_000, 5, 1, 0, 1, TRACE)
    log.append(TOPIC, 0, 0, held)
    log.append(TOPIC, 0, 9_000, adjusted(9, 1, 50))
    test = Backtest(RULES, CODEC, {TOPIC: ID}, [place])
    test.take(place, log.places[place])
    found = [(one.raised.rule_id, one.raised.raised_at_ms) for one in test.result()]
    assert ("stuck", START_MS + 2_000) in found


def test_rules_are_read_again_when_their_file_changes_and_kept_when_it_is_broken(
    tmp_path: Path,
) -> None:
    file, flow = tmp_path / "rules.yaml", AlertsFlow(RULES)
    file.write_text("rules: [{kind: oversold, id: a}]")
    tend = Reloading(flow, file)

    def rewritten(text: str, at_ns: int) -> list[str]:
        file.write_text(text)
        os.utime(file, ns=(at_ns, at_ns))
        tend()
        return [rule.id for rule in flow.rules]

    assert rewritten("rules: [{kind: oversold, id: b}]", 1) == ["b"]
    assert rewritten("rules: [{kind: no_such, id: c}]", 2) == ["b"]
    assert rewritten("rules: [{kind: oversold, id: d}]", 3) == ["d"]
