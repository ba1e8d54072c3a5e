"""The metrics of the pushes, each declared once with its unit and what it is for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 5.0)


class PushMetrics:
    """One API process's metrics of WebSockets and GraphQL subscriptions."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.sockets = Gauge(
            "push_open_sockets",
            "Sockets that are open now: memory and file descriptors follow it.",
            registry=registry,
        )
        self.sent = Counter(
            "push_sent_messages",
            "State messages sent, by how they were found: live, or replayed to who was away.",
            ["way"],
            registry=registry,
        )
        self.dropped = Counter(
            "push_dropped_subscribers",
            "Subscribers that did not keep up: alert when it moves, clients have to come back.",
            registry=registry,
        )
        self.closed = Counter(
            "push_closed_sockets",
            "Sockets closed from this side, by close code: 4401 token, 4408 slow, 1008 misuse.",
            ["code"],
            registry=registry,
        )
        self.refused = Counter(
            "push_refused_handshakes",
            "Handshakes refused, by code of the problem: stolen tickets and strange origins.",
            ["code"],
            registry=registry,
        )
        self.latency = Histogram(
            "push_latency_seconds",
            "From the fact's timestamp in Kafka to its message handed to the socket: the promise.",
            buckets=_SECONDS,
            registry=registry,
        )
