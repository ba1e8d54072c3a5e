"""The routes of the pushes on a real server, with orders that the test makes happen."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec
import uvicorn
from litestar import Controller, Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api import graphql
from api.auth import Principal, Scope, asker
from api.limits import Limits as RequestLimits
from api.limits import policies
from api.problems import Code, Refused, body_of, status_of
from api.push.feed import History
from api.push.protocol import server_options
from api.push.routes import give_ticket, state_socket
from api.push.tickets import Tickets
from api.push.websocket import Limits, Sockets
from api.settings import ApiSettings
from schemas.read_model import OrderView, StockLevel, StockView
from tests.unit.api.push.shop import BUYER, SHOP, Log

STOCK = StockView(5, {"east": StockLevel(1, SHOP, on_hand=9, held=2, updated_at_ms=0)})


def customer(user_id: int = BUYER, shop_id: int = SHOP, life_s: float = 3600) -> Principal:
    return Principal(
        shop_id, user_id, frozenset({Scope.CUSTOMER}), str(user_id), time.time() + life_s
    )


class Tokens:
    """Tokens that the test knows."""

    def __init__(self, tokens: Mapping[str, Principal]) -> None:
        self._tokens = tokens

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        return await self.verify(headers.get("authorization", "").removeprefix("Bearer "))

    async def verify(self, token: str) -> Principal:
        if token not in self._tokens:
            raise Refused(Code.UNAUTHENTICATED, "who?")
        return self._tokens[token]


class Reads:
    """The read model over the log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def order(self, order_no: str) -> OrderView | None:
        if order_no == "BROKEN":
            raise RuntimeError("the password is 1234")
        return (await self._log.views([order_no])).get(order_no)

    async def orders(
        self, shop_id: int, user_id: int, status: str | None, cursor: str | None, limit: int
    ) -> tuple[list[OrderView], str | None]:
        views = await self._log.views(await self._log.changed(shop_id, user_id, 0))
        wanted = [view for view in views.values() if status in (None, view.status)]
        return wanted[:limit], None

    async def stock(self, sku_id: int) -> StockView | None:
        return STOCK if sku_id == STOCK.sku_id else None


@dataclass
class Site:
    """One server; ``tickets`` gives tickets as the route does."""

    port: int
    log: Log
    sockets: Sockets

    async def open(self, principal: Principal, query: str = "", **more: Any) -> ClientConnection:
        """Open a socket with a new ticket; it has said that it is ready."""
        ticket = await self.sockets.tickets.issue(principal)
        opened = await self.connect(f"?ticket={ticket}{query}", **more)
        assert (await heard(opened))["event"] == "ready"
        return opened

    async def connect(self, query: str, **more: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}/ws/state{query}"
        return await connect(url, proxy=None, **more)


async def heard(opened: ClientConnection) -> Any:
    """Return the next message, decoded."""
    async with asyncio.timeout(20):
        return msgspec.json.decode(await opened.recv())


async def steps(opened: ClientConnection, count: int) -> list[tuple[str, int]]:
    """Return (order, seq) of the next transitions."""
    found = [await heard(opened) for _ in range(count)]
    return [(message["data"]["order_no"], message["seq"]) for message in found]


async def closed(opened: ClientConnection) -> int | None:
    """Return the code with which the server closes, whatever it sends before."""
    async with asyncio.timeout(30):
        with suppress(ConnectionClosed):
            while True:
                await opened.recv()
        await opened.wait_closed()
    return opened.close_code


@cache
def _graphql(shows_schema: bool) -> type[Controller]:
    return graphql.controller(shows_schema=shows_schema, origins=())


def _problem(_: Request[Any, Any, Any], refused: Refused) -> Response[Any]:
    return Response(body_of(refused, ""), status_code=status_of(refused.code))


@asynccontextmanager
async def serving(
    log: Log | None = None,
    limits: Limits | None = None,
    tokens: Mapping[str, Principal] | None = None,
    history: History | None = None,
    *,
    shows_schema: bool = False,
) -> AsyncIterator[Site]:
    """Run a server on this loop."""
    log = log or Log()
    authenticator = Tokens(tokens or {})
    sockets = Sockets(
        log.hub,
        history or log,
        Tickets(None),
        log.metrics,
        limits or Limits(),
        authenticator.verify,
    )
    services = SimpleNamespace(
        sockets=sockets,
        authenticator=authenticator,
        reads=Reads(log),
        limits=RequestLimits(None, policies(ApiSettings())),
    )
    app = Litestar(
        [give_ticket, state_socket, _graphql(shows_schema)],
        state=State({"services": services}, deep_copy=False),
        dependencies={"principal": Provide(asker)},
        exception_handlers={Refused: _problem},
        openapi_config=None,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, **server_options())
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield Site(listener.getsockname()[1], log, sockets)
    finally:
        server.should_exit = True
        await running
