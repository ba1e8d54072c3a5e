"""The simulated gateway's reports as real callbacks: signed HTTP, again and again until it is 2xx.

A report is a child of the effect worker's call, so the call ends when the last report has been
taken: what was not is called for again after a crash, and reported again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import msgspec
import structlog

from api.gateways.sim import signed_headers
from schemas.payment import GatewayReport
from schemas.record import Record
from streams.engine.effects import Call, Send
from streams.kernel.stage import Output

CONNECTIONS = 64
"""Kept alive. 1,000 reports/s that are answered after 20 ms, two writes to Kafka, need 20."""

_TIMEOUT_S = 10.0
_RETRY_S = 0.1
_RETRY_CAP_S = 30.0

log = structlog.get_logger()

Deliver = Callable[[GatewayReport], Coroutine[Any, Any, None]]


def over_http(calls: Mapping[type[Record], Call], deliver: Deliver) -> dict[type[Record], Call]:
    """Return ``calls`` with their reports given to ``deliver`` instead of to an inbox."""
    return {kind: _over_http(call, deliver) for kind, call in calls.items()}


def _over_http(call: Call, deliver: Deliver) -> Call:
    async def call_over_http(fact: Any, _send: Send) -> None:
        async with asyncio.TaskGroup() as posts:

            def post(output: Output) -> None:
                posts.create_task(deliver(cast(GatewayReport, output.message)))

            waiting = call(fact, post)
            if waiting is not None:
                await waiting

    return call_over_http


@asynccontextmanager
async def callback_client(url: str, secret: bytes) -> AsyncIterator[Deliver]:
    """Give what delivers a report to ``url``, signed with ``secret``; it returns when it is taken.

    It never gives up: a gateway does not know whether the one it calls is away or has moved.
    """
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=60)
    limits = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT_S, sock_read=_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:

        async def deliver(report: GatewayReport) -> None:
            body = msgspec.json.encode(report)
            failures = 0
            while why := await _refusal(session, url, secret, body):
                failures += 1
                log.warning("callback_not_taken", url=url, why=why, failures=failures)
                wait_s = min(_RETRY_S * 2 ** min(failures - 1, 20), _RETRY_CAP_S)
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))

        yield deliver


async def _refusal(session: aiohttp.ClientSession, url: str, secret: bytes, body: bytes) -> str:
    """Post once, signed now; return why it was not taken, empty when it was."""
    headers = signed_headers(secret, time.time_ns() // 1_000_000, body)
    headers["content-type"] = "application/json"
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            return "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return repr(error)
