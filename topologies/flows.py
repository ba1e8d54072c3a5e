"""The flows: which there are, their topics and records, and one of them as a process."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog

from schemas import topics
from schemas.record import Record
from schemas.registry import connected_codec
from schemas.stream import Progress
from schemas.topics import Topic
from streams.alerts.flow import AlertsFlow
from streams.alerts.rules import DEFAULT, AnyRule, InvalidRules
from streams.engine.bytewax_host import BytewaxHost, FlowSettings
from streams.engine.flow_fold import entities
from streams.engine.flow_metrics import FlowMetrics
from streams.kernel.flow import Flow
from streams.windows.sales import SalesFlow
from streams.windows.stock import StockFlow
from topologies.alert_rules import read_rules
from topologies.logs import configure_logging
from topologies.topics import TopicsMissing, incarnations, partition_counts

NAMES = ("sales", "stock", "alerts")
EMIT_MS = {"sales": 250, "stock": 500, "alerts": 0}
"""Alerts go at once; rows of windows may wait until a person could see the difference."""

log = structlog.get_logger()


def make(name: str, rules: Iterable[AnyRule] = DEFAULT) -> Flow:
    """Return the flow called ``name``; ``rules`` are those of the alerts."""
    made: dict[str, Callable[[], Flow]] = {
        "sales": SalesFlow,
        "stock": StockFlow,
        "alerts": lambda: AlertsFlow(rules),
    }
    return made[name]()


def changelogs(prefix: str = FlowSettings("").prefix) -> tuple[Topic, ...]:
    """Return the topics that keep the flows' states."""
    settings = FlowSettings("", prefix=prefix)
    return tuple(settings.changelog_of(make(name)) for name in NAMES)


def state_records() -> tuple[type[Record], ...]:
    """Return the kinds of state record of all flows."""
    return tuple(dict.fromkeys(kind for name in NAMES for kind in entities(make(name))))


def records_of(flow: Flow) -> tuple[type[Record], ...]:
    """Return every record type that a process of ``flow`` reads or writes."""
    rows = [
        kind
        for topic in topics.PUBLIC
        if topic.kind is topics.Kind.REPORT or topic is topics.ALERT_EVENTS
        for kind in topic.records
    ]
    facts = [kind for topic in flow.sources for kind in topic.records]
    return tuple(dict.fromkeys((*facts, *rows, *entities(flow), Progress)))


def run_flow(
    kafka: str,
    registry: str,
    name: str,
    *,
    rules: Path | None = None,
    prefix: str = FlowSettings("").prefix,
    metrics_port: int | None = None,
) -> None:
    """Run a flow until SIGTERM; JSON lines about what it does go to standard output.

    ``rules`` is the file with the rules of the alerts; it is read again when it changes, and one
    that cannot be used leaves the rules as they are.

    Raises SchemasMissing, TopicsMissing, InvalidRules (at the start), and what the host raises.
    """
    configure_logging()
    # State is millions of records without cycles, and rows are gone when they are written.
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    flow = make(name, read_rules(rules) if rules is not None else DEFAULT)
    settings = FlowSettings(kafka, emit_ms=EMIT_MS[name], prefix=prefix)
    counts = partition_counts(kafka)
    check_topics(counts, flow, settings)
    metrics = FlowMetrics()
    if metrics_port is not None:
        from prometheus_client import start_http_server

        start_http_server(metrics_port, "127.0.0.1", metrics.registry)
    host = BytewaxHost(
        settings,
        flow,
        connected_codec(registry, records_of(flow)),
        incarnations(kafka, [topic.name for topic in flow.sources]),
        counts,
        metrics,
        tend=_Reloading(flow, rules) if isinstance(flow, AlertsFlow) and rules else _nothing,
    )
    host.run()


def check_topics(counts: Mapping[str, int], flow: Flow, settings: FlowSettings) -> None:
    """Raise TopicsMissing unless the flow's sources and its changelog are there."""
    for topic in (*flow.sources, settings.changelog_of(flow)):
        if topic.name not in counts:
            raise TopicsMissing(f"topic {topic.name} is not there; run: orderstream topics create")


class _Reloading:
    """Gives a flow the rules of a file again whenever the file has changed."""

    def __init__(self, flow: AlertsFlow, file: Path) -> None:
        self._flow = flow
        self._file = file
        self._changed_ns = file.stat().st_mtime_ns

    def __call__(self) -> None:
        try:
            changed_ns = self._file.stat().st_mtime_ns
            if changed_ns == self._changed_ns:
                return
            self._changed_ns = changed_ns
            rules = read_rules(self._file)
        except (OSError, InvalidRules) as error:
            log.warning("rules_not_reloaded", file=str(self._file), why=str(error))
            return
        self._flow.use(rules)
        log.info("rules_reloaded", file=str(self._file), rules=[rule.id for rule in rules])


def _nothing() -> None:
    return None
