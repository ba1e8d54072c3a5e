"""Webhooks end to end: a real receiver, the worker as a process, the queue in a real Redis."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer

from api.auth import Scope
from deploy.stack import Endpoints
from schemas.order import (
    OrderCompleted,
    OrderConfirmed,
    OrderCreated,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
)
from schemas.record import Record
from schemas.registry import connected_codec
from tests.api import Api
from tests.integration.callers import now_ms, served
from tests.integration.receiver import Got, Receiver, verify
from tests.pipeline import Process, set_up
from topologies.services import keys

TRACE = "0af7651916cd43dd8448eb211c80319c"
VERSIONS = [1, 2, 3, 4, 5, 6]
_shops = count(970_001)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def history(order_no: str, shop_id: int) -> list[Record]:
    """Return an order's whole life."""
    who = (shop_id, 42)
    return [
        OrderPlaced(order_no, 1, *who, "CNY", (), (), (), 100, 0, "f", "standard", "sim", TRACE),
        OrderCreated(order_no, 2, *who, "CNY", 100, now_ms() + 900_000, TRACE),
        OrderPaid(order_no, 3, *who, "CNY", 100, f"{order_no}-1", now_ms(), TRACE),
        OrderConfirmed(order_no, 4, *who, TRACE),
        OrderShipped(order_no, 5, *who, "W1", "", (), TRACE),
        OrderCompleted(order_no, 6, *who, TRACE),
    ]


@dataclass
class Shop:
    """A shop of its own for each test, asking the API and writing facts."""

    stack: Endpoints
    api: Api
    shop_id: int

    def ask(
        self, method: str, path: str, json: Any = None, shop: int = 0, scope: str = "shop"
    ) -> tuple[int, Any]:
        token = self.api.issuer.token(shop or self.shop_id, 1, [Scope(scope)], 1)
        answer = httpx2.request(
            method,
            f"{self.api.url}/api/v2{path}",
            json=json,
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
        return answer.status_code, answer.json() if answer.content else None

    def subscribe(self, url: str, *event_types: str) -> dict[str, Any]:
        status, made = self.ask("POST", "/webhooks", {"url": url, "event_types": event_types})
        assert status == 201, made
        found: dict[str, Any] = made
        return found

    def live(self, *order_nos: str) -> None:
        """Write the whole life of orders."""
        codec = connected_codec(self.stack.registry)
        producer = Producer(
            {"bootstrap.servers": self.stack.kafka, "partitioner": "murmur2_random"}
        )
        for order_no in order_nos:
            for fact in history(order_no, self.shop_id):
                producer.produce("order.events", codec.encode(fact), order_no.encode())
        assert producer.flush(30) == 0

    def orders(self, number: int) -> list[str]:
        return [f"WH{self.shop_id}N{n:07}" for n in range(number)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def api(stack: Endpoints, home: Path) -> Iterator[Api]:
    set_up(stack)
    with served(stack, home) as api:
        yield api


@pytest.fixture
def shop(stack: Endpoints, api: Api) -> Shop:
    return Shop(stack, api, next(_shops))


@pytest.fixture(scope="module")
def start(stack: Endpoints, home: Path) -> Callable[[], Process]:
    """Return what starts a worker."""
    environment = {**keys(home), "ORDERSTREAM_WEBHOOKS_FIRST_WAIT_MS": "50"}
    return lambda: Process(stack, "webhooks", **environment)


@pytest.fixture(scope="module")
def worker(start: Callable[[], Process]) -> Iterator[Process]:
    """One for all tests but the first, which is about one that is alone."""
    with start() as process:
        yield process


def eventually(check: Callable[[], bool], what: str, worker: Process) -> None:
    deadline_s = time.monotonic() + 60
    while not check():
        assert worker.exit_code is None, worker.output()[-3_000:]
        assert time.monotonic() < deadline_s, f"not yet: {what}\n{worker.output()[-3_000:]}"
        time.sleep(0.1)


def by_order(messages: Sequence[Got]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for got in messages:
        found[got.order_no].append(got.version)
    return dict(found)


def fails_first(times: int) -> Callable[[Receiver, str, bytes], int]:
    """Answer 500 to the first tries of each message on /flaky; others have their own way."""
    tries: Counter[bytes] = Counter()
    fixed = {"/well": 204, "/gone": 410, "/moved": 307, "/elsewhere": 204}

    def answer(_: Receiver, path: str, body: bytes) -> int:
        if path != "/flaky":
            return fixed[path]
        tries[body] += 1
        return 500 if tries[body] <= times else 204

    return answer


def test_a_worker_that_is_killed_midway_loses_nothing(
    shop: Shop, start: Callable[[], Process]
) -> None:
    orders = shop.orders(100)

    def slow(_: Receiver, _path: str, _body: bytes) -> int:
        time.sleep(0.002)
        return 204

    with Receiver(slow) as receiver:
        with start() as first:
            shop.subscribe(f"{receiver.url}/well")
            shop.live(*orders[:50])
            eventually(lambda: len(receiver.taken("/well")) >= 60, "some", first)
            shop.live(*orders[50:])
            first.kill()
        assert len(receiver.taken("/well")) < 600
        with start() as second:
            eventually(lambda: len(receiver.taken("/well")) == 600, "all", second)
        assert by_order(receiver.taken("/well")) == dict.fromkeys(orders, VERSIONS)


def test_a_receiver_that_fails_twice_gets_every_version_in_order_and_can_verify_it(
    shop: Shop, worker: Process
) -> None:
    orders = shop.orders(4)
    with Receiver(fails_first(2)) as receiver:
        made = shop.subscribe(f"{receiver.url}/flaky")
        shop.live(*orders)
        eventually(lambda: len(receiver.taken("/flaky")) == 24, "24 events", worker)
        assert by_order(receiver.taken("/flaky")) == dict.fromkeys(orders, VERSIONS)
        # Each event three times under one id, and the next one only after it was taken.
        assert Counter(got.headers["webhook-id"] for got in receiver.got) == Counter(
            {f"evt_{order}_{version}": 3 for order in orders for version in VERSIONS}
        )
        for order, versions in by_order(receiver.got).items():
            assert versions == sorted(versions), order
        for got in receiver.got:
            verify(made["secret"], got)
        _, page = shop.ask("GET", f"/webhooks/{made['id']}/deliveries")
        assert [d["n"] for d in page["deliveries"]] == list(range(72, 22, -1))
        assert (page["before"], page["orders_owed"]) == (23, 0)
        last = [d for d in page["deliveries"] if d["order_no"] == orders[0] and d["version"] == 6]
        assert [(d["attempt"], d["outcome"], d["status"]) for d in last] == [
            (3, "DELIVERED", 204),
            (2, "FAILED", 500),
            (1, "FAILED", 500),
        ]


def test_a_dead_endpoint_holds_up_nobody_and_one_that_is_gone_is_told_no_more(
    shop: Shop, worker: Process
) -> None:
    first, second = shop.orders(2)
    with Receiver(fails_first(0)) as receiver:
        dead = shop.subscribe("http://127.0.0.1:9/")
        moved = shop.subscribe(f"{receiver.url}/moved")
        gone = shop.subscribe(f"{receiver.url}/gone")
        shop.subscribe(f"{receiver.url}/well", "order.paid", "order.completed")
        shop.live(first)
        eventually(lambda: len(receiver.taken("/well")) == 2, "the well one", worker)
        assert by_order(receiver.taken("/well")) == {first: [3, 6]}
        eventually(lambda: any(g.path == "/gone" for g in receiver.got), "goodbye", worker)
        states: dict[str, str] = {}

        def is_known_as_gone() -> bool:
            states.update(
                {e["id"]: e["state"] for e in shop.ask("GET", "/webhooks")[1]["endpoints"]}
            )
            return states[gone["id"]] == "GONE"

        eventually(is_known_as_gone, "gone", worker)
        assert states[dead["id"]] == states[moved["id"]] == "ENABLED"
        shop.live(second)
        eventually(lambda: len(receiver.taken("/well")) == 4, "the well one again", worker)
        assert {g.order_no for g in receiver.got if g.path == "/gone"} == {first}
        # A redirect is not followed, and is tried again.
        assert not [g for g in receiver.got if g.path == "/elsewhere"]
        log = shop.ask("GET", f"/webhooks/{moved['id']}/deliveries")[1]["deliveries"]
        assert {d["outcome"] for d in log} == {"FAILED"}
        refused = shop.ask("GET", f"/webhooks/{dead['id']}/deliveries")[1]["deliveries"][0]
        assert refused["status"] is None
        assert refused["error"]


def test_events_are_told_again_on_demand_under_their_ids(shop: Shop, worker: Process) -> None:
    (order,) = shop.orders(1)
    with Receiver(fails_first(0)) as receiver:
        made = shop.subscribe(f"{receiver.url}/well")
        shop.live(order)
        eventually(lambda: len(receiver.got) == 6, "the first time", worker)
        path = f"/webhooks/{made['id']}/deliveries"
        assert shop.ask("POST", f"{path}/3/resend") == (202, {"events": 1})
        eventually(lambda: len(receiver.got) == 7, "one again", worker)
        assert receiver.got[6].headers["webhook-id"] == receiver.got[2].headers["webhook-id"]
        assert receiver.got[6].body == receiver.got[2].body
        assert shop.ask("POST", f"{path}/99/resend")[0] == 404
        assert shop.ask("POST", "/admin/events/resend", {"order_no": order}) == (
            202,
            {"events": 6},
        )
        eventually(lambda: len(receiver.got) == 13, "all again", worker)
        assert [got.version for got in receiver.got[7:]] == VERSIONS


def test_a_shop_sees_its_own_endpoints_only_and_a_new_secret_signs_beside_the_old(
    shop: Shop, worker: Process
) -> None:
    with Receiver(fails_first(0)) as receiver:
        made = shop.subscribe(f"{receiver.url}/well")
        path = f"/webhooks/{made['id']}"
        other = next(_shops)
        for method, where in (
            ("DELETE", path),
            ("POST", f"{path}/secret"),
            ("GET", f"{path}/deliveries"),
            ("POST", f"{path}/deliveries/1/resend"),
        ):
            assert shop.ask(method, where, shop=other)[0] == 404
        assert shop.ask("GET", "/webhooks", shop=other) == (200, {"endpoints": []})
        assert shop.ask("GET", "/webhooks", scope="customer")[0] == 403
        (listed,) = shop.ask("GET", "/webhooks")[1]["endpoints"]
        assert listed == {k: v for k, v in made.items() if k != "secret"}

        status, changed = shop.ask("POST", f"{path}/secret")
        assert status == 200
        assert changed["secret"] != made["secret"]
        time.sleep(1)  # the worker hears of it
        (order,) = shop.orders(1)
        shop.live(order)
        eventually(lambda: len(receiver.got) == 6, "told", worker)
        for got in receiver.got:
            verify(made["secret"], got)
            verify(changed["secret"], got)

        assert shop.ask("DELETE", path)[0] == 204
        assert shop.ask("GET", "/webhooks") == (200, {"endpoints": []})
        assert shop.ask("POST", "/webhooks", {"url": "http://10.0.0.1/"})[0] == 400
