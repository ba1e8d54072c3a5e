"""When each rule is met, and what a file of rules may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas import inventory
from schemas.alert import Severity
from streams.alerts.rules import (
    DEFAULT,
    AnyRule,
    BelowSafetyStock,
    BelowThreshold,
    InvalidRules,
    Oversold,
    StockOutAhead,
    SuddenVelocity,
    parse,
)
from streams.alerts.watch import Level, SkuWatch, after, unseen
from topologies.alert_rules import read_rules

START_MS = 1_789_999_200_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


def stocked(on_hand: int, held: int = 0, *, minutes: tuple[int, ...] = ()) -> SkuWatch:
    """Return the watch of a sku after ``minutes`` of demand, at START_MS."""
    watch = unseen(1, 7)
    for n, units in enumerate((*minutes, 0)):
        at_ms = START_MS - (len(minutes) - n) * 60_000
        watch = after(watch, _held(units), at_ms)
    level = Level("east", 10**6, on_hand, held)
    return after(
        watch,
        inventory.StockAdjusted(
            7, level.warehouse_id, level.version, 1, "", "", on_hand, held, 0, 0, TRACE
        ),
        START_MS,
    )


def _held(qty: int) -> inventory.StockHeld:
    return inventory.StockHeld(7, "east", 1, 1, "H", "N", qty, 0, 0, 0, 0, qty, TRACE)


@pytest.mark.parametrize(
    ("on_hand", "held", "raised", "calm"),
    [(9, 0, True, False), (19, 10, True, False), (10, 0, False, False), (20, 0, False, True)],
)
def test_a_threshold_is_about_what_is_available_and_has_two_marks(
    on_hand: int, held: int, raised: bool, calm: bool
) -> None:
    found = BelowThreshold(id="r", units=10, clear_units=20).judge(stocked(on_hand, held), START_MS)
    assert (found.is_raised, found.is_calm) == (raised, calm)


def test_safety_stock_is_demand_over_the_lead_time_and_its_deviation() -> None:
    # mean 10, sample deviation 2.108: 30 x 10 + 1.65 x 2.108 x sqrt(30) = 319.05
    minutes = (8, 12) * 5
    rule = BelowSafetyStock(id="r", lead_time_s=1800, service_factor=1.65, clear_share=1.2)
    assert rule.judge(stocked(318, minutes=minutes), START_MS)[:4] == (True, False, 318, 319)
    assert rule.judge(stocked(319, minutes=minutes), START_MS)[:4] == (False, False, 319, 319)
    assert rule.judge(stocked(383, minutes=minutes), START_MS)[:4] == (False, True, 383, 319)


def test_nothing_is_said_of_demand_before_there_is_history() -> None:
    watch = stocked(1, minutes=(50,) * 9)
    for rule in (BelowSafetyStock(id="r", lead_time_s=1800), SuddenVelocity(id="r")):
        found = rule.judge(watch, START_MS)
        assert (found.is_raised, found.is_calm) == (False, False)


def test_a_stock_out_is_ahead_when_the_speed_of_the_last_minutes_brings_it() -> None:
    rule = StockOutAhead(id="r", within_s=600, clear_s=1200)
    fast = (0, 0, 0, 0, 0, 12, 12, 12, 12, 12)  # 12 a minute
    assert rule.judge(stocked(119, minutes=fast), START_MS).value == 595
    assert rule.judge(stocked(119, minutes=fast), START_MS).is_raised
    assert not rule.judge(stocked(121, minutes=fast), START_MS).is_raised
    assert rule.judge(stocked(240, minutes=fast), START_MS).is_calm


def test_a_rush_is_much_more_than_the_last_hour_lets_expect() -> None:
    rule = SuddenVelocity(id="r", window_s=2, factor=6, least_units=15)
    watch = stocked(1000, minutes=(60,) * 10)  # 2 in 2 s: 15 are a rush
    calm = after(watch, _held(14), START_MS + 500)
    assert not rule.judge(calm, START_MS + 500).is_raised
    rush = after(calm, _held(1), START_MS + 900)
    assert rule.judge(rush, START_MS + 900).is_raised
    assert rule.judge(rush, START_MS + 3_000).is_calm


def test_who_was_turned_away_wanted_it_too() -> None:
    watch = stocked(0, minutes=(60,) * 10)
    refused = inventory.StockRefused(
        7, 1, "H", "N", 40, 0, inventory.StockReason.INSUFFICIENT, TRACE
    )
    assert SuddenVelocity(id="r").judge(after(watch, refused, START_MS), START_MS).is_raised


@pytest.mark.parametrize(("on_hand", "held"), [(-1, 0), (5, 6), (5, -1)])
def test_any_negative_level_is_oversold(on_hand: int, held: int) -> None:
    assert Oversold(id="r").judge(stocked(on_hand, held), START_MS).is_raised


def test_a_negative_warehouse_is_not_hidden_by_another() -> None:
    watch = stocked(-1)
    west = inventory.StockAdjusted(7, "west", 1, 1, "", "", 100, 0, 0, 0, TRACE)
    watch = after(watch, west, START_MS)
    assert watch.available == 99
    assert Oversold(id="r").judge(watch, START_MS).is_raised


def test_an_older_movement_changes_no_level() -> None:
    watch = stocked(50)
    older = inventory.StockAdjusted(7, "east", 5, 1, "", "", 3, 0, 0, 0, TRACE)
    assert after(watch, older, START_MS).levels == watch.levels


def test_the_file_that_the_command_shows_is_read_as_the_same_rules(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from topologies.cli import build

    shown = CliRunner().invoke(build(), ["alerts", "rules"]).output
    file = tmp_path / "rules.yaml"
    file.write_text(shown)
    assert read_rules(file) == DEFAULT


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"kind": "below_threshold", "id": "a", "units": 9}, "clear_units"),
        ({"kind": "below_threshold", "id": "a", "units": 9, "clear_units": 3}, "units <="),
        ({"kind": "no_such", "id": "a"}, "no_such"),
        ({"kind": "oversold", "id": "a", "unit": 3}, "unit"),
        ({"kind": "oversold", "id": ""}, "id"),
        ({"kind": "oversold", "id": "a/b"}, "id"),
        ({"kind": "sudden_velocity", "id": "a", "window_s": 60}, "window_s"),
        ({"kind": "stock_out_ahead", "id": "a", "within_s": 9, "clear_s": 1}, "clear_s"),
        ({"kind": "below_safety_stock", "id": "a", "lead_time_s": 0}, "lead_time_s"),
        ({"kind": "stuck_hold", "id": "a", "grace_s": -1}, "grace_s"),
        ({"kind": "oversold", "id": "a", "settle_s": -1}, "settle_s"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_name(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRules, match=why):
        parse({"rules": [rule]})


@pytest.mark.parametrize(
    "content", [None, [], {"rule": []}, {"rules": [{"kind": "oversold", "id": "a"}] * 2}]
)
def test_what_is_no_file_of_rules_is_refused(content: Any) -> None:
    with pytest.raises(InvalidRules):
        parse(content)


def test_a_rule_may_be_about_some_shops_and_skus_only() -> None:
    rule: AnyRule = Oversold(id="a", shops=(1,), skus=(7, 8))
    held = [(shop, sku) for shop in (1, 2) for sku in (7, 9) if rule.holds_for(shop, sku)]
    assert held == [(1, 7)]


def test_an_oversold_sku_is_critical_by_default() -> None:
    assert {rule.severity for rule in DEFAULT if isinstance(rule, Oversold)} == {Severity.CRITICAL}
