"""Probes: is the process alive, and may it be given requests."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.datastructures import State
from litestar.response import Response


class Health(msgspec.Struct, frozen=True):
    """How each part does: ``up`` or ``away``. What is away degrades the service, no more."""

    status: str
    parts: dict[str, str]


@get("/health", sync_to_thread=False)
def health(state: State) -> Health:
    """Say that the process lives, and how its parts do."""
    is_reading = state.services.follower.is_reading
    return Health("up", {"facts": "up" if is_reading else "away"})


@get("/ready", sync_to_thread=False)
def ready(state: State) -> Response[Health]:
    """Say whether the process may be given requests: it reads the facts."""
    is_reading = state.services.follower.is_reading
    body = Health("up" if is_reading else "away", {"facts": "up" if is_reading else "away"})
    return Response(body, status_code=200 if is_reading else 503)
