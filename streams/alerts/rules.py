"""The rules, as data: each kind of rule with its numbers.

A rule is raised at one mark and cleared at another (hysteresis); with ``settle_s`` it has to be
past the second for so long. Rules without ``shops`` or ``skus`` hold for all. ``judge`` is pure: it
sees what is remembered of a sku, and event time.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any, ClassVar, NamedTuple

import msgspec

from schemas.alert import AlertKind, Severity
from streams.alerts.watch import MINUTE_MS, SkuWatch, speed, wanted_within

LEAST_MINUTES = 10
"""Less history gives no deviation to speak of: until then nothing is said about demand."""

SPEED_MINUTES = 5


class InvalidRules(Exception):
    """The rules cannot be used; the message says where and why."""


class Judgement(NamedTuple):
    """``value`` against ``limit``. Between raised and calm an alert stays as it is."""

    is_raised: bool
    is_calm: bool
    value: int
    limit: int
    summary: str


NO_OPINION = Judgement(False, False, 0, 0, "")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every rule has. ``id`` names it for good: open alerts are found by it."""

    kind: ClassVar[AlertKind]
    id: str
    severity: Severity = Severity.WARNING
    shops: tuple[int, ...] = ()
    skus: tuple[int, ...] = ()
    settle_s: float = 0.0

    def holds_for(self, shop_id: int, sku_id: int) -> bool:
        """Tell whether the rule is about this sku."""
        return (not self.shops or shop_id in self.shops) and (not self.skus or sku_id in self.skus)

    def problem(self) -> str | None:
        """Say what makes no sense in its numbers."""
        return "settle_s is below 0" if self.settle_s < 0 else None

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met; ``now_ms`` is event time."""
        raise NotImplementedError


class BelowThreshold(Rule, frozen=True, tag="below_threshold"):
    """Fewer than ``units`` are available; cleared at ``clear_units``."""

    kind = AlertKind.BELOW_THRESHOLD
    units: int
    clear_units: int

    def problem(self) -> str | None:
        """Say what makes no sense in its numbers."""
        if not 0 < self.units <= self.clear_units:
            return "0 < units <= clear_units must hold"
        return super().problem()

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met."""
        left = watch.available
        summary = f"{left} available, fewer than {self.units}"
        return Judgement(left < self.units, left >= self.clear_units, left, self.units, summary)


class BelowSafetyStock(Rule, frozen=True, tag="below_safety_stock"):
    """Less is available than is wanted until goods can come.

    With d and s the mean and the standard deviation of the demand in a minute, and n minutes of
    lead time: ``n d + service_factor s sqrt(n)``. A service factor of 1.65 is 95 %, 2.33 is 99 %.
    Cleared at ``clear_share`` of it.
    """

    kind = AlertKind.BELOW_SAFETY_STOCK
    lead_time_s: int
    service_factor: float = 1.65
    clear_share: float = 1.2

    def problem(self) -> str | None:
        """Say what makes no sense in its numbers."""
        if self.lead_time_s <= 0 or self.service_factor < 0 or self.clear_share < 1:
            return "lead_time_s > 0, service_factor >= 0 and clear_share >= 1 must hold"
        return super().problem()

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met."""
        if watch.minutes_over < LEAST_MINUTES:
            return NO_OPINION
        minutes = self.lead_time_s * 1000 / MINUTE_MS
        demand_milli = watch.mean_milli * minutes
        spread_milli = self.service_factor * watch.deviation_milli * sqrt(minutes)
        needed = round((demand_milli + spread_milli) / 1000)
        left = watch.available
        summary = f"{left} available, {needed} are needed until goods can come"
        return Judgement(left < needed, left >= needed * self.clear_share, left, needed, summary)


class StockOutAhead(Rule, frozen=True, tag="stock_out_ahead"):
    """At the speed of the last minutes it is sold out in ``within_s``; cleared above ``clear_s``.

    Fewer than ``least_units`` in those minutes are no speed.
    """

    kind = AlertKind.STOCK_OUT_AHEAD
    within_s: int
    clear_s: int
    least_units: int = 10

    def problem(self) -> str | None:
        """Say what makes no sense in its numbers."""
        if not 0 < self.within_s <= self.clear_s or self.least_units < 1:
            return "0 < within_s <= clear_s and least_units >= 1 must hold"
        return super().problem()

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met."""
        units, passed_ms = speed(watch, SPEED_MINUTES, now_ms)
        left = max(watch.available, 0)
        if units < self.least_units or passed_ms < MINUTE_MS:
            return Judgement(False, units < self.least_units, 0, self.within_s, "it hardly sells")
        left_s = left * passed_ms // units // 1000
        summary = f"{left} available are sold out in {left_s} s at this speed"
        return Judgement(
            left_s < self.within_s, left_s >= self.clear_s, left_s, self.within_s, summary
        )


class SuddenVelocity(Rule, frozen=True, tag="sudden_velocity"):
    """In ``window_s`` more units are wanted than ``factor`` times what the last hour lets expect.

    And at least ``least_units``: two instead of none are no rush. Cleared below ``clear_factor``.
    """

    kind = AlertKind.SUDDEN_VELOCITY
    window_s: float = 2.0
    factor: float = 6.0
    clear_factor: float = 2.0
    least_units: int = 15

    def problem(self) -> str | None:
        """Say what makes no sense in its numbers."""
        if not 0 < self.window_s <= 10:
            return "0 < window_s <= 10 must hold"
        if not 0 < self.clear_factor <= self.factor or self.least_units < 1:
            return "0 < clear_factor <= factor and least_units >= 1 must hold"
        return super().problem()

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met."""
        if watch.minutes_over < LEAST_MINUTES:
            return NO_OPINION
        window_ms = int(self.window_s * 1000)
        wanted = wanted_within(watch, window_ms, now_ms)
        expected = watch.mean_milli / 1000 * window_ms / MINUTE_MS
        limit = max(self.least_units, round(self.factor * expected))
        calm = max(self.least_units / 2, self.clear_factor * expected)
        summary = f"{wanted} units wanted in {self.window_s:g} s, {expected:.1f} were expected"
        return Judgement(wanted >= limit, wanted < calm, wanted, limit, summary)


class Oversold(Rule, frozen=True, tag="oversold"):
    """A level is negative, or more is held than there is."""

    kind = AlertKind.OVERSOLD

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met."""
        lowest = watch.lowest
        return Judgement(lowest < 0, lowest >= 0, lowest, 0, f"a level is {lowest}: promised twice")


class StuckHold(Rule, frozen=True, tag="stuck_hold"):
    """A hold still holds ``grace_s`` after it expired."""

    kind = AlertKind.STUCK_HOLD
    grace_s: int = 60

    def problem(self) -> str | None:
        """Say what makes no sense in its numbers."""
        return "grace_s is below 0" if self.grace_s < 0 else super().problem()

    def judge(self, watch: SkuWatch, now_ms: int) -> Judgement:
        """Tell whether the rule is met."""
        stuck = watch.stuck_holds
        summary = f"{stuck} holds have expired and still hold"
        return Judgement(stuck > 0, stuck == 0, stuck, 0, summary)


AnyRule = BelowThreshold | BelowSafetyStock | StockOutAhead | SuddenVelocity | Oversold | StuckHold

DEFAULT: tuple[AnyRule, ...] = (
    BelowThreshold(id="low", units=10, clear_units=20),
    BelowSafetyStock(id="safety", lead_time_s=30 * 60, clear_share=1.2),
    StockOutAhead(id="soon-out", within_s=15 * 60, clear_s=30 * 60),
    SuddenVelocity(id="rush", severity=Severity.INFO, settle_s=10),
    Oversold(id="oversold", severity=Severity.CRITICAL),
    StuckHold(id="stuck", grace_s=60),
)


def parse(content: Any) -> tuple[AnyRule, ...]:
    """Return the rules of ``{"rules": [{"kind": ..., "id": ..., ...}, ...]}``, as YAML has it.

    Raises InvalidRules naming the rule and the field.
    """
    if not isinstance(content, dict) or set(content) != {"rules"}:
        raise InvalidRules("a rule file has one key, `rules`, with a list of rules")
    try:
        rules = msgspec.convert(content["rules"], tuple[AnyRule, ...])
    except msgspec.ValidationError as error:
        raise InvalidRules(str(error)) from error
    return checked(rules)


def checked(rules: Iterable[AnyRule]) -> tuple[AnyRule, ...]:
    """Return the rules; raise InvalidRules when one makes no sense or two have one id."""
    known: set[str] = set()
    found = tuple(rules)
    for rule in found:
        if not rule.id or "/" in rule.id or rule.id in known:
            raise InvalidRules(f"rule {rule.id!r}: an id is not empty, has no slash, and is unique")
        known.add(rule.id)
        if (problem := rule.problem()) is not None:
            raise InvalidRules(f"rule {rule.id}: {problem}")
    return found
