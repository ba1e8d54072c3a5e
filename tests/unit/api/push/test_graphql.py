"""Status queries and subscriptions: the same owners as everywhere, and bounded documents."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from api import graphql
from api.push.routes import give_ticket
from api.push.websocket import TOKEN_ENDED
from tests.unit.api.push.server import STOCK, Site, closed, customer, heard, serving
from tests.unit.api.push.shop import BUYER, NO, SHOP, Log, life

STRANGER = BUYER + 1
TOKENS = {"mei": customer(), "li": customer(STRANGER), "far": customer(BUYER, SHOP + 1)}
PROTOCOL: Any = "graphql-transport-ws"
EVIL: Any = "https://evil.example"
SUBSCRIBE = "subscription($no: String!) { orderStatus(orderNo: $no) { seq status } }"


async def ask(site: Site, query: str, token: str = "mei", **variables: Any) -> Any:
    """Return what a query is answered with."""
    async with httpx.AsyncClient() as http:
        response = await http.post(
            f"http://127.0.0.1:{site.port}/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {token}"},
        )
    return response.json()


async def subscribed(site: Site, payload: Any, protocol: Any = PROTOCOL) -> ClientConnection:
    opened = await connect(
        f"ws://127.0.0.1:{site.port}/graphql", subprotocols=[protocol], proxy=None
    )
    await say(opened, type="connection_init", payload=payload)
    return opened


async def say(opened: ClientConnection, **message: Any) -> None:
    await opened.send(msgspec.json.encode(message).decode())


async def follow(opened: ClientConnection, order_no: str, name: str = "1") -> None:
    payload = {"query": SUBSCRIBE, "variables": {"no": order_no}}
    await say(opened, id=name, type="subscribe", payload=payload)


def test_an_order_is_shown_to_its_owner_and_does_not_exist_for_others() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            site.log.happen(*life()[:5])
            query = "query($no: String!) { order(orderNo: $no) { orderNo seq status totalFen } }"
            shown = {"orderNo": NO, "seq": 5, "status": "PAID", "totalFen": 10}
            assert await ask(site, query, no=NO) == {"data": {"order": shown}}
            for token, order_no in (("li", NO), ("far", NO), ("mei", "NONE")):
                assert await ask(site, query, token, no=order_no) == {"data": {"order": None}}

    asyncio.run(check())


def test_orders_are_those_of_the_asker_and_of_the_status() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            site.log.happen(*life("A")[:5], *life("B")[:2], *life("C", STRANGER))
            query = "query($s: String) { orders(status: $s) { orders { orderNo } endCursor } }"
            for status, numbers in ((None, ["A", "B"]), ("PAID", ["A"]), ("REFUNDED", [])):
                found = (await ask(site, query, s=status))["data"]["orders"]
                assert [each["orderNo"] for each in found["orders"]] == numbers

    asyncio.run(check())


def test_stock_is_shown_and_numbers_have_64_bits() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            query = "query($id: Long!) { stock(skuId: $id) { available warehouses { held } } }"
            shown = {"available": 7, "warehouses": [{"held": 2}]}
            assert await ask(site, query, id=STOCK.sku_id) == {"data": {"stock": shown}}
            assert await ask(site, query, id=2**40) == {"data": {"stock": None}}
            assert "errors" in await ask(site, query, id="five")

    asyncio.run(check())


def test_who_has_no_good_token_is_told_nothing() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            found = await ask(site, "{ stock(skuId: 5) { available } }", "forged")
            assert (found["status"], found["code"]) == (401, "UNAUTHENTICATED")

    asyncio.run(check())


_ALIASES = " ".join(f"a{n}: stock(skuId: {n}) {{ available }}" for n in range(11))
_FRAGMENTS = (
    "fragment F on Query { orders { orders { lines { skuId { a { b } } } } } } query { ...F ...F }"
)


TOO_MUCH = {
    "{ orders { orders { lines { skuId { a { b { c } } } } } } }": "maximum operation depth",
    _FRAGMENTS: "maximum operation depth",
    f"{{ {_ALIASES} }}": "aliases found",
    "{ " + "stock(skuId: 1) { available } " * 100 + "}": "tokens",
    "{ __schema { types { name } } }": "introspection",
    '{ __type(name: "Order") { name } }': "introspection",
    "{ orders(first: 101) { endCursor } }": "first is 1 to 100",
    "{ orders(first: 0) { endCursor } }": "first is 1 to 100",
    "{ ordr(orderNo: 1) { seq } }": "Cannot query field 'ordr' on type 'Query'.",
}


def test_a_document_that_asks_too_much_is_refused_and_nothing_of_it_runs() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            for query, words in TOO_MUCH.items():
                found = await ask(site, query)
                assert not found.get("data")
                assert any(words in error["message"] for error in found["errors"]), found
                assert "Did you mean" not in str(found)

    asyncio.run(check())


def test_the_schema_is_shown_where_it_is_allowed() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS, shows_schema=True) as site:
            found = await ask(site, "{ __schema { queryType { name } } }")
            assert found == {"data": {"__schema": {"queryType": {"name": "Query"}}}}

    asyncio.run(check())


def test_the_document_of_the_rest_routes_does_not_list_it() -> None:
    app = Litestar([graphql.controller(shows_schema=False, origins=()), give_ticket])
    assert list(app.openapi_schema.paths or ()) == ["/ws/tickets"]


def test_an_error_of_the_inside_stays_inside() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            found = await ask(site, '{ order(orderNo: "BROKEN") { seq } }')
            assert "1234" not in str(found)
            assert found["errors"][0]["message"] == "Unexpected error."

    asyncio.run(check())


def test_batches_and_queries_by_get_are_refused() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site, httpx.AsyncClient() as http:
            url, headers = (
                f"http://127.0.0.1:{site.port}/graphql",
                {"authorization": "Bearer mei"},
            )
            query = {"query": "{ stock(skuId: 5) { available } }"}
            assert (await http.post(url, json=[query], headers=headers)).status_code == 400
            assert (await http.get(url, params=query, headers=headers)).status_code == 400

    asyncio.run(check())


def test_a_subscription_says_where_an_order_stands_and_then_each_transition() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            story = life()
            site.log.happen(*story[:2])
            ticket = await site.sockets.tickets.issue(customer())
            opened = await subscribed(site, {"ticket": ticket})
            assert (await heard(opened))["type"] == "connection_ack"
            await follow(opened, NO)
            found = [(await heard(opened))["payload"]["data"]["orderStatus"]]
            site.log.happen(*story[2:5])
            found += [(await heard(opened))["payload"]["data"]["orderStatus"] for _ in range(3)]
            assert [(each["seq"], each["status"]) for each in found] == [
                (2, "CREATED"),
                (3, "PAYING"),
                (4, "PAYING"),
                (5, "PAID"),
            ]

    asyncio.run(check())


def test_nobody_subscribes_to_the_order_of_another() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            site.log.happen(*life("C", STRANGER))
            opened = await subscribed(site, {"authorization": "Bearer mei"})
            await heard(opened)
            await follow(opened, "C")
            answer = await heard(opened)
            assert "there is no such order" in str(answer)
            assert not site.log.hub._subscriptions

    asyncio.run(check())


def test_a_subscriber_has_to_say_who_it_is() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            for payload in ({}, {"ticket": "guess"}, {"authorization": "Bearer forged"}):
                assert await closed(await subscribed(site, payload)) == 4403

    asyncio.run(check())


def test_a_subscribers_socket_ends_with_its_token() -> None:
    async def check() -> None:
        async with serving() as site:
            ticket = await site.sockets.tickets.issue(customer(life_s=0.5))
            opened = await subscribed(site, {"ticket": ticket})
            assert await closed(opened) == TOKEN_ENDED
            while site.log.metrics.sockets._value.get():
                await asyncio.sleep(0.01)

    asyncio.run(check())


def test_there_are_only_so_many_subscriptions_on_a_socket() -> None:
    async def check() -> None:
        async with serving(tokens=TOKENS) as site:
            site.log.happen(life()[0])
            opened = await subscribed(site, {"authorization": "Bearer mei"})
            await heard(opened)
            for number in range(graphql.SUBSCRIPTIONS_PER_SOCKET):
                await follow(opened, NO, str(number))
                assert (await heard(opened))["type"] == "next"
            await follow(opened, NO, "one more")
            assert (await heard(opened))["type"] == "error"

    asyncio.run(check())


def test_pages_of_other_origins_and_older_protocols_are_not_served() -> None:
    async def check() -> None:
        async with serving(Log(), tokens=TOKENS) as site:
            url = f"ws://127.0.0.1:{site.port}/graphql"
            with pytest.raises(InvalidStatus):
                await connect(url, subprotocols=[PROTOCOL], origin=EVIL, proxy=None)
            old = await connect(url, subprotocols=["graphql-ws"], proxy=None)  # type: ignore[list-item]
            assert await closed(old) == 4406

    asyncio.run(check())
