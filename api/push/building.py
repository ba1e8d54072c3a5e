"""Puts the parts of the pushes together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from api.auth import Principal
from api.follower import Follower
from api.push.history import PastFacts, Reads
from api.push.hub import Hub
from api.push.meeting import Meeting
from api.push.metrics import PushMetrics
from api.push.tickets import Tickets
from api.push.websocket import Limits, Sockets
from api.settings import ApiSettings

_REDIS_LIMIT_S = 1.0


def build_sockets(
    settings: ApiSettings,
    kafka: str,
    follower: Follower,
    reads: Reads,
    redis_url: str | None,
    verify: Callable[[str], Awaitable[Principal]],
    registry: CollectorRegistry,
) -> Sockets:
    """Return the sockets of one API process, fed by ``follower`` from its first batch on.

    Build them before it starts, close them at the end. ``verify`` tells whose a token is. Without
    Redis (None) tickets are good in the process that gave them.
    """
    metrics = PushMetrics(registry)
    hub = Hub(follower.recent, metrics)
    follower.subscribe(hub.publish)
    redis = None
    if redis_url is not None:
        redis = Redis.from_url(
            redis_url, socket_timeout=_REDIS_LIMIT_S, socket_connect_timeout=_REDIS_LIMIT_S
        )
    meeting = Meeting(kafka, lambda: follower.complete_since_ms)
    history = PastFacts(hub, follower.recent, reads, redis, meeting.is_behind)
    return Sockets(hub, history, Tickets(redis), metrics, limits_of(settings), verify)


def limits_of(settings: ApiSettings) -> Limits:
    """Return what the settings grant."""
    return Limits(
        origins=origins_of(settings),
        takes_token_in_url=settings.token_in_url,
        sockets_per_user=settings.sockets_per_user,
        heartbeat_s=settings.heartbeat_s,
    )


def origins_of(settings: ApiSettings) -> tuple[str, ...]:
    """Return the origins whose pages may open sockets, besides the API's own."""
    found = (origin.strip() for origin in settings.cors_origins.split(","))
    return tuple(origin for origin in found if origin)
