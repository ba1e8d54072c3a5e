"""The metrics of the sinks, each declared once with its unit and what it is for."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.record import Record
from sinks.sink import Fact

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 300.0)


class SinkMetrics:
    """One process's metrics; ``sink`` labels which one it is."""

    def __init__(self, sink: str, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        by_sink = ["sink"]
        self._sink = sink
        self._facts = Counter(
            "sink_facts",
            "Facts given to the store, by type: the throughput, and whether orders are parked.",
            ["sink", "fact"],
            registry=self.registry,
        )
        self.passed_over = Counter(
            "sink_passed_over_facts",
            "Facts of kinds that the sink has no use for; they cost a look at five bytes.",
            by_sink,
            registry=self.registry,
        ).labels(sink)
        self.write = Histogram(
            "sink_write_seconds",
            "One batch, from rows to the store's answer: where a slow store shows first.",
            by_sink,
            buckets=_SECONDS,
            registry=self.registry,
        ).labels(sink)
        self.freshness = Histogram(
            "sink_freshness_seconds",
            "Age of a batch's oldest fact when the store had it: what readers are behind by.",
            by_sink,
            buckets=_SECONDS,
            registry=self.registry,
        ).labels(sink)
        self.lag = Gauge(
            "sink_lag_records",
            "Facts in Kafka that are not yet written, over this process's partitions.",
            by_sink,
            registry=self.registry,
        ).labels(sink)
        self.away = Counter(
            "sink_store_away",
            "Writes that found the store away and were tried again: alert when it goes on.",
            by_sink,
            registry=self.registry,
        ).labels(sink)

    def expect(self, kinds: Iterable[type[Record]]) -> None:
        """Show types of facts before the first one comes: else its increase would not be seen."""
        for kind in kinds:
            self._facts.labels(self._sink, kind.__name__)

    def took(self, facts: Iterable[Fact]) -> None:
        """Count facts that the store has."""
        for kind, count in Tally(type(fact.record) for fact in facts).items():
            self._facts.labels(self._sink, kind.__name__).inc(count)
