"""One flow as a process."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path

import structlog

from schemas.registry import connected_codec
from streams.alerts.flow import AlertsFlow
from streams.alerts.rules import DEFAULT, InvalidRules
from streams.engine.bytewax_host import BytewaxHost, FlowSettings
from streams.engine.flow_fold import PREFIX, changelog_of
from streams.engine.flow_metrics import FlowMetrics
from streams.kernel.flow import Flow
from topologies.alert_rules import read_rules
from topologies.flows import EMIT_MS, make, records_of
from topologies.logs import configure_logging
from topologies.topics import TopicsMissing, incarnations, partition_counts

log = structlog.get_logger()


def run_flow(
    kafka: str,
    registry: str,
    name: str,
    *,
    rules: Path | None = None,
    prefix: str = PREFIX,
    metrics_port: int | None = None,
) -> None:
    """Run a flow until SIGTERM; JSON lines about what it does go to standard output.

    ``rules`` is the file with the rules of the alerts; it is read again when it changes, and one
    that cannot be used leaves the rules as they are.

    Raises SchemasMissing, TopicsMissing, InvalidRules (at the start), and what the host raises.
    """
    flow = make(name, read_rules(rules) if rules is not None else DEFAULT)
    configure_logging()
    # State is millions of records without cycles, and rows are gone when they are written.
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    settings = FlowSettings(kafka, emit_ms=EMIT_MS[name], prefix=prefix)
    counts = partition_counts(kafka)
    _check_topics(counts, flow, prefix)
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
        tend=Reloading(flow, rules) if isinstance(flow, AlertsFlow) and rules else _nothing,
    )
    host.run()


def _check_topics(counts: Mapping[str, int], flow: Flow, prefix: str) -> None:
    """Raise TopicsMissing unless the flow's sources and its changelog are there."""
    for topic in (*flow.sources, changelog_of(flow, prefix)):
        if topic.name not in counts:
            raise TopicsMissing(f"topic {topic.name} is not there; run: orderstream topics create")


class Reloading:
    """Gives a flow the rules of a file again whenever the file has changed: call it often."""

    def __init__(self, flow: AlertsFlow, file: Path) -> None:
        self._flow = flow
        self._file = file
        self._changed_ns = file.stat().st_mtime_ns

    def __call__(self) -> None:
        """Look at the file."""
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
