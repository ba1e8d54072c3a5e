"""Clients on a real pipeline see every transition once, whatever is killed under them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.error import HTTPError

import msgspec
import pytest
from confluent_kafka import Producer
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.auth import Principal, Scope
from api.push.tickets import Tickets
from deploy.process import free_ports
from deploy.stack import Endpoints
from schemas.order import CartLine, CompleteOrder, PlaceOrderIntent, ShipOrder
from schemas.record import Record
from schemas.registry import connected_codec
from streams.admission import derive_order_no
from tests.pipeline import Process, Worker, environment, set_up
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus

SKU, PRICE_FEN, SHOP = 870_001, 1_990, 1
ORDERS = 12
PLACED = ["RESERVING", "CREATED", "PAYING", "PAID", "FULFILLING"]
ENDED = ["SHIPPED", "COMPLETED"]
STORY = tuple(enumerate(PLACED + ENDED, 1))
_WAIT_S = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def shop(stack: Endpoints) -> Iterator[Endpoints]:
    """A running pipeline with one sku in stock."""
    set_up(stack)
    with Worker(stack) as worker, Process(stack, "gateway"):
        worker.wait_until("took_over")
        where = Where(stack.kafka, connected_codec(stack.registry))
        catalogue = Catalogue(1, (Sku(SKU, PRICE_FEN, 1_000, ("east",)),))
        list_skus(where, catalogue)
        bring_stock(where, catalogue, run_name(), inside=False)
        yield stack


@dataclass
class Api:
    """A process that serves sockets."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def api(stack: Endpoints, window_facts: int = 50_000) -> Iterator[Api]:
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.push_server", str(port)),
            *(stack.kafka, stack.registry, stack.redis, str(window_facts)),
        ],
        env=environment(stack),
    )
    try:
        deadline = time.monotonic() + _WAIT_S
        while not _answers(port):
            assert process.poll() is None, "the API process ended"
            assert time.monotonic() < deadline, "the API process does not answer"
            time.sleep(0.1)
        yield Api(port, process)
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


class Buyer:
    """A user who orders, and one client of hers: what it saw, in the order in which it came."""

    def __init__(self, stack: Endpoints, user_id: int) -> None:
        self.user_id = user_id
        self.order_nos: list[str] = []
        self.saw: list[tuple[str, int, str]] = []
        self._codec = connected_codec(stack.registry)
        self._producer = Producer(
            {"bootstrap.servers": stack.kafka, "partitioner": "murmur2_random"}
        )
        self._stack = stack

    def order(self, count: int) -> None:
        """Place orders that are paid at once."""
        for _ in range(count):
            key = f"push-{time.time_ns()}"
            intent = PlaceOrderIntent(
                shop_id=SHOP,
                user_id=self.user_id,
                client_key=key,
                lines=(CartLine(SKU, 1, PRICE_FEN),),
                total_fen=PRICE_FEN,
                placed_at_ms=time.time_ns() // 1_000_000,
                pay_channel="sim",
            )
            self.send(intent, key)
            self.order_nos.append(derive_order_no(SHOP, self.user_id, key))

    def end(self, order_no: str) -> None:
        """Have an order shipped and completed."""
        self.send(ShipOrder(order_no, SHOP, f"w-{order_no}"), order_no)
        self.send(CompleteOrder(order_no, SHOP, self.user_id), order_no)

    def send(self, record: Record, key: str) -> None:
        self._producer.produce("order.intents", self._codec.encode(record), key)
        self._producer.flush(10)

    @asynccontextmanager
    async def watching(self, at: Api, *, resumes: bool) -> AsyncIterator[ClientConnection]:
        """Open a socket; ``resumes``: with what was seen so far."""
        ticket = await self.ticket()
        url = f"ws://127.0.0.1:{at.port}/ws/state?ticket={ticket}"
        async with connect(url + "&resume=1" * resumes, proxy=None) as opened:
            assert msgspec.json.decode(await opened.recv())["event"] == "ready"
            if resumes:
                last = {order_no: seq for order_no, seq, _ in self.saw}
                seen = {order_no: last.get(order_no, 0) for order_no in self.order_nos}
                await opened.send(msgspec.json.encode({"resume": seen}).decode())
            yield opened

    async def ticket(self, life_s: float = 3600) -> str:
        ends_s = time.time() + life_s
        scopes = frozenset({Scope.CUSTOMER})
        async with Redis.from_url(self._stack.redis) as redis:
            return await Tickets(redis).issue(
                Principal(SHOP, self.user_id, scopes, str(self.user_id), ends_s)
            )

    async def watch(self, opened: ClientConnection, messages: int) -> None:
        """Note messages until there are so many in all."""
        async with asyncio.timeout(_WAIT_S):
            while len(self.saw) < messages:
                message = msgspec.json.decode(await opened.recv())
                if message["event"] == "order_status_updated":
                    data = message["data"]
                    self.saw.append((data["order_no"], message["seq"], data["status"]))

    def stories(self) -> dict[str, tuple[tuple[int, str], ...]]:
        """Return what was seen of each order, in the order in which it came."""
        return {
            order_no: tuple((seq, status) for no, seq, status in self.saw if no == order_no)
            for order_no in self.order_nos
        }


def test_a_client_whose_process_is_killed_misses_no_transition_and_sees_none_twice(
    shop: Endpoints,
) -> None:
    buyer = Buyer(shop, 71)

    async def check() -> None:
        with api(shop) as first, api(shop, window_facts=8) as second:
            async with buyer.watching(first, resumes=False) as opened:
                buyer.order(ORDERS)
                await buyer.watch(opened, ORDERS * 2)
                first.process.kill()
                with pytest.raises(ConnectionClosed):
                    await buyer.watch(opened, sys.maxsize)
            buyer.order(1)  # while nobody watches
            async with buyer.watching(second, resumes=True) as opened:
                await buyer.watch(opened, (ORDERS + 1) * len(PLACED) - 3)
            # And once more, in the middle of what comes and from nothing but the facts.
            async with buyer.watching(second, resumes=True) as opened:
                for order_no in buyer.order_nos:
                    buyer.end(order_no)
                await buyer.watch(opened, (ORDERS + 1) * len(PLACED + ENDED))

    asyncio.run(check())
    assert buyer.stories() == dict.fromkeys(buyer.order_nos, STORY)


def test_a_ticket_opens_one_socket_of_all_processes(shop: Endpoints) -> None:
    buyer = Buyer(shop, 72)

    async def opens(at: Api, ticket: str) -> int:
        try:
            async with connect(f"ws://127.0.0.1:{at.port}/ws/state?ticket={ticket}", proxy=None):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    async def check() -> None:
        with api(shop) as first, api(shop) as second:
            for _ in range(5):
                ticket = await buyer.ticket()
                codes = await asyncio.gather(*(opens(at, ticket) for at in (first, second) * 2))
                assert sorted(codes) == [101, 401, 401, 401]
            assert await opens(first, await buyer.ticket(life_s=-1)) == 401

    asyncio.run(check())
