"""The two-tenant matrix: nobody reads or moves what is somebody else's, by any route.

Each route is asked for an object of A by everybody who is not A: another customer of the shop, the
same user id in another shop, another shop's system and operator, and a token without any scope.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from redis.asyncio import Redis

from api.auth import Scope
from api.issuer import DevelopmentIssuer
from api.webhooks.queue import Delivery, DeliveryQueue
from api.webhooks.schedule import Outcome
from deploy.stack import Endpoints
from schemas.catalog import SkuListed
from schemas.registry import connected_codec
from schemas.topics import CATALOG_EVENTS
from tests.access import CASES, Case, Route, Whose, routes
from tests.pipeline import Process, Worker, set_up
from topologies.services import keys

SHOP, OTHER_SHOP = 8_101, 8_102
USER, OTHER_USER = 7, 8
LIMIT_S = 60.0
A_S_OWN: Mapping[str, Any] = {}
NOBODYS = {"order_no": "0" * 16, "sku_id": 10**15 + 7, "endpoint_id": "ep_nobodys", "n": 1}

STRANGERS: dict[str, tuple[int, int, tuple[Scope, ...]]] = {
    "another customer": (SHOP, OTHER_USER, (Scope.CUSTOMER,)),
    "the same user id in another shop": (OTHER_SHOP, USER, (Scope.CUSTOMER,)),
    "another shop": (OTHER_SHOP, 0, (Scope.SHOP,)),
    "another shop's operator": (OTHER_SHOP, 0, (Scope.OPERATOR,)),
    "a token without scopes": (SHOP, USER, ()),
}
ASKED = [
    pytest.param(route, CASES[route], stranger, id=f"{route.method} {route.path} by {stranger}")
    for route in sorted({route for route, _ in routes()} & CASES.keys())
    for stranger in STRANGERS
    if CASES[route].whose is not Whose.SHOP or STRANGERS[stranger][0] == OTHER_SHOP
]


@dataclass
class World:
    """The API of a pipeline, and an order of A in it."""

    http: httpx.Client
    issuer: DevelopmentIssuer
    order_no: str
    sku_id: int
    endpoint_id: str = ""

    def token(self, shop_id: int, user_id: int, *scopes: Scope) -> dict[str, str]:
        return {"authorization": f"Bearer {self.issuer.token(shop_id, user_id, scopes, 1)}"}

    def ask(
        self,
        route: Route,
        case: Case,
        token: Mapping[str, str],
        path: Mapping[str, Any] = A_S_OWN,
        more: Mapping[str, Any] = A_S_OWN,
    ) -> httpx.Response:
        """Send a case's request for A's objects, or for those that ``path`` names.

        ``more`` are fields of the body.
        """
        named = {
            "order_no": path.get("order_no", self.order_no),
            "sku_id": self.sku_id,
            "shop_id": SHOP,
            "user_id": USER,
            "ref": uuid.uuid4().hex[:12],
            "endpoint_id": self.endpoint_id,
            "n": 1,
        }
        return self.http.request(
            route.method,
            route.path.format(**{**named, **path}),
            json=None if case.body is None else {**filled(case.body, named), **more},
            params=filled(case.query, named),
            headers={**token, "x-idempotency-key": uuid.uuid4().hex},
        )

    def order(self) -> dict[str, Any]:
        """Return A's order as A sees it."""
        answer = self.http.get(
            f"/api/v2/orders/{self.order_no}", headers=self.token(SHOP, USER, Scope.CUSTOMER)
        )
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


def filled(template: Any, named: Mapping[str, Any]) -> Any:
    """Return ``template`` with the texts in ``{}`` replaced, numbers staying numbers."""
    if isinstance(template, Mapping):
        return {name: filled(value, named) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, named) for value in template]
    match = re.fullmatch(r"\{(\w+)\}", template) if isinstance(template, str) else None
    return named[match[1]] if match else template


@pytest.fixture(scope="module")
def world(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("home")
    set_up(stack)
    sku_id = uuid.uuid4().int % 10**9 + 10**6
    listed(stack, sku_id)
    issuer = DevelopmentIssuer(home)
    with Worker(stack) as worker:
        worker.wait_until("assigned")
        with Process(stack, "api", "--port", "0", ORDERSTREAM_HOME=str(home), **keys(home)) as api:
            url = until(lambda: next((one["url"] for one in api.events("serving")), None))
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
                world = World(http, issuer, "", sku_id)
                staff = world.token(SHOP, 0, Scope.OPERATOR)
                restock = Route("POST", "/api/v2/intents/restock")
                assert world.ask(restock, CASES[restock], staff).status_code == 200
                placing = Route("POST", "/api/v2/orders")
                mine = world.token(SHOP, USER, Scope.CUSTOMER)
                placed = world.ask(placing, CASES[placing], mine)
                assert placed.status_code == 201, placed.text
                world.order_no = placed.json()["order_no"]
                world.endpoint_id = subscribed(world, SHOP)
                told(stack, world)
                yield world


@pytest.mark.parametrize(("route", "case", "stranger"), ASKED)
def test_a_stranger_is_told_no_and_changes_nothing(
    world: World, route: Route, case: Case, stranger: str
) -> None:
    shop_id, user_id, scopes = STRANGERS[stranger]
    token = world.token(shop_id, user_id, *scopes)
    # Who is no customer says for which one she asks; A's, in the hope to be believed.
    more = {"user_id": USER} if case.whose is Whose.USER and not user_id else {}
    before = world.order()
    refused = world.ask(route, case, token, more=more)
    assert refused.status_code in (403, 404), refused.text
    assert world.order() == before
    if refused.status_code == 404:
        # It does not even tell that there is such an object.
        nobodys = world.ask(route, case, token, path=NOBODYS, more=more)
        assert telling(nobodys) == telling(refused)


def telling(answer: httpx.Response) -> dict[str, Any]:
    """Return what an answer says, without what differs from request to request."""
    return {
        name: value for name, value in answer.json().items() if name not in ("trace_id", "order_no")
    }


@pytest.mark.parametrize(
    "route", sorted({route for route, _ in routes()} & CASES.keys()), ids=" ".join
)
def test_nobody_is_let_in_without_a_token(world: World, route: Route) -> None:
    assert world.ask(route, CASES[route], {}).status_code == 401
    forged = {"authorization": "Bearer " + world.issuer.token(SHOP, USER, Scope, 1)[:-3] + "AAA"}
    assert world.ask(route, CASES[route], forged).status_code == 401


def test_the_owner_is_let_in_everywhere(world: World) -> None:
    """Or else the matrix would hold for an API that refuses everybody."""
    refused = {}
    asked = {route for route, _ in routes()} & CASES.keys()
    for route in sorted(asked, key=lambda one: (one.method == "DELETE", one)):
        answer = world.ask(route, CASES[route], world.token(SHOP, USER, CASES[route].by))
        has_no_ticket = answer.status_code == 404 and answer.json()["code"] == "TICKET_NOT_OPEN"
        if answer.status_code in (400, 401, 403, 404, 422, 500) and not has_no_ticket:
            refused[route] = answer.text
    assert not refused


def test_a_shop_is_shown_its_own_webhooks_only(world: World) -> None:
    mine, others = subscribed(world, SHOP), subscribed(world, OTHER_SHOP)
    for shop_id, shown, hidden in ((SHOP, mine, others), (OTHER_SHOP, others, mine)):
        answer = world.http.get("/api/v2/webhooks", headers=world.token(shop_id, 0, Scope.SHOP))
        ids = {one["id"] for one in answer.json()["endpoints"]}
        assert shown in ids
        assert hidden not in ids
    customer = world.http.get("/api/v2/webhooks", headers=world.token(SHOP, USER, Scope.CUSTOMER))
    assert customer.status_code == 403


def subscribed(world: World, shop_id: int) -> str:
    """Subscribe an endpoint of a shop; return its id."""
    made = world.http.post(
        "/api/v2/webhooks",
        json={"url": "http://127.0.0.1:9/hook", "event_types": ["order.shipped"]},
        headers=world.token(shop_id, 0, Scope.SHOP),
    )
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def told(stack: Endpoints, world: World) -> None:
    """Write the endpoint's first delivery into its log, as the worker does."""

    async def settle() -> None:
        queue = DeliveryQueue(Redis.from_url(stack.redis))
        entry = Delivery(world.order_no, 1, 1, Outcome.DELIVERED, 204, 1, 0, "", 0, "{}")
        await queue.settle(world.endpoint_id, entry, None, 1)
        await queue.close()

    asyncio.run(settle())


def until(find: Any) -> Any:
    deadline_s = time.monotonic() + LIMIT_S
    while (found := find()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    return found


def listed(stack: Endpoints, sku_id: int) -> None:
    """Put the sku on sale in both shops, at the price that the cases name."""
    producer = Producer({"bootstrap.servers": stack.kafka, "partitioner": "murmur2_random"})
    encode = connected_codec(stack.registry).encode
    for shop_id in (SHOP, OTHER_SHOP):
        listing = SkuListed(sku_id, shop_id, "a good", 1_000)
        producer.produce(CATALOG_EVENTS.name, encode(listing), str(sku_id).encode())
    assert not producer.flush(LIMIT_S)
