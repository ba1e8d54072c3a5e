"""Builds the API: wiring only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler

from api.health import health, ready
from api.services import Services

PREFIX = "/api/v2"

ROUTES: tuple[ControllerRouterHandler, ...] = ()
"""What is served under PREFIX."""

OUTSIDE: tuple[ControllerRouterHandler, ...] = (health, ready)
"""What is served beside it: probes, metrics, pages, WebSocket."""


def build(services: Services) -> Litestar:
    """Return the application; handlers find ``services`` by their parameter of that name."""
    return Litestar(
        route_handlers=[*OUTSIDE, Router(PREFIX, route_handlers=list(ROUTES))],
        state=State({"services": services}, deep_copy=False),
        lifespan=[_running],
        openapi_config=None,
    )


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.follower.start()
    try:
        yield
    finally:
        await services.follower.stop()
