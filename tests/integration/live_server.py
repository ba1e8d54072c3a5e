"""An API process of test_live_page: the page, its socket and the tickets, on real servers."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import uvicorn
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from prometheus_client import CollectorRegistry

from api.auth import asker, guard
from api.follower import Follower
from api.issuer import authenticator
from api.live import routes as live
from api.live.socket import Viewing
from api.live.watching import Watching
from api.push import routes as push
from api.push.building import build_sockets
from api.push.protocol import server_options
from api.settings import ApiSettings
from api.window_reads import WindowReads
from schemas.registry import connected_codec
from schemas.topics import ORDER_EVENTS, Topic


def main(port: int, kafka: str, registry: str, home: Path) -> None:
    """Serve until killed."""
    settings, codec = ApiSettings(), connected_codec(registry)

    def follow(topics: Sequence[Topic], lookback_s: float) -> Follower:
        return Follower(kafka, codec, topics, lookback_s=lookback_s, window_facts=1)

    orders = Follower(kafka, codec, [ORDER_EVENTS], lookback_s=10, window_facts=1_000)
    judge = authenticator(settings, home)
    sockets = build_sockets(
        settings, kafka, orders, WindowReads(orders), None, judge.verify, CollectorRegistry()
    )
    watching = Watching(orders, follow)
    services = SimpleNamespace(authenticator=judge, sockets=sockets, live=Viewing(watching))

    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        orders.start()
        yield
        await watching.stop()
        await orders.stop()

    api = Router(
        "/api/v2",
        route_handlers=list(push.ROUTES),
        guards=[guard()],
        dependencies={"principal": Provide(asker)},
    )
    app = Litestar(
        [*live.ROUTES, api],
        state=State({"services": services}, deep_copy=False),
        lifespan=[running],
        openapi_config=None,
    )
    uvicorn.run(app, port=port, log_level="warning", **server_options())


if __name__ == "__main__":
    _, port, kafka, registry, home = sys.argv
    main(int(port), kafka, registry, Path(home))
