"""Clients of the front door as they should be: they ask again with the same key, and come back.

A buyer places orders over HTTP and pays them. What fails for a reason that may pass (no connection,
5xx, 429, 409 while the same is judged) she asks again, word by word. A watcher holds the buyer's
WebSocket, and after a break resumes where it was, as docs/push.md says.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp

from topologies.chaos.system import ChaosError

_AGAIN_S = 0.3
_PATIENCE_S = 180.0  # of one request with all its repeats: the longest outage, twice
_NEWS_WAITS_S = (5.0, 10.0, 20.0)  # after a 202, unless the socket tells something sooner
_SILENCE_S = 30.0  # two heartbeats
_OVERLAP_MS = 10_000  # facts of two partitions may reach a socket in another order than in time


class Answer(NamedTuple):
    """A final answer: its status and its body."""

    status: int
    body: Any


class Step(NamedTuple):
    """A message of the socket: the order's ``seq``, and the trace that it belongs to."""

    seq: int
    trace_id: str


@dataclass
class Purchase:
    """One order of a buyer, and every final answer that she got to it."""

    number: int
    key: str
    trace_id: str
    order_no: str = ""
    is_accepted: bool = False
    placed: list[Answer] = field(default_factory=list)
    paid: list[Answer] = field(default_factory=list)

    @property
    def traceparent(self) -> str:
        """The W3C header of its requests."""
        return f"00-{self.trace_id}-{self.number + 1:016x}-01"


class Goods(NamedTuple):
    """What is bought, one unit at a time."""

    sku_id: int
    price_fen: int


class Buyer:
    """One user: her requests, and what her socket saw. ``counts`` is shared by all buyers."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, token: str, counts: Counter[str]
    ) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._counts = counts
        self.purchases: list[Purchase] = []
        self.watcher = Watcher(self)

    async def buy(self, purchase: Purchase, goods: Goods, *, at_once: int, pays: bool) -> None:
        """Place an order, ``at_once`` times at the same time, and pay it if she ``pays``."""
        self.purchases.append(purchase)
        purchase.placed += await asyncio.gather(
            *(self.place(purchase, goods) for _ in range(at_once))
        )
        if pays and purchase.placed[0].status == 201:
            purchase.paid.append(await self._pay(purchase))

    async def place(self, purchase: Purchase, goods: Goods) -> Answer:
        """Place the order, or place it again: until it is decided."""
        line = {"sku_id": goods.sku_id, "qty": 1, "unit_price_fen": goods.price_fen}
        body = {"lines": [line], "total_fen": goods.price_fen}
        headers = {"X-Idempotency-Key": purchase.key}
        return await self._decided(purchase, "place", "/orders", body, headers)

    async def _pay(self, purchase: Purchase) -> Answer:
        path = f"/orders/{purchase.order_no}/payments"
        return await self._decided(purchase, "pay", path, {"channel": "sim"}, {})

    async def _decided(
        self, purchase: Purchase, kind: str, path: str, body: Any, headers: dict[str, str]
    ) -> Answer:
        """Ask until the answer is no 202; meanwhile the socket may say that it is time."""
        more = {**headers, "traceparent": purchase.traceparent}
        waits = iter(_NEWS_WAITS_S)
        wait_s = 0.0
        while True:
            answer = await self.ask(kind, path, body, more)
            if answer.status in (201, 202):
                purchase.order_no = answer.body["order_no"]
            if answer.status != 202:
                return answer
            purchase.is_accepted = True
            wait_s = next(waits, wait_s)
            await self.watcher.news_of(purchase.order_no, wait_s)

    async def ask(self, kind: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        """POST until there is an answer that asking again would not change; raise ChaosError."""
        deadline_s = time.monotonic() + _PATIENCE_S
        url, data = f"{self._url}/api/v2{path}", json.dumps(body).encode()
        headers = {**self._headers, **headers, "Content-Type": "application/json"}
        while time.monotonic() < deadline_s:
            pause_s = _AGAIN_S
            try:
                async with self._session.post(url, data=data, headers=headers) as response:
                    answer = Answer(response.status, json.loads(await response.read()))
                    pause_s = float(response.headers.get("Retry-After", pause_s))
            except (aiohttp.ClientError, OSError, TimeoutError):
                self._counts[f"{kind} unanswered"] += 1
            else:
                self._counts[f"{kind} {answer.status}"] += 1
                if not _may_change(answer):
                    return answer
            await asyncio.sleep(pause_s)
        raise ChaosError(f"{kind}: no final answer within {_PATIENCE_S:g} s")

    async def socket(self) -> aiohttp.ClientWebSocketResponse:
        """Open a socket that is to be told where to resume; raise ClientError, or OSError."""
        ticket = (await self.ask("ticket", "/ws/tickets", {}, {})).body["ticket"]
        url = f"{self._url}/ws/state?ticket={ticket}&resume=1"
        return await self._session.ws_connect(url)


def _may_change(answer: Answer) -> bool:
    if answer.status == 409:
        return bool(answer.body["code"] == "IN_PROGRESS")
    return answer.status == 429 or answer.status >= 500


class Watcher:
    """A buyer's socket: ``seen`` has its messages of each order, in the order in which they came.

    ``breaks`` counts by what code sockets ended (0: without one).
    """

    def __init__(self, buyer: Buyer) -> None:
        self.seen: dict[str, list[Step]] = {}
        self.breaks: Counter[int] = Counter()
        self.replayed = 0
        self.opened = asyncio.Event()
        self._buyer = buyer
        self._at_ms: dict[str, int] = {}
        self._last_ms = int(time.time() * 1000)
        self._news: dict[str, asyncio.Event] = {}

    async def watch(self) -> None:
        """Hold a socket, and open another when it breaks; for ever."""
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                socket = await self._buyer.socket()
                try:
                    await self._hold(socket)
                finally:
                    await socket.close()
                self.breaks[socket.close_code or 0] += 1
            await asyncio.sleep(_AGAIN_S)

    async def news_of(self, order_no: str, wait_s: float) -> None:
        """Wait until the socket tells something of an order, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.setdefault(order_no, asyncio.Event()).wait()
        self._news.pop(order_no, None)

    async def _hold(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take what a socket tells until it ends, or is silent for too long."""
        await socket.send_json(self._resume())
        while True:
            try:
                message = await socket.receive(_SILENCE_S)
            except TimeoutError:
                return
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            told = json.loads(message.data)
            if told["event"] == "order_status_updated":
                self._take(told)
            elif told["event"] == "resumed":
                self.replayed += told["data"]["messages"]
                self.opened.set()

    def _resume(self) -> dict[str, Any]:
        """Say what was seen: by name of what moved lately, by time of all else."""
        since_ms = self._last_ms - _OVERLAP_MS
        known = {one.order_no: 0 for one in self._buyer.purchases if one.order_no}
        named = {
            order_no: self.seen[order_no][-1].seq if order_no in self.seen else 0
            for order_no in {**known, **self.seen}
            if self._at_ms.get(order_no, since_ms) >= since_ms
        }
        return {"resume": named, "since_ms": since_ms}

    def _take(self, told: dict[str, Any]) -> None:
        data = told["data"]
        order_no = data["order_no"]
        at_ms = round(datetime.fromisoformat(data["updated_at"]).timestamp() * 1000)
        self.seen.setdefault(order_no, []).append(Step(told["seq"], told["trace_id"]))
        self._at_ms[order_no] = at_ms
        self._last_ms = max(self._last_ms, at_ms)
        if order_no in self._news:
            self._news[order_no].set()
