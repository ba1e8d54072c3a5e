"""``GET /ws/state``: an order's transitions as they happen.

Open it with ``?ticket=`` (``POST /api/v2/ws/tickets``). The first message is ``ready``: what
happens from then on is sent. A client that was away adds ``&resume=1`` and sends one message::

    {"resume": {"C8Q1ET4KW8P0J0HP": 3}, "since_ms": 1764000000000}

``resume`` names the last seq it saw of each order (0: it knows the order and saw nothing of it).
Of the orders that it does not name it gets what happened since ``since_ms``, so it has to name all
of which it saw anything since then. After ``resumed`` it has missed nothing and seen nothing twice.
Anything else that a client sends ends the socket.

========  ==========================================================================
code      why the socket was closed
========  ==========================================================================
1008      the client sent what it may not
1012      the server stops: come back with a resume
1013      what was missed cannot be read now: come back later, or without ``since_ms``
4401      the token has ended: get a new one, then a ticket
4408      the client did not keep up: come back with a resume
========  ==========================================================================
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from api.auth import Principal, Scope, require
from api.problems import MEDIA_TYPE, Code, Refused, body_of, status_of
from api.push.feed import Feed, History, Resume, Unreadable
from api.push.hub import Hub, Interest, Message, TooSlow
from api.push.metrics import PushMetrics
from api.push.tickets import Tickets

MISUSE: Final = 1008
AWAY: Final = 1013
TOKEN_ENDED: Final = 4401
TOO_SLOW: Final = 4408

RESUME_ORDERS = 500
RESUME_LIMIT_S = 10.0
SOCKETS = 10_000
"""Of one process; ~40 KB each with the kernel's buffers empty: 400 MB."""

_BREATH_MESSAGES = 100  # ~20 us each: the event loop is held for 2 ms


class ResumeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client saw before it went away."""

    resume: Annotated[dict[str, Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=500)]
    since_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None


class End(NamedTuple):
    """Why a socket ends; ``code`` None: the client is gone."""

    code: int | None
    reason: str = ""


GONE = End(None)

Converse = Callable[[WebSocket[Any, Any, Any], Principal], Awaitable[End]]
"""Talks to a client that was let in, until an end."""


@dataclass(frozen=True)
class Limits:
    """What one process grants. ``origins``: of pages, besides the API's own."""

    origins: Collection[str] = ()
    takes_token_in_url: bool = False
    sockets_per_user: int = 16
    heartbeat_s: float = 15.0


class Sockets:
    """Lets clients in, counts them and keeps each conversation."""

    def __init__(
        self,
        hub: Hub,
        history: History,
        tickets: Tickets,
        metrics: PushMetrics,
        limits: Limits,
        verify: Callable[[str], Awaitable[Principal]],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.hub = hub
        self.history = history
        self.tickets = tickets
        self._metrics = metrics
        self._limits = limits
        self._verify = verify
        self._now_s = now_s
        self._open: Counter[tuple[int, str]] = Counter()

    async def close(self) -> None:
        """Let go of what the parts hold."""
        await self.tickets.close()

    async def serve(self, socket: WebSocket[Any, Any, Any]) -> None:
        """Hold one socket of orders from its handshake to its end."""
        await self.hold(socket, self._converse)

    async def hold(
        self, socket: WebSocket[Any, Any, Any], converse: Converse, *scopes: Scope
    ) -> None:
        """Hold one socket: let its client in if it has one of ``scopes``, converse, and close."""
        try:
            self._check_origin(socket)
            query = socket.query_params
            token = query.get("token") if self._limits.takes_token_in_url else None
            principal = await self.principal(query.get("ticket"), token)
            if scopes:
                require(principal, *scopes)
            with self.counted(principal):
                await socket.accept()
                await self._close(socket, await converse(socket, principal))
        except Refused as refused:
            self._metrics.refused.labels(refused.code).inc()
            await _refuse(socket, refused)

    @contextmanager
    def counted(self, principal: Principal) -> Iterator[None]:
        """Count a socket while it is open; raise Refused when there are too many."""
        owner = (principal.shop_id, principal.subject)
        if self._open[owner] >= self._limits.sockets_per_user:
            raise Refused(Code.RATE_LIMITED, "Close another socket of yours first.")
        if self._open.total() >= SOCKETS:
            raise Refused(Code.UNAVAILABLE, "This server has no room; try again, or poll.")
        self._open[owner] += 1
        self._metrics.sockets.inc()
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
            self._metrics.sockets.dec()

    def _check_origin(self, socket: WebSocket[Any, Any, Any]) -> None:
        """Let in pages of known origins, and what is no browser (it sends no Origin)."""
        origin = socket.headers.get("origin")
        if origin is None or origin in self._limits.origins:
            return
        if urlsplit(origin).netloc != socket.headers.get("host"):
            raise Refused(Code.FORBIDDEN, "Pages of this origin may not open a socket here.")

    async def principal(self, ticket: str | None, token: str | None) -> Principal:
        """Return who opens a socket, by a ticket or else a token; raise Refused."""
        found = None
        if ticket is not None:
            found = await self.tickets.redeem(ticket)
        elif token:
            found = await self._verify(token)
        if found is None or found.expires_at_s <= self._now_s():
            raise Refused(
                Code.UNAUTHENTICATED, "Ask for a new ticket: POST /api/v2/ws/tickets with a token."
            )
        return found

    async def _close(self, socket: WebSocket[Any, Any, Any], end: End) -> None:
        if end.code is not None:
            self._metrics.closed.labels(str(end.code)).inc()
            with suppress(OSError, WebSocketDisconnect):  # it is gone
                await socket.close(end.code, end.reason)

    async def _converse(self, socket: WebSocket[Any, Any, Any], principal: Principal) -> End:
        feed = Feed(self.hub, self.history, interest_of(principal))
        asked: asyncio.Future[Resume] | None = None
        if socket.query_params.get("resume") == "1":
            asked = asyncio.get_running_loop().create_future()
        try:
            return await first_of(
                token_end(principal, self._now_s),
                self._watch(feed),
                self._listen(socket, asked),
                self._beat(socket),
                self._send(socket, feed, asked),
            )
        finally:
            feed.close()

    async def _send(
        self, socket: WebSocket[Any, Any, Any], feed: Feed, asked: asyncio.Future[Resume] | None
    ) -> End:
        try:
            await _tell(socket, "ready", heartbeat_s=self._limits.heartbeat_s)
            if asked is not None:
                resume = await _within(RESUME_LIMIT_S, asked)
                if resume is None:
                    return End(MISUSE, "a resume was announced and none came")
                missed = await feed.missed(resume)
                await self._send_all(socket, missed, "replayed")
                await _tell(socket, "resumed", messages=len(missed))
            async for batch in feed.live():
                await self._send_all(socket, batch, "live")
        except Unreadable:
            return End(AWAY, "what was missed cannot be read now")
        except TooSlow:
            return End(TOO_SLOW, "too slow")
        except (OSError, WebSocketDisconnect):
            pass
        return GONE

    async def _send_all(
        self, socket: WebSocket[Any, Any, Any], batch: list[Message], way: str
    ) -> None:
        for number, message in enumerate(batch, 1):
            await socket.send({"type": "websocket.send", "text": message.text, "bytes": None})
            if way == "live":
                self._metrics.latency.observe(self._now_s() - message.timestamp_ms / 1000)
            if number % _BREATH_MESSAGES == 0:
                await asyncio.sleep(0)
        self._metrics.sent.labels(way).inc(len(batch))

    async def _listen(
        self, socket: WebSocket[Any, Any, Any], asked: asyncio.Future[Resume] | None
    ) -> End:
        while True:
            event = await socket.receive()
            if event["type"] != "websocket.receive":
                return GONE
            if asked is None or asked.done():
                return End(MISUSE, "nothing is to be sent now")
            try:
                request = _decode_resume(event.get("text") or "")
            except msgspec.DecodeError as error:
                return End(MISUSE, str(error)[:100])
            asked.set_result(Resume(request.resume, request.since_ms))

    async def _beat(self, socket: WebSocket[Any, Any, Any]) -> End:
        try:
            while True:
                await asyncio.sleep(self._limits.heartbeat_s)
                await _tell(socket, "heartbeat", interval_s=self._limits.heartbeat_s)
        except (OSError, WebSocketDisconnect):
            return GONE

    async def _watch(self, feed: Feed) -> End:
        await feed.overflowed()
        return End(TOO_SLOW, "too slow")


_decode_resume: Callable[[str], ResumeRequest] = msgspec.json.Decoder(ResumeRequest).decode


def interest_of(principal: Principal) -> Interest:
    """Return what a principal is told of: a customer of her own orders, others of their shop's."""
    is_shops = not principal.scopes.isdisjoint((Scope.SHOP, Scope.OPERATOR))
    return Interest(principal.shop_id, None if is_shops else principal.user_id)


async def token_end(principal: Principal, now_s: Callable[[], float] = time.time) -> End:
    """Return when the token of ``principal`` has ended."""
    while (left_s := principal.expires_at_s - now_s()) > 0:
        await asyncio.sleep(left_s)
    return End(TOKEN_ENDED, "the token has ended")


async def first_of(*ways: Coroutine[Any, Any, End]) -> End:
    """Run all until one ends; return how the first of them ended, in the order given."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _within(limit_s: float, asked: asyncio.Future[Resume]) -> Resume | None:
    try:
        async with asyncio.timeout(limit_s):
            return await asked
    except TimeoutError:
        return None


async def _tell(socket: WebSocket[Any, Any, Any], event: str, **data: Any) -> None:
    text = msgspec.json.encode({"event": event, "data": data}).decode()
    await socket.send({"type": "websocket.send", "text": text, "bytes": None})


async def _refuse(socket: WebSocket[Any, Any, Any], refused: Refused) -> None:
    """Answer the handshake with a problem instead of a socket (ASGI's extension for it)."""
    body = msgspec.json.encode(body_of(refused, ""))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    start: Any = {
        "type": "websocket.http.response.start",
        "status": status_of(refused.code),
        "headers": headers,
    }
    end: Any = {"type": "websocket.http.response.body", "body": body}
    await socket.send(start)
    await socket.send(end)
