"""Load over HTTP/1.1, and what it costs: `POST /orders` and pay beside an empty endpoint.

    T=$(orderstream token --user 7 --scope customer --scope shop)
    python -m tests.bench.http URL --token "$T" --sku 1001 --price 1990 \
        --rate 200 --seconds 20

The client is lean on purpose, for it shares the machine: kept connections, requests as bytes, and
of a response only its status and length are read. With ``--rate`` orders begin at that pace whether
earlier ones are answered or not, so a slow answer does not hide behind a slow client; without it
every connection asks as soon as it is answered. ``--empty`` asks for /health instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import uvloop

_LENGTH: Final = b"content-length:"
_PERCENTILES: Final = (50, 95, 99)


class Connection:
    """A kept connection; one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return (status, body)."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(_LENGTH) + len(_LENGTH)
        length = int(head[at : head.index(b"\r", at)])
        return int(head[9:12]), await reader.readexactly(length)


@dataclass
class Report:
    """Latencies in seconds by kind of request, and how often each status came."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    async def timed(self, kind: str, ask: Awaitable[tuple[int, bytes]]) -> tuple[int, bytes]:
        """Wait for an answer and count it."""
        started_s = time.perf_counter()
        status, body = await ask
        self.seconds.setdefault(kind, []).append(time.perf_counter() - started_s)
        self.statuses[f"{kind} {status}"] += 1
        return status, body

    def show(self, seconds: float) -> None:
        """Print what came out."""
        for kind, found in self.seconds.items():
            found.sort()
            spread = " ".join(
                f"p{p} {1000 * found[min(len(found) - 1, len(found) * p // 100)]:.1f} ms"
                for p in _PERCENTILES
            )
            print(f"{kind}: {len(found) / seconds:,.0f}/s  {spread}")
        print(dict(self.statuses))


class Buyer:
    """Makes requests as bytes."""

    def __init__(self, host: str, token: str, sku_id: int, price_fen: int) -> None:
        self._head = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n"
        line = {"sku_id": sku_id, "qty": 1, "unit_price_fen": price_fen}
        self._cart = json.dumps({"lines": [line], "total_fen": price_fen})
        self._run = f"{time.time_ns():x}"
        self._number = 0

    def empty(self) -> bytes:
        """Ask for nothing."""
        return f"GET /health HTTP/1.1\r\n{self._head}\r\n".encode()

    def place(self) -> bytes:
        """Place a new order."""
        self._number += 1
        key = f"X-Idempotency-Key: {self._run}-{self._number}\r\n"
        return self._post("/api/v2/orders", self._cart, key)

    def pay(self, order_no: str) -> bytes:
        """Pay an order."""
        return self._post(f"/api/v2/orders/{order_no}/payments", '{"channel":"sim"}')

    def _post(self, path: str, body: str, more: str = "") -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\n{self._head}{more}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def run(
    url: str, buyer: Buyer, seconds: float, rate: float, connections: int, *, is_empty: bool
) -> Report:
    """Put load on the API at ``url`` for some ``seconds``."""
    at = urlsplit(url)
    report = Report()
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        idle.put_nowait(Connection(at.hostname or "127.0.0.1", at.port or 80))

    async def story() -> None:
        connection = await idle.get()
        try:
            if is_empty:
                await report.timed("empty", connection.ask(buyer.empty()))
                return
            status, body = await report.timed("place", connection.ask(buyer.place()))
            if status == 201:
                order_no = json.loads(body)["order_no"]
                await report.timed("pay", connection.ask(buyer.pay(order_no)))
        finally:
            idle.put_nowait(connection)

    until_s = time.perf_counter() + seconds
    if rate:
        await _paced(story, rate, until_s)
    else:
        await asyncio.gather(*(_again(story, until_s) for _ in range(connections)))
    return report


async def _again(story: Callable[[], Awaitable[None]], until_s: float) -> None:
    while time.perf_counter() < until_s:
        await story()


async def _paced(story: Callable[[], Awaitable[None]], rate: float, until_s: float) -> None:
    async with asyncio.TaskGroup() as stories:
        due_s = time.perf_counter()
        while due_s < until_s:
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            stories.create_task(_once(story))
            due_s += 1 / rate


async def _once(story: Callable[[], Awaitable[None]]) -> None:
    await story()


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--token", default="")
    parser.add_argument("--sku", type=int, default=0)
    parser.add_argument("--price", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--empty", action="store_true")
    told = parser.parse_args()
    buyer = Buyer(urlsplit(told.url).netloc, told.token, told.sku, told.price)
    started_s = time.perf_counter()
    report = uvloop.run(
        run(told.url, buyer, told.seconds, told.rate, told.connections, is_empty=told.empty)
    )
    report.show(time.perf_counter() - started_s)


if __name__ == "__main__":
    main()
