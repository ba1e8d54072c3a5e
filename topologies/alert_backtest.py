"""Rules tried out on what has happened: the alerts that they would have raised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from schemas.alert import AlertCleared, AlertRaised
from schemas.codec import Codec
from streams.alerts.flow import AlertsFlow
from streams.alerts.rules import AnyRule
from streams.engine.bytewax_host import stored
from streams.engine.flow_fold import FlowFold, Place, entities
from streams.engine.records import StoredRecord
from streams.engine.store import MemoryStore
from topologies.reading import read, spans
from topologies.topics import incarnations

_BATCH_RECORDS = 100
"""Records of a partition between two looks at what time alone has done."""


class Tried(NamedTuple):
    """An alert, and when it was cleared (None: not in this history)."""

    raised: AlertRaised
    cleared: AlertCleared | None


class Backtest:
    """Alerts of a history under some rules: feed it the records, then ask for ``result``."""

    def __init__(
        self, rules: Iterable[AnyRule], codec: Codec, ids: dict[str, bytes], places: Iterable[Place]
    ) -> None:
        flow = AlertsFlow(rules)
        self.fold = FlowFold(
            flow, codec, ids, places, MemoryStore(entities(flow)), lateness_ms=0, idle_ms=0
        )
        self._raised: dict[str, AlertRaised] = {}
        self._cleared: dict[str, AlertCleared] = {}

    def take(self, place: Place, records: Iterable[StoredRecord]) -> None:
        """Take the next records of a partition."""
        self.fold.apply(place, records)
        self._note()

    def end(self, place: Place) -> None:
        """Take note that a partition has no more records: time need not wait for it."""
        self.fold.reached_end(place)

    def result(self) -> list[Tried]:
        """Return the alerts in the order in which they were raised; nothing more will come."""
        for place in self.fold.positions():
            self.end(place)
        self._note()
        raised = sorted(self._raised.values(), key=lambda one: (one.raised_at_ms, one.alert_id))
        return [Tried(one, self._cleared.get(one.alert_id)) for one in raised]

    def _note(self) -> None:
        for output in self.fold.rows(self.fold.time(0).fresh_ms):
            alert = output.message
            if isinstance(alert, AlertRaised):
                self._raised[alert.alert_id] = alert
            elif isinstance(alert, AlertCleared):
                self._cleared[alert.alert_id] = alert


def backtest(kafka: str, codec: Codec, rules: Iterable[AnyRule]) -> list[Tried]:
    """Return what ``rules`` would have raised over the facts of stock that Kafka holds.

    Raises KafkaException, ReadStalled and TopicsMissing.
    """
    names = [topic.name for topic in AlertsFlow.sources]
    ids = incarnations(kafka, names)
    held = spans(kafka, names)
    test = Backtest(rules, codec, ids, held)
    for place, span in held.items():
        if span.first == span.end:
            test.end(place)
    waiting: dict[Place, list[StoredRecord]] = {place: [] for place in held}
    for message in read(kafka, held):
        place = cast(Place, (message.topic(), message.partition()))
        waiting[place].append(stored(message))
        if len(waiting[place]) >= _BATCH_RECORDS:
            test.take(place, waiting[place])
            waiting[place] = []
    for place, records in waiting.items():
        test.take(place, records)
    return test.result()
