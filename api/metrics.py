"""The API's metrics, each declared once with its unit and what it is for."""

from __future__ import annotations

import time
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


class ApiMetrics:
    """One process's metrics; ``route`` is a path's template, never a path."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.requests = Counter(
            "api_requests",
            "Requests answered: the throughput, and by status what clients meet.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "api_request_seconds",
            "From a request's head to the head of its response: what clients wait.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.unanswered = Counter(
            "api_unanswered_commands",
            "Commands answered by 202 because no fact came in time: is a stage behind?",
            registry=self.registry,
        )
        self.facts = Counter(
            "api_facts",
            "Facts that the follower handed over: 0 while the system is busy is a fault.",
            registry=self.registry,
        )
        self.kafka_well = Gauge(
            "api_kafka_well",
            "1 while Kafka acknowledges in time, 0 while commands go to the spool: alert on 0.",
            registry=self.registry,
        )
        self.redis_well = Gauge(
            "api_redis_well",
            "1 while limits and answers are shared by Redis, 0 while they are kept locally.",
            registry=self.registry,
        )
        self.spooled_records = Gauge(
            "api_spooled_records",
            "Commands on disk that Kafka has yet to take.",
            registry=self.registry,
        )
        self.spooled_bytes = Gauge(
            "api_spooled_bytes",
            "Size of the spool: it takes no more at its limit, and clients get 503.",
            registry=self.registry,
        )


def measured(app: ASGIApp, metrics: ApiMetrics) -> ASGIApp:
    """Return ``app`` with every HTTP request counted and timed."""
    requests = metrics.requests.labels
    seconds = metrics.seconds.labels

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        method = scope["method"]
        started_s = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("path_template") or "unknown"
                requests(method, route, str(message["status"])).inc()
                seconds(method, route).observe(time.perf_counter() - started_s)
            await send(message)

        await app(scope, receive, counted)

    return asgi
