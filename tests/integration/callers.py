"""The API's callbacks and webhooks on a real server, for those that call it in tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from redis.asyncio import Redis

from api import callbacks
from api.auth import Principal, Scope, asker, guard
from api.callbacks import Callbacks
from api.gateways.sim import SimGateway
from api.problems import Refused, body_of, status_of
from api.sender import Sender
from api.spool import Spool
from api.webhooks import routes
from api.webhooks.endpoints import Endpoints
from api.webhooks.queue import DeliveryQueue
from api.webhooks.routes import Webhooks
from deploy.stack import Endpoints as Servers
from schemas.record import Record
from schemas.registry import connected_codec
from tests.kafka import distinct, read

SECRET = b"the simulator's secret, 32 bytes!"
MASTER_KEY = b"the key of the webhooks' secrets"


class Authenticator:
    """Believes ``Bearer <shop>/<scope>``: tokens have tests of their own."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        shop, _, scope = headers["authorization"].removeprefix("Bearer ").partition("/")
        return Principal(int(shop), 0, frozenset((Scope(scope),)), "", time.time() + 60)


@dataclass
class Services:
    callbacks: Callbacks
    webhooks: Webhooks
    authenticator: Authenticator


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def served(servers: Servers, folder: Path) -> Iterator[str]:
    """Serve the routes; give the base URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    config = uvicorn.Config(
        _app(servers, folder), "127.0.0.1", port, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline_s = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline_s, "the server does not start"
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}/api/v2"
    finally:
        server.should_exit = True
        thread.join(20)


def _app(servers: Servers, folder: Path) -> Litestar:
    codec = connected_codec(servers.registry)

    async def facts(order_no: str) -> list[tuple[Record, int]]:
        def found() -> list[tuple[Record, int]]:
            return [
                (codec.decode(message.value()), message.timestamp()[1])
                for message in distinct(read(servers.kafka, "order.events"))
                if message.key() == order_no.encode()
            ]

        return await asyncio.to_thread(found)

    @contextlib.asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        endpoints = Endpoints()
        endpoints.start(servers.kafka, codec)
        await asyncio.to_thread(endpoints.wait_loaded)
        broken: list[str] = []
        redis = Redis.from_url(servers.addresses["redis"])
        async with redis, Sender(servers.kafka, Spool(folder / "spool"), broken.append) as sender:
            gateways = {"sim": SimGateway(SECRET)}
            app.state["services"] = Services(
                Callbacks(gateways, codec, sender.send, now_ms),
                Webhooks(
                    endpoints,
                    DeliveryQueue(redis),
                    codec,
                    sender.send,
                    facts,
                    MASTER_KEY,
                    now_ms,
                    allows_local=True,
                ),
                Authenticator(),
            )
            yield
        endpoints.stop()
        assert not broken

    return Litestar(
        [
            Router(
                "/api/v2",
                route_handlers=[*callbacks.ROUTES, *routes.ROUTES],
                guards=[guard()],
                dependencies={"principal": Provide(asker)},
            )
        ],
        lifespan=[running],
        state=State(),
        exception_handlers={Refused: _problem},
        openapi_config=None,
    )


def _problem(_: Request[Any, Any, Any], error: Refused) -> Response[dict[str, Any]]:
    return Response(body_of(error, ""), status_code=status_of(error.code))
