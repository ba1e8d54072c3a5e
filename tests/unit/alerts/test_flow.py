"""Alerts are raised once, cleared once, and again when it happens again."""

from __future__ import annotations

import pytest

from schemas import inventory
from schemas.alert import AlertCleared, AlertKind, AlertRaised, Severity
from schemas.record import Record
from streams.alerts.rules import BelowThreshold, Oversold, StuckHold
from tests.unit.alerts.running import Running

START_MS = 1_789_999_200_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
LOW = BelowThreshold(id="low", units=10, clear_units=20)
SETTLING = BelowThreshold(id="low", units=10, clear_units=20, settle_s=5)


class Stock:
    """Facts of one sku in one warehouse."""

    def __init__(self) -> None:
        self.version = 0

    def at(self, on_hand: int) -> Record:
        self.version += 1
        return inventory.StockAdjusted(7, "east", self.version, 1, "", "", on_hand, 0, 0, 0, TRACE)

    def held(self, hold: str, qty: int = 1, expires_ms: int = START_MS + 60_000) -> Record:
        self.version += 1
        return inventory.StockHeld(
            7, "east", self.version, 1, hold, "N", qty, expires_ms, 100, qty, 0, qty, TRACE
        )

    def deducted(self, hold: str, qty: int = 1) -> Record:
        self.version += 1
        return inventory.StockDeducted(
            7, "east", self.version, 1, hold, "N", qty, 100, 0, -qty, -qty, TRACE
        )


def test_an_alert_says_what_when_and_which_fact_did_it() -> None:
    running, stock = Running([LOW]), Stock()
    running.take(START_MS, stock.at(50))
    assert running.take(START_MS + 70, stock.at(9)) == [
        AlertRaised(
            alert_id=f"low-1-7-{START_MS + 70}",
            version=1,
            rule_id="low",
            kind=AlertKind.BELOW_THRESHOLD,
            severity=Severity.WARNING,
            shop_id=1,
            sku_id=7,
            value=9,
            limit=10,
            available=9,
            summary="9 available, fewer than 10",
            raised_at_ms=START_MS + 70,
            topic="inventory.events",
            partition=0,
            offset=1,
            trace_id=TRACE,
        )
    ]


def test_an_open_alert_is_not_raised_again() -> None:
    running, stock = Running([LOW]), Stock()
    for n, on_hand in enumerate((9, 8, 12, 7, 0, 15)):
        running.take(START_MS + n * 10_000, stock.at(on_hand))
    assert [type(alert) for alert in running.alerts] == [AlertRaised]


def test_it_is_cleared_at_the_second_mark_and_may_be_raised_anew() -> None:
    running, stock = Running([LOW]), Stock()
    for n, on_hand in enumerate((9, 19, 20, 9)):
        running.take(START_MS + n * 1_000, stock.at(on_hand))
    raised, cleared, again = running.alerts
    assert (type(raised), type(cleared), type(again)) == (AlertRaised, AlertCleared, AlertRaised)
    assert isinstance(cleared, AlertCleared)
    assert (cleared.alert_id, cleared.version) == (raised.alert_id, 2)
    assert (cleared.cleared_at_ms, cleared.available) == (START_MS + 2_000, 20)
    assert again.alert_id != raised.alert_id


def test_with_time_to_settle_it_is_cleared_only_when_calm_lasts() -> None:
    running, stock = Running([SETTLING]), Stock()
    running.take(START_MS, stock.at(9))
    running.take(START_MS + 1_000, stock.at(30))
    running.take(START_MS + 3_000, stock.at(12))  # not calm: it begins anew
    running.take(START_MS + 4_000, stock.at(30))
    assert running.take(START_MS + 8_900) == []
    (cleared,) = running.take(START_MS + 9_900)
    assert isinstance(cleared, AlertCleared)


def test_a_hold_that_outlives_its_end_is_stuck_until_it_ends() -> None:
    running, stock = Running([StuckHold(id="stuck", grace_s=30)]), Stock()
    running.take(START_MS, stock.at(100), stock.held("H1"), stock.held("H2"))
    running.take(START_MS + 5_000, stock.deducted("H2"))
    assert running.take(START_MS + 89_999) == []
    (raised,) = running.take(START_MS + 90_500)
    assert isinstance(raised, AlertRaised)
    assert (raised.kind, raised.value) == (AlertKind.STUCK_HOLD, 1)
    assert (raised.raised_at_ms, raised.offset) == (START_MS + 90_000, -1)
    (cleared,) = running.take(START_MS + 95_000, stock.deducted("H1"))
    assert isinstance(cleared, AlertCleared)


def test_a_hold_that_is_extended_or_half_ended_is_not_stuck_before_its_time() -> None:
    running, stock = Running([StuckHold(id="stuck", grace_s=30)]), Stock()
    running.take(START_MS, stock.at(100), stock.held("H1", qty=3))
    running.take(START_MS + 1_000, stock.deducted("H1", qty=1))
    extended = inventory.HoldExtended(7, 1, "H1", "N", START_MS + 300_000, TRACE)
    running.take(START_MS + 2_000, extended)
    assert running.take(START_MS + 329_999) == []
    assert len(running.take(START_MS + 330_000)) == 1


def test_rules_may_be_replaced_and_alerts_of_a_rule_that_is_gone_are_cleared() -> None:
    running, stock = Running([LOW]), Stock()
    running.take(START_MS, stock.at(9))
    running.flow.use([Oversold(id="oversold", severity=Severity.CRITICAL)])
    (cleared,) = running.take(START_MS + 1_000)
    assert isinstance(cleared, AlertCleared)
    assert cleared.summary == "the rule is gone"
    (raised,) = running.take(START_MS + 2_000, stock.at(-1))
    assert (raised.rule_id, raised.severity) == ("oversold", Severity.CRITICAL)


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_is_as_severe_as_its_rule(severity: Severity) -> None:
    running = Running([BelowThreshold(id="low", units=10, clear_units=20, severity=severity)])
    (raised,) = running.take(START_MS, Stock().at(3))
    assert raised.severity is severity


def test_nothing_is_remembered_of_holds_that_ended() -> None:
    running, stock = Running([LOW]), Stock()
    running.take(START_MS, stock.at(100))
    for n in range(50):
        running.take(START_MS + n, stock.held(f"H{n}"), stock.deducted(f"H{n}"))
    assert len(running.state) == 1
