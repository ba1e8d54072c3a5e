"""The alerts flow over events, as its host runs it: batches, timers by the watermark, restarts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.alert import AlertCleared, AlertRaised
from schemas.record import Record
from streams.alerts.flow import AlertsFlow
from streams.alerts.rules import AnyRule
from streams.engine.store import MemoryStore, PartitionState
from streams.kernel.flow import Fact, FlowTime

Alert = AlertRaised | AlertCleared


class Running:
    """A flow under rules; ``alerts`` is what it has sent."""

    def __init__(self, rules: Iterable[AnyRule]) -> None:
        self.flow = AlertsFlow(rules)
        self.state = PartitionState(MemoryStore(self.flow.entities), self.flow.entities)
        self.alerts: list[Alert] = []
        self._offset = 0

    def take(self, at_ms: int, *facts: Record) -> list[Alert]:
        """Take facts that happen at one time; return the alerts that they and the time raise."""
        return self.take_all([(at_ms, fact) for fact in facts], at_ms)

    def take_all(self, events: Sequence[tuple[int, Record]], now_ms: int) -> list[Alert]:
        """Take events in one batch; the watermark is ``now_ms`` then."""
        batch = []
        for at_ms, fact in events:
            batch.append(Fact(fact, "inventory.events", 0, self._offset, at_ms))
            self._offset += 1
        time = FlowTime(now_ms, now_ms)
        self.flow.take(self.state, batch)
        sent = self.flow.rows(self.state, time)
        while (due := self.state.next_due(now_ms)) is not None:
            self.flow.wake(self.state, due[1], time)
        sent += self.flow.rows(self.state, time)
        alerts: list[Alert] = [output.message for output in sent]  # type: ignore[misc]
        self.alerts += alerts
        return alerts
