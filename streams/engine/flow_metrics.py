"""The metrics of a flow, each declared once with its unit and what it is for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.engine.flow_fold import FlowFold

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class FlowMetrics:
    """One process's metrics; ``flow`` labels the flow."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        by_flow = ["flow"]
        self.facts = Gauge(
            "flow_facts_taken",
            "Facts taken since the start, without those that the flow passes over: the throughput.",
            by_flow,
            registry=self.registry,
        )
        self.dropped = Gauge(
            "flow_resends_dropped_records",
            "Facts a stage sent again, dropped by cause since the start: exactly-once at work.",
            by_flow,
            registry=self.registry,
        )
        self.invalid = Gauge(
            "flow_invalid_records",
            "Facts nobody understood, passed over since the start: alert when it moves.",
            by_flow,
            registry=self.registry,
        )
        self.passed_over = Gauge(
            "flow_passed_over_facts",
            "Facts not counted where they belong since the start: too late, or of unknown orders.",
            ["flow", "reason"],
            registry=self.registry,
        )
        self.missed = Gauge(
            "flow_missed_records",
            "Records that retention deleted before the flow read them: figures are too low then.",
            by_flow,
            registry=self.registry,
        )
        self.rows = Counter(
            "flow_rows",
            "Rows written: what a sink of them has to keep up with.",
            by_flow,
            registry=self.registry,
        )
        self.state = Gauge(
            "flow_state_records",
            "State records: memory and restart time follow it.",
            by_flow,
            registry=self.registry,
        )
        self.freshness = Gauge(
            "flow_freshness_seconds",
            "Age of the newest fact taken: what a dashboard is behind; grows when nothing happens.",
            by_flow,
            registry=self.registry,
        )
        self.watermark = Gauge(
            "flow_watermark_age_seconds",
            "Age of the watermark: how long a window waits to be complete past its end.",
            by_flow,
            registry=self.registry,
        )
        self.checkpoint = Histogram(
            "flow_checkpoint_seconds",
            "One checkpoint, from drain to commit: the flow stands still meanwhile.",
            by_flow,
            buckets=_SECONDS,
            registry=self.registry,
        )

    def observe(self, flow: str, fold: FlowFold, now_ms: int) -> None:
        """Take over the fold's own counts and times."""
        time = fold.time(now_ms)
        self.facts.labels(flow).set(fold.taken)
        self.dropped.labels(flow).set(fold.dropped)
        self.invalid.labels(flow).set(fold.invalid)
        self.missed.labels(flow).set(fold.missed)
        for reason, facts in fold.flow.passed_over().items():
            self.passed_over.labels(flow, reason).set(facts)
        self.state.labels(flow).set(len(fold.state))
        self.freshness.labels(flow).set((now_ms - time.fresh_ms) / 1000)
        self.watermark.labels(flow).set((now_ms - time.watermark_ms) / 1000)
