"""Builds the API: wiring only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp, ControllerRouterHandler

from api import callbacks, docs, graphql, health, operators, orders, reading, shop
from api.auth import asker, authenticated
from api.decoding import StrictJson
from api.express import Express
from api.headers import cors, harden
from api.live import routes as live
from api.metrics import measured
from api.openapi import CONFIG
from api.problems import HANDLERS
from api.push import routes as push
from api.push.building import origins_of
from api.services import Services
from api.webhooks import routes as webhooks

PREFIX = "/api/v2"

ROUTES: tuple[ControllerRouterHandler, ...] = (
    *orders.ROUTES,
    *operators.ROUTES,
    *reading.ROUTES,
    *push.ROUTES,
    *webhooks.ROUTES,
    *callbacks.ROUTES,
)
"""What is served under PREFIX; but for callbacks, to whoever has a token."""

OUTSIDE: tuple[ControllerRouterHandler, ...] = (
    *health.ROUTES,
    *docs.ROUTES,
    *shop.ROUTES,
    *live.PAGE,
)
"""What is served beside it to everybody: probes, metrics, pages."""


def build(services: Services) -> Litestar:
    """Return the application; handlers find ``services`` in its state."""
    api = Router(
        PREFIX,
        route_handlers=list(ROUTES),
        middleware=[authenticated],
        dependencies={"principal": Provide(asker)},
        dto=StrictJson,
        return_dto=None,
    )
    settings = services.settings
    questions = graphql.controller(
        shows_schema=settings.graphql_schema, origins=origins_of(settings)
    )
    return Litestar(
        route_handlers=[*OUTSIDE, *push.SOCKETS, *live.SOCKETS, questions, api],
        state=State({"services": services}, deep_copy=False),
        lifespan=[_running],
        openapi_config=CONFIG,
        logging_config=None,  # the process decides: lines of JSON
        exception_handlers=dict(HANDLERS),
        request_max_body_size=settings.body_limit_bytes,
        before_send=[harden],
        cors_config=cors(settings.cors_origins),
    )


def served(services: Services) -> ASGIApp:
    """Return the application as a server runs it: measured, and with the short ways."""
    return measured(Express(services, build(services), PREFIX), services.metrics)


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    """Start the parts, and stop them in the other order."""
    services: Services = app.state.services
    async with AsyncExitStack() as ending:
        ending.push_async_callback(services.limits.close)
        ending.push_async_callback(services.reads.close)
        if services.webhooks is not None:
            ending.push_async_callback(services.webhooks.close)
        ending.push_async_callback(services.sockets.close)
        await ending.enter_async_context(services.sender)
        services.follower.start()
        ending.push_async_callback(services.follower.stop)
        ending.push_async_callback(services.live.stop)
        ending.push_async_callback(services.decisions.stop)
        yield
