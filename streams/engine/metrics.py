"""The engine's metrics, each declared once with its unit and what it is for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class EngineMetrics:
    """One worker's metrics; ``stage`` labels a stage or a relay."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        by_stage = ["stage"]
        self.applied = Counter(
            "engine_applied_records",
            "Inbox records that took effect: the throughput.",
            by_stage,
            registry=self.registry,
        )
        self.skipped = Counter(
            "engine_skipped_records",
            "Records below the checkpoint, read again after a takeover: the price of a crash.",
            by_stage,
            registry=self.registry,
        )
        self.dropped = Counter(
            "engine_resends_dropped_records",
            "Records an upstream stage sent again, dropped by cause: exactly-once at work.",
            by_stage,
            registry=self.registry,
        )
        self.invalid = Counter(
            "engine_dead_lettered_records",
            "Records nobody understood: alert when it moves.",
            by_stage,
            registry=self.registry,
        )
        self.batch = Histogram(
            "engine_batch_records",
            "Records in one delivered batch: small ones cost CPU, large ones latency.",
            by_stage,
            buckets=_BATCH,
            registry=self.registry,
        )
        self.lag = Gauge(
            "engine_lag_records",
            "Records in the inbox that are not yet applied, over this worker's partitions.",
            by_stage,
            registry=self.registry,
        )
        self.entities = Gauge(
            "engine_state_records",
            "Live state records: memory and takeover time follow it.",
            by_stage,
            registry=self.registry,
        )
        self.takeover = Histogram(
            "engine_takeover_seconds",
            "Fencing and loading one partition: how long its orders stood still.",
            by_stage,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.checkpoint = Histogram(
            "engine_checkpoint_seconds",
            "One checkpoint of all partitions, from drain to commit.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.pause = Histogram(
            "engine_checkpoint_pause_seconds",
            "How long a checkpoint held the folds to let outputs be acknowledged: adds to latency.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.checkpoint_age = Gauge(
            "engine_checkpoint_age_seconds",
            "Time since the last complete checkpoint: alert above ten times its interval.",
            registry=self.registry,
        )
        self.fenced = Counter(
            "engine_fenced_checkpoints",
            "Checkpoints refused because another worker owned the partition.",
            registry=self.registry,
        )
        self.rebalances = Counter(
            "engine_rebalances",
            "Times the group gave this worker a new assignment.",
            registry=self.registry,
        )
