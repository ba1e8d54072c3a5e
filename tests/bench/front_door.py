"""``python -m tests.bench.front_door``: orders and payments over HTTP at a pace, and the pushes.

It starts a stack of its own, a worker, the gateway, the read model's sink and one API process. An
endpoint that does nothing (/health) is asked first, twice as often as orders come. Then orders
begin at the pace whether earlier ones are answered or not: each is placed and, once created, paid.
A WebSocket of the shop tells when the payment shows (PAYING, what the request does itself) and when
the gateway's report does (PAID). A creation is timed from when it was due, so a late driver counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import uvloop
import websockets

from api.auth import Scope
from deploy.settings import DeploySettings
from deploy.stack import Options, running
from schemas.registry import connected_codec
from tests.api import Api
from tests.pipeline import Process, Worker, set_up
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus

_SHOP, _BUYER, _FIRST_SKU, _SKUS, _PRICE_FEN, _UNITS = 1, 57, 590_001, 100, 1_990, 1_000_000
_LINES: Final = 64  # kept connections to begin with; more are opened when all are busy
_PATIENCE_S: Final = 10.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UNLIMITED = "1000000/1"
_RATES = {
    f"ORDERSTREAM_API_{name}_RATE": _UNLIMITED for name in ("READ", "WRITE", "SERVICE", "SKU")
}

Answered = Callable[[int, bytes], None]


class Line(asyncio.Protocol):
    """A kept connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = b""
        self._answered: Answered | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = transport

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send a request; ``answered`` gets its status and body."""
        self._answered = answered
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Tell the answer once it is whole."""
        buffer = self._buffer = self._buffer + data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = buffer.index(b"content-length:") + len(b"content-length:")
        length = int(buffer[at : buffer.index(b"\r", at)])
        if len(buffer) < end + 4 + length:
            return
        self._buffer = b""
        if self._answered is not None:
            self._answered(int(buffer[9:12]), buffer[end + 4 :])


class Load:
    """Requests at a pace; ``seconds`` by kind, ``statuses`` by kind and status."""

    def __init__(self, url: str, token: str) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.statuses: Counter[str] = Counter()
        self._host, self._port = url.removeprefix("http://").split(":")
        self._head = f"Host: {self._host}\r\nAuthorization: Bearer {token}\r\n"
        self._idle: deque[Line] = deque()
        self._paid_at_s: dict[str, float] = {}
        self._run = f"{time.time_ns():x}"

    async def connect(self) -> None:
        """Open the lines."""
        for _ in range(_LINES):
            self._idle.append(await self._line())

    async def paced(self, rate: float, seconds: float, begin: Callable[[int, float], None]) -> None:
        """Call ``begin`` with a number and the time it is due, ``rate`` times a second."""
        start_s = time.perf_counter()
        for number in range(int(rate * seconds)):
            due_s = start_s + number / rate
            if (early_s := due_s - time.perf_counter()) > 0:
                await asyncio.sleep(early_s)
            if len(self._idle) < _LINES // 2:
                self._idle.append(await self._line())
            begin(number, due_s)
            if number % 16 == 0:
                await asyncio.sleep(0)

    def empty(self, _: int, due_s: float) -> None:
        """Ask for nothing."""
        self._ask("empty", f"GET /health HTTP/1.1\r\n{self._head}\r\n", due_s)

    def order(self, number: int, due_s: float) -> None:
        """Place an order, and pay it when it is created."""
        sku = _FIRST_SKU + number % _SKUS
        line = f'{{"sku_id":{sku},"qty":1,"unit_price_fen":{_PRICE_FEN}}}'
        body = f'{{"user_id":{_BUYER},"total_fen":{_PRICE_FEN},"lines":[{line}]}}'
        key = f"X-Idempotency-Key: {self._run}-{number}\r\n"
        self._ask("create", self._post("/api/v2/orders", body, key), due_s, self._pay)

    async def listen(self, url: str) -> None:
        """Follow the shop's WebSocket until cancelled."""
        async with websockets.connect(url, proxy=None, max_queue=None) as socket:
            async for text in socket:
                data = json.loads(text).get("data", {})
                since_s = self._paid_at_s.get(data.get("order_no"))
                if since_s is not None and data["status"] in ("PAYING", "PAID"):
                    kind = f"push {data['status']}"
                    self.seconds.setdefault(kind, []).append(time.perf_counter() - since_s)

    def _pay(self, status: int, body: bytes) -> None:
        if status == 201:
            order_no = json.loads(body)["order_no"]
            self._paid_at_s[order_no] = now_s = time.perf_counter()
            pay = f'{{"user_id":{_BUYER},"channel":"sim"}}'
            self._ask("pay", self._post(f"/api/v2/orders/{order_no}/payments", pay), now_s)

    def _post(self, path: str, body: str, more: str = "") -> str:
        return (
            f"POST {path} HTTP/1.1\r\n{self._head}{more}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _ask(self, kind: str, request: str, due_s: float, then: Answered | None = None) -> None:
        if not self._idle:
            self.statuses[f"{kind} no line"] += 1
            return
        line = self._idle.popleft()

        def answered(status: int, body: bytes) -> None:
            self._idle.append(line)
            self.seconds.setdefault(kind, []).append(time.perf_counter() - due_s)
            self.statuses[f"{kind} {status}"] += 1
            if then is not None:
                then(status, body)

        line.ask(request.encode(), answered)

    async def _line(self) -> Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, self._host, int(self._port))
        return line


def cpu_s(pid: int) -> float:
    """Return the processor time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def measured(api: Api, pids: dict[str, int], rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures of an API under load."""
    token = api.issuer.token(_SHOP, 7, (Scope.SHOP,), hours=1)
    load = Load(api.url, token)
    await load.connect()
    before_s = cpu_s(pids["api"])
    await load.paced(2 * rate, min(seconds, 10.0), load.empty)
    await asyncio.sleep(0.5)
    asked = max(1, len(load.seconds.get("empty", ())))
    empty_us = (cpu_s(pids["api"]) - before_s) / asked * 1e6
    ticket = api.client(_SHOP, 7, (Scope.SHOP,)).http.post("/api/v2/ws/tickets").json()["ticket"]
    at = f"{api.url.replace('http', 'ws', 1)}/ws/state?ticket={ticket}"
    listening = asyncio.create_task(load.listen(at))
    await load.paced(rate, 2.0, load.order)  # what is learned and opened at first is not measured
    await asyncio.sleep(1.0)
    load.seconds.clear()
    load.statuses.clear()
    used = {name: cpu_s(pid) for name, pid in pids.items()}
    await load.paced(rate, seconds, load.order)
    wanted, deadline_s = int(rate * seconds), time.monotonic() + _PATIENCE_S
    while len(load.seconds.get("push PAID", ())) < wanted and time.monotonic() < deadline_s:
        await asyncio.sleep(0.1)
    requests = max(1, sum(len(load.seconds.get(kind, ())) for kind in ("create", "pay")))
    spent_us = {n: (cpu_s(pid) - used[n]) / requests * 1e6 for n, pid in pids.items()}
    listening.cancel()
    return {
        "rate": rate,
        "orders": wanted,
        "statuses": dict(load.statuses),
        "ms": {kind: _spread(found) for kind, found in load.seconds.items()},
        "cpu_us_per_request": {"empty": empty_us, **spent_us},
        "api_to_empty": spent_us["api"] / max(empty_us, 1.0),
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    found = sorted(seconds)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    spread = {n: 1000 * found[min(len(found) - 1, int(len(found) * p))] for n, p in at.items()}
    return {"count": float(len(found)), **spread}


def run(rate: float, seconds: float) -> dict[str, Any]:
    """Start everything, measure, and stop everything."""
    settings = DeploySettings(kafka=None, registry=None, redis=None)
    options = Options(servers=("kafka", "registry", "redis"), settings=settings)
    with ExitStack() as ending:
        stack = ending.enter_context(running(options))
        set_up(stack)
        where = Where(stack.kafka, connected_codec(stack.registry))
        numbers = range(_FIRST_SKU, _FIRST_SKU + _SKUS)
        catalogue = Catalogue(_SHOP, tuple(Sku(n, _PRICE_FEN, _UNITS, ("east",)) for n in numbers))
        list_skus(where, catalogue)
        home = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        worker = ending.enter_context(Worker(stack))
        gateway = ending.enter_context(Process(stack, "gateway"))
        sink = ending.enter_context(Process(stack, "sink", "redis"))
        api = ending.enter_context(Api(stack, home, **_RATES))
        worker.wait_until("assigned")
        bring_stock(where, catalogue, run_name())
        api.wait_until_serving()
        while not gateway.events("assigned"):
            time.sleep(0.1)
        parts = {"api": api, "worker": worker, "gateway": gateway, "sink": sink}
        pids = {name: part.process.pid for name, part in parts.items()}
        return uvloop.run(measured(api, {**pids, "driver": os.getpid()}, rate, seconds))


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=1_000.0, help="orders a second, each paid")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path, help="write all figures here")
    told = parser.parse_args()
    figures = run(told.rate, told.seconds)
    text = json.dumps(figures, indent=2)
    print(text)
    if told.json:
        told.json.write_text(text)


if __name__ == "__main__":
    main()
