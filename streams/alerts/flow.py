"""The alerts flow: movements of stock in, alerts raised and cleared out.

A rule has at most one open alert for a sku. It is raised by the fact that meets the rule, and
cleared when the rule has been calm for its ``settle_s``; open alerts are looked at again every
second of event time, for calm may come without a fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas import inventory
from schemas.alert import AlertCleared, AlertRaised
from schemas.record import Record
from schemas.topics import ALERT_EVENTS, INVENTORY_EVENTS, Topic
from streams.alerts.rules import AnyRule, StuckHold, checked
from streams.alerts.watch import HoldWatch, SkuWatch, after, unseen
from streams.kernel.flow import Fact, FlowTime
from streams.kernel.stage import Output, State

LOOK_AGAIN_MS = 1000

_TOLD_OF_A_SKU: frozenset[type[Record]] = frozenset(
    {
        inventory.StockHeld,
        inventory.StockDeducted,
        inventory.StockReleased,
        inventory.StockReturned,
        inventory.StockReceived,
        inventory.StockAdjusted,
        inventory.StockTransferred,
        inventory.StockCounted,
        inventory.StockBackordered,
        inventory.BackorderServed,
        inventory.StockRefused,
    }
)


class OpenAlert(Record, frozen=True):
    """An alert that is not cleared; ``calm_since_ms`` (0: it is not calm)."""

    raised: AlertRaised
    calm_since_ms: int
    due_ms: int

    @property
    def key(self) -> str:
        """The key of its state: one alert of a rule for a sku."""
        return _alert_key(self.raised.rule_id, self.raised.shop_id, self.raised.sku_id)


class AlertsFlow:
    """Folds ``inventory.events`` under ``rules``, which may be replaced at any time."""

    name = "alerts"
    sources: tuple[Topic, ...] = (INVENTORY_EVENTS,)
    kinds = _TOLD_OF_A_SKU | {inventory.HoldExtended}
    entities: tuple[type[Record], ...] = (SkuWatch, HoldWatch, OpenAlert)

    def __init__(self, rules: Iterable[AnyRule]) -> None:
        self.raised = self.cleared = 0
        self._outputs: list[Output] = []
        self.use(rules)

    def use(self, rules: Iterable[AnyRule]) -> None:
        """Judge by these rules from now on; alerts of a rule that is gone are cleared."""
        self.rules = checked(rules)
        self._by_id = {rule.id: rule for rule in self.rules}
        self._of_sku: dict[tuple[int, int], tuple[AnyRule, ...]] = {}

    def take(self, state: State, facts: Sequence[Fact]) -> None:
        """Judge the sku of each fact after it."""
        for fact in facts:
            told = fact.record
            if isinstance(told, inventory.HoldExtended):
                self._extended(state, told)
                continue
            watch = state.get(SkuWatch, f"{told.shop_id}/{told.sku_id}") or unseen(
                told.shop_id, told.sku_id
            )
            watch = after(watch, told, fact.event_ms)
            watch = self._follow_hold(state, watch, told)
            state.put(watch.key, watch)
            for rule in self._rules_of(watch.shop_id, watch.sku_id):
                self._judge(state, rule, watch, fact.event_ms, fact)

    def wake(self, state: State, record: Any, time: FlowTime) -> None:
        """Take a hold for stuck, or look at an open alert again."""
        if isinstance(record, HoldWatch):
            self._stuck(state, record)
        else:
            self._look_again(state, record, time.watermark_ms)

    def rows(self, state: State, time: FlowTime) -> list[Output]:
        """Return what was raised and cleared."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def passed_over(self) -> Mapping[str, int]:
        """Return nothing: every fact is judged."""
        return {}

    # --- judging ---------------------------------------------------------------------------------

    def _judge(
        self, state: State, rule: AnyRule, watch: SkuWatch, now_ms: int, fact: Fact | None
    ) -> None:
        key = _alert_key(rule.id, watch.shop_id, watch.sku_id)
        found = rule.judge(watch, now_ms)
        open_alert = state.get(OpenAlert, key)
        if open_alert is None:
            if found.is_raised:
                raised = AlertRaised(
                    f"{rule.id}-{watch.shop_id}-{watch.sku_id}-{now_ms}",
                    1,
                    rule.id,
                    rule.kind,
                    rule.severity,
                    watch.shop_id,
                    watch.sku_id,
                    found.value,
                    found.limit,
                    watch.available,
                    found.summary,
                    now_ms,
                    *(("", -1, -1) if fact is None else fact[1:4]),
                    "" if fact is None else fact.record.trace_id,
                )
                state.put(key, OpenAlert(raised, 0, now_ms + LOOK_AGAIN_MS))
                self.raised += 1
                self._send(raised)
        elif not found.is_calm:
            if open_alert.calm_since_ms:
                state.put(key, msgspec.structs.replace(open_alert, calm_since_ms=0))
        else:
            since_ms = open_alert.calm_since_ms or now_ms
            if now_ms - since_ms >= rule.settle_s * 1000:
                self._clear(state, open_alert, watch, now_ms, found.value, found.summary)
            elif not open_alert.calm_since_ms:
                state.put(key, msgspec.structs.replace(open_alert, calm_since_ms=since_ms))

    def _look_again(self, state: State, seen: OpenAlert, now_ms: int) -> None:
        raised = seen.raised
        watch = state.get(SkuWatch, f"{raised.shop_id}/{raised.sku_id}")
        rule = self._by_id.get(raised.rule_id)
        if watch is None or rule is None or not rule.holds_for(raised.shop_id, raised.sku_id):
            watch = watch or unseen(raised.shop_id, raised.sku_id)
            self._clear(state, seen, watch, now_ms, raised.value, "the rule is gone")
            return
        self._judge(state, rule, watch, now_ms, None)
        still = state.get(OpenAlert, seen.key)
        if still is not None and still.raised.alert_id == raised.alert_id:
            due_ms = max(now_ms, seen.due_ms) + LOOK_AGAIN_MS
            state.put(seen.key, msgspec.structs.replace(still, due_ms=due_ms))

    def _clear(
        self,
        state: State,
        ended: OpenAlert,
        watch: SkuWatch,
        now_ms: int,
        value: int,
        summary: str,
    ) -> None:
        raised = ended.raised
        state.delete(OpenAlert, ended.key)
        self.cleared += 1
        self._send(
            AlertCleared(
                raised.alert_id,
                2,
                raised.rule_id,
                raised.kind,
                raised.severity,
                raised.shop_id,
                raised.sku_id,
                value,
                raised.limit,
                watch.available,
                summary,
                raised.raised_at_ms,
                now_ms,
                raised.trace_id,
            )
        )

    def _send(self, alert: AlertRaised | AlertCleared) -> None:
        key = f"{alert.shop_id}/{alert.sku_id}"
        self._outputs.append(Output(ALERT_EVENTS.name, key, alert))

    def _rules_of(self, shop_id: int, sku_id: int) -> tuple[AnyRule, ...]:
        rules = self._of_sku.get((shop_id, sku_id))
        if rules is None:
            rules = tuple(rule for rule in self.rules if rule.holds_for(shop_id, sku_id))
            self._of_sku[shop_id, sku_id] = rules
        return rules

    # --- holds -----------------------------------------------------------------------------------

    def _follow_hold(self, state: State, watch: SkuWatch, told: Any) -> SkuWatch:
        """Follow units in and out of the fact's hold; return the watch after that."""
        match told:
            case inventory.StockHeld():
                due_ms = self._stuck_ms(told.shop_id, told.sku_id, told.expires_at_ms)
                hold = state.get(HoldWatch, told.hold_id)
                units = told.qty + (hold.units if hold is not None else 0)
                held = HoldWatch(
                    told.hold_id, told.shop_id, told.sku_id, units, due_ms, told.trace_id
                )
                state.put(told.hold_id, held)
            case inventory.StockDeducted() | inventory.StockReleased():
                hold = state.get(HoldWatch, told.hold_id)
                if hold is None:
                    return watch
                if hold.units > told.qty:
                    state.put(
                        told.hold_id, msgspec.structs.replace(hold, units=hold.units - told.qty)
                    )
                    return watch
                state.delete(HoldWatch, told.hold_id)
                if not hold.due_ms and watch.stuck_holds:
                    return msgspec.structs.replace(watch, stuck_holds=watch.stuck_holds - 1)
        return watch

    def _extended(self, state: State, told: inventory.HoldExtended) -> None:
        hold = state.get(HoldWatch, told.hold_id)
        if hold is not None and hold.due_ms:
            due_ms = self._stuck_ms(told.shop_id, told.sku_id, told.expires_at_ms)
            state.put(told.hold_id, msgspec.structs.replace(hold, due_ms=due_ms))

    def _stuck(self, state: State, hold: HoldWatch) -> None:
        state.put(hold.hold_id, msgspec.structs.replace(hold, due_ms=0))
        watch = state.get(SkuWatch, f"{hold.shop_id}/{hold.sku_id}")
        if watch is None:
            return
        watch = msgspec.structs.replace(watch, stuck_holds=watch.stuck_holds + 1)
        state.put(watch.key, watch)
        for rule in self._rules_of(hold.shop_id, hold.sku_id):
            if isinstance(rule, StuckHold):
                self._judge(state, rule, watch, hold.due_ms, None)

    def _stuck_ms(self, shop_id: int, sku_id: int, expires_at_ms: int) -> int:
        """Return when a hold counts as stuck: by the most patient rule, for it has one timer."""
        graces = [
            rule.grace_s for rule in self._rules_of(shop_id, sku_id) if isinstance(rule, StuckHold)
        ]
        return expires_at_ms + max(graces, default=60) * 1000


def _alert_key(rule_id: str, shop_id: int, sku_id: int) -> str:
    return f"{rule_id}/{shop_id}/{sku_id}"
