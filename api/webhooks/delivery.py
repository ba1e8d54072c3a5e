"""Delivers what is owed: for each endpoint by itself, an order's events one after the other.

An endpoint has a few deliveries under way at once and no more, whatever becomes of them: one that
does not answer costs the others nothing. Of an order only the first event is ever under way; the
next one is due when that has been taken, or is three days old.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
import structlog
from msgspec.structs import replace
from redis import RedisError

from api.webhooks.endpoints import Endpoints
from api.webhooks.events import message_id
from api.webhooks.guard import guarded_sockets, url_problem
from api.webhooks.queue import Claimed, Delivery, DeliveryQueue
from api.webhooks.schedule import FIRST_WAIT_MS, Outcome, outcome_of, wait_ms
from api.webhooks.signing import signed_headers
from schemas.webhook import WebhookState, WebhookSubscribed

TIMEOUT_S = 15.0  # Standard Webhooks: 15 to 30 s
_LEASE_MS = 20_000  # longer than a try; a killed worker's are made again after so long
_LOOK_MS = 5_000  # how often to look for what another process owed, or left undone
_BACKOFF_S = 0.5
_READ_BYTES = 4_096  # of an answer, so that its connection can be used again
_ERROR_CHARS = 200

log = structlog.get_logger()

Publish = Callable[[WebhookSubscribed], Awaitable[None]]
"""Writes an endpoint's new record to ``webhook.endpoints``; returns when it is safe."""


@dataclass(frozen=True)
class DeliverySettings:
    """How deliveries are made; times in milliseconds."""

    master_key: bytes
    allows_local: bool = False
    per_endpoint: int = 8
    """Deliveries under way at once: 500 a second for an endpoint that answers after 15 ms."""
    first_wait_ms: int = FIRST_WAIT_MS


class Reply(NamedTuple):
    """What came of a POST. ``status`` is None without an answer; ``error`` says why."""

    status: int | None
    duration_ms: int
    error: str = ""


@asynccontextmanager
async def webhook_client(allows_local: bool) -> AsyncIterator[aiohttp.ClientSession]:
    """Give an HTTP client that connects to public addresses only and believes no proxy."""
    connector = aiohttp.TCPConnector(
        limit=0,  # the deliverer bounds what is under way
        keepalive_timeout=30,
        ttl_dns_cache=60,
        socket_factory=guarded_sockets(allows_local),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        auto_decompress=False,  # a small answer may become a large one
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as client:
        yield client


async def post(
    client: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes
) -> Reply:
    """Post a message once."""
    started_s = time.perf_counter()

    def reply(status: int | None, error: str = "") -> Reply:
        return Reply(status, round((time.perf_counter() - started_s) * 1000), error[:_ERROR_CHARS])

    try:
        async with client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            await answer.content.read(_READ_BYTES)
            return reply(answer.status)
    except TimeoutError:
        return reply(None, "no answer in time")
    except (aiohttp.ClientError, ValueError) as error:
        return reply(None, str(error) or repr(error))


class Deliverer:
    """Delivers for all endpoints until it is told to stop; several may share the work."""

    def __init__(
        self,
        endpoints: Endpoints,
        queue: DeliveryQueue,
        client: aiohttp.ClientSession,
        publish: Publish,
        settings: DeliverySettings,
    ) -> None:
        self._endpoints = endpoints
        self._queue = queue
        self._client = client
        self._publish = publish
        self._settings = settings
        self._look_at_ms: dict[str, int] = {}
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self, endpoint_id: str) -> None:
        """Look at once what is owed to an endpoint."""
        self._look_at_ms[endpoint_id] = 0
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set; then let the tries under way end."""
        stopped = asyncio.create_task(stop.wait())
        stopped.add_done_callback(lambda _: self._woken.set())
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    wait_s = await self._look()
                except RedisError as error:
                    log.warning("webhook_queue_away", why=str(error))
                    await asyncio.sleep(_BACKOFF_S)
                    continue
                await _until(self._woken, wait_s)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            stopped.cancel()
            for task in self._tasks:
                task.cancel()

    async def _look(self) -> float:
        """Begin what is due and may begin; return in how many seconds to look again."""
        now_ms = _now_ms()
        next_ms = now_ms + _LOOK_MS
        for endpoint in self._endpoints.enabled():
            name = endpoint.endpoint_id
            free = self._settings.per_endpoint - self._under_way[name]
            if free <= 0:
                continue  # the end of a delivery wakes it
            if self._look_at_ms.get(name, 0) <= now_ms:
                self._look_at_ms[name] = now_ms + _LOOK_MS
                claims = await self._queue.claim(name, now_ms, _LEASE_MS, free)
                for claimed in claims.due:
                    self._begin(endpoint, claimed)
                if claims.next_ms is not None and len(claims.due) < free:
                    self._look_at_ms[name] = min(self._look_at_ms[name], claims.next_ms)
            next_ms = min(next_ms, self._look_at_ms[name])
        return max(0.0, (next_ms - _now_ms()) / 1000)

    def _begin(self, endpoint: WebhookSubscribed, claimed: Claimed) -> None:
        self._under_way[endpoint.endpoint_id] += 1
        task = asyncio.create_task(self._deliver(endpoint, claimed))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(endpoint.endpoint_id, done))

    def _ended(self, endpoint_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._under_way[endpoint_id] -= 1
        self.wake(endpoint_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease runs out, and the event is delivered again.
            log.error("webhook_not_settled", endpoint=endpoint_id, why=repr(error))

    async def _deliver(self, endpoint: WebhookSubscribed, claimed: Claimed) -> None:
        settings = self._settings
        problem = url_problem(endpoint.url, settings.allows_local)
        if problem:
            reply = Reply(None, 0, problem)
        else:
            number = message_id(claimed.order_no, claimed.version)
            headers = signed_headers(settings.master_key, endpoint, number, claimed.body, _now_ms())
            reply = await post(self._client, endpoint.url, headers, claimed.body)
        now_ms, attempt = _now_ms(), claimed.tries + 1
        outcome = outcome_of(reply.status, now_ms - claimed.occurred_at_ms)
        delivery = Delivery(
            order_no=claimed.order_no,
            version=claimed.version,
            attempt=attempt,
            outcome=outcome,
            status=reply.status,
            duration_ms=reply.duration_ms,
            at_ms=now_ms,
            error=reply.error,
            occurred_at_ms=claimed.occurred_at_ms,
            body=claimed.body.decode(),
        )
        again_at_ms = None
        if outcome is Outcome.FAILED:
            again_at_ms = now_ms + wait_ms(attempt, random.random(), settings.first_wait_ms)
        await self._queue.settle(endpoint.endpoint_id, delivery, again_at_ms, now_ms)
        if outcome is Outcome.GONE:
            await self._disable(endpoint)

    async def _disable(self, endpoint: WebhookSubscribed) -> None:
        log.info("webhook_gone", endpoint=endpoint.endpoint_id)
        gone = replace(endpoint, state=WebhookState.GONE)
        await self._publish(gone)
        self._endpoints.take(gone)


async def _until(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
