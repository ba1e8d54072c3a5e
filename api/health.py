"""Probes and metrics: is the process alive, may it be given requests, and how do its parts do."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.datastructures import State
from litestar.response import Response
from prometheus_client import generate_latest

from api.services import Services

_UP, _AWAY = "up", "away"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health(msgspec.Struct, frozen=True):
    """How each part does: ``up`` or ``away``. What is away degrades the service, no more.

    ``kafka``: commands go to it, not to the spool; ``facts``: they are followed; ``redis``: limits
    and answers are shared with other processes.
    """

    status: str
    parts: dict[str, str]
    spooled_records: int


@get(
    "/health",
    operation_id="health",
    summary="Is the process alive",
    opt={"public": True},
    tags=["probes"],
    sync_to_thread=False,
)
def health(state: State) -> Health:
    """Say that the process lives, and how its parts do; ``degraded`` when one is away."""
    return _health(state.services)


@get(
    "/ready",
    operation_id="ready",
    summary="May it be given requests",
    opt={"public": True},
    tags=["probes"],
    sync_to_thread=False,
)
def ready(state: State) -> Response[Health]:
    """Say whether the process may be given requests: it follows the facts, or can spool."""
    services: Services = state.services
    standing = services.sender.standing()
    has_room = standing.spooled_bytes < standing.spool_max_bytes
    is_ready = not standing.broken and (services.follower.is_reading or has_room)
    return Response(_health(services), status_code=200 if is_ready else 503)


@get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    opt={"public": True},
    tags=["probes"],
    media_type=_METRICS_TYPE,
    sync_to_thread=False,
)
def metrics(state: State) -> bytes:
    """Return this process's metrics in Prometheus' text format."""
    services: Services = state.services
    standing = services.sender.standing()
    services.metrics.kafka_well.set(standing.kafka_well)
    services.metrics.spooled_records.set(standing.spooled_records)
    services.metrics.spooled_bytes.set(standing.spooled_bytes)
    services.metrics.redis_well.set(services.limits.standing().redis_well)
    return generate_latest(services.metrics.registry)


def _health(services: Services) -> Health:
    standing = services.sender.standing()
    parts = {
        "kafka": standing.kafka_well,
        "facts": services.follower.is_reading,
        "redis": services.limits.standing().redis_well,
    }
    return Health(
        status="up" if all(parts.values()) else "degraded",
        parts={name: _UP if is_well else _AWAY for name, is_well in parts.items()},
        spooled_records=standing.spooled_records,
    )


ROUTES = (health, ready, metrics)
