"""The front door on a real pipeline, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest

from api.auth import Scope
from deploy.stack import Endpoints
from schemas.registry import connected_codec
from tests.api import Api, Client
from tests.pipeline import Process, Worker, set_up
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus

SKU, SCARCE_SKU, PRICE_FEN = 570_001, 570_002, 1_990
SHOP, BUYER, OTHER, HASTY = 1, 57, 58, 59
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
_ESTABLISHED = "01"  # of /proc/net/tcp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def api(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    set_up(stack)
    where = Where(stack.kafka, connected_codec(stack.registry))
    stocked = ((SKU, 1_000), (SCARCE_SKU, 1))
    skus = tuple(Sku(sku, PRICE_FEN, units, ("east",)) for sku, units in stocked)
    catalogue = Catalogue(SHOP, skus)
    list_skus(where, catalogue)
    home = tmp_path_factory.mktemp("api")
    with (
        Worker(stack) as worker,
        Process(stack, "gateway") as gateway,
        Api(stack, home, "--processes", "2") as served,
    ):
        worker.wait_until("assigned")
        bring_stock(where, catalogue, run_name())
        served.wait_until_serving(2)
        while not gateway.events("assigned"):
            time.sleep(0.1)
        yield served


@pytest.fixture(scope="module")
def buyer(api: Api) -> Client:
    return api.client(SHOP, BUYER)


def cart(qty: int = 1, sku_id: int = SKU, **more: Any) -> dict[str, Any]:
    line = {"sku_id": sku_id, "qty": qty, "unit_price_fen": PRICE_FEN}
    return {"lines": [line], "total_fen": qty * PRICE_FEN, **more}


def new_key() -> str:
    return uuid.uuid4().hex


def placed(buyer: Client, qty: int = 1) -> str:
    answer = buyer.post("/orders", cart(qty), new_key())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_no"])


def paid(buyer: Client, qty: int = 1) -> str:
    order_no = placed(buyer, qty)
    answer = buyer.post(f"/orders/{order_no}/payments", {"channel": "sim"})
    assert answer.status_code == 201, answer.text
    until(buyer, order_no, "FULFILLING")
    return order_no


def until(buyer: Client, order_no: str, status: str) -> None:
    deadline_s = time.monotonic() + 20
    while (found := buyer.get(f"/orders/{order_no}").json())["status"] != status:
        assert time.monotonic() < deadline_s, found
        time.sleep(0.02)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert len(body["trace_id"]) == 32
    return answer.status_code, body["code"]


def test_an_order_is_placed_priced_and_shown_to_its_owner_only(api: Api, buyer: Client) -> None:
    answer = buyer.post("/orders", cart(2), new_key(), traceparent=PARENT)

    order = answer.json()
    assert (answer.status_code, order["status"], order["trace_id"]) == (201, "CREATED", TRACE)
    assert order["priced"] == {
        "currency": "CNY",
        "total_fen": 2 * PRICE_FEN,
        "lines": [
            {
                "sku_id": SKU,
                "qty": 2,
                "unit_price_fen": PRICE_FEN,
                "discount_fen": 0,
                "payable_fen": 2 * PRICE_FEN,
            }
        ],
        "rules": [],
    }
    shown = buyer.get(f"/orders/{order['order_no']}").json()
    assert (shown["status"], shown["total_fen"]) == ("CREATED", 2 * PRICE_FEN)
    assert (shown["expire_time"], shown["trace_id"]) == (order["expire_time"], TRACE)
    stranger = api.client(SHOP, OTHER)
    assert problem(stranger.get(f"/orders/{order['order_no']}")) == (404, "UNKNOWN_ORDER")


def test_the_same_request_a_hundred_times_at_once_is_one_order(api: Api) -> None:
    hasty = api.client(SHOP, HASTY)
    headers = {**hasty.http.headers, "X-Idempotency-Key": new_key()}

    async def place(session: aiohttp.ClientSession) -> tuple[int, bytes]:
        url = f"{api.url}/api/v2/orders"
        async with session.post(url, json=cart(), headers=headers) as answer:
            return answer.status, await answer.read()

    async def at_once() -> tuple[list[tuple[int, bytes]], list[int]]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            answers = await asyncio.gather(*(place(session) for _ in range(100)))
            return answers, connections_held(api)

    before = connections_held(api)
    answers, held = asyncio.run(at_once())
    more = [now - then for now, then in zip(held, before, strict=True)]
    assert len(more) == 2
    assert min(more) >= 10, "one process was asked nearly all of it"
    ((status, body),) = set(answers)
    assert status == 201
    order_no = json.loads(body)["order_no"]
    entries = hasty.get(f"/orders/{order_no}/timeline").json()["entries"]
    assert [entry["fact"] for entry in entries] == ["OrderPlaced", "OrderCreated"]


def connections_held(api: Api) -> list[int]:
    """Return how many connections of clients each API process holds."""
    api_port = int(api.url.rsplit(":", 1)[1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {
        f"socket:[{row[9]}]"
        for row in rows
        if int(row[1].split(":")[1], 16) == api_port and row[3] == _ESTABLISHED
    }
    parent = api.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [len(inodes & links(Path(f"/proc/{child}/fd"))) for child in children]


def links(folder: Path) -> set[str]:
    """Return what the links in a folder point to; one that is gone meanwhile is left out."""
    found = set()
    for link in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    return found


def test_the_same_key_with_another_body_is_refused(buyer: Client) -> None:
    key = new_key()
    assert buyer.post("/orders", cart(1), key).status_code == 201
    assert problem(buyer.post("/orders", cart(2), key)) == (422, "IDEMPOTENCY_CONFLICT")


def test_what_cannot_be_held_is_named(buyer: Client) -> None:
    key = new_key()
    answer = buyer.post("/orders", cart(5, SCARCE_SKU), key)

    assert problem(answer) == (409, "INVENTORY_SHORTAGE")
    assert answer.json()["missing"] == [
        {"sku_id": SCARCE_SKU, "reason": "INSUFFICIENT", "requested": 5, "available": 1}
    ]
    again = buyer.post("/orders", cart(5, SCARCE_SKU), key)
    assert again.json() == answer.json()


def test_every_bad_field_is_named(buyer: Client) -> None:
    body = cart(0, currency="yuan", colour="red")
    answer = buyer.post("/orders", body, new_key())

    assert problem(answer) == (400, "INVALID_REQUEST")
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"lines[0].qty", "currency", "colour"}


def test_an_order_is_paid_once_over_a_channel(buyer: Client) -> None:
    order_no = placed(buyer)

    first = buyer.post(f"/orders/{order_no}/payments", {"channel": "slow"})
    assert first.status_code == 201
    assert first.json()["amount_fen"] == PRICE_FEN
    again = buyer.post(f"/orders/{order_no}/payments", {"channel": "slow"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert problem(buyer.post("/orders/0000000000000000/payments", {"channel": "sim"})) == (
        404,
        "UNKNOWN_ORDER",
    )


def test_a_paid_order_is_refunded_in_parts_each_once(buyer: Client) -> None:
    order_no = paid(buyer, 3)
    assert problem(buyer.post(f"/orders/{order_no}/cancel", {})) == (409, "PAID_USE_REFUND")

    body = {"reason": "broken", "units": [{"sku_id": SKU, "qty": 1}]}
    first = buyer.post(f"/orders/{order_no}/refunds", body, "r1")
    assert (first.status_code, first.json()["amount_fen"]) == (201, PRICE_FEN)
    until(buyer, order_no, "PARTLY_REFUNDED")
    again = buyer.post(f"/orders/{order_no}/refunds", body, "r1")
    assert (again.status_code, again.json()) == (201, first.json())
    other = {"units": [{"sku_id": SKU, "qty": 2}]}
    assert problem(buyer.post(f"/orders/{order_no}/refunds", other, "r1"))[0] == 422


def test_an_unpaid_order_is_changed_and_then_cancelled(buyer: Client) -> None:
    order_no = placed(buyer)

    changed = buyer.post(f"/orders/{order_no}/amend", cart(4), "a1")
    assert (changed.status_code, changed.json()["priced"]["total_fen"]) == (200, 4 * PRICE_FEN)
    again = buyer.post(f"/orders/{order_no}/amend", cart(4), "a1")
    assert again.json() == changed.json()
    cancelled = buyer.post(f"/orders/{order_no}/cancel", {"reason": "changed my mind"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLING")
    until(buyer, order_no, "CANCELLED")
    repeated = buyer.post(f"/orders/{order_no}/cancel", {"reason": "changed my mind"})
    assert (repeated.status_code, repeated.json()["status"]) == (200, "CANCELLED")


def test_operators_ship_and_stock_and_customers_do_not(api: Api, buyer: Client) -> None:
    order_no = paid(buyer)
    operator = api.client(SHOP, 0, [Scope.OPERATOR])

    parcel = {"waybill_no": f"SF-{order_no}"}
    assert problem(buyer.post(f"/intents/orders/{order_no}/ship", parcel)) == (403, "FORBIDDEN")
    shipped = operator.post(f"/intents/orders/{order_no}/ship", parcel)
    assert (shipped.status_code, shipped.json()["status"]) == (200, "SHIPPED")
    again = operator.post(f"/intents/orders/{order_no}/ship", parcel)
    assert (again.status_code, again.json()) == (200, shipped.json())
    entry = {"ref": new_key(), "sku_id": SKU, "warehouse_id": "east", "qty": 5}
    restocked = operator.post("/intents/restock", entry)
    assert (restocked.status_code, restocked.json()["fact"]) == (200, "StockReceived")
    done = buyer.post(f"/orders/{order_no}/complete", {})
    assert (done.status_code, done.json()["status"]) == (200, "COMPLETED")


def test_a_timeline_tells_the_facts_in_their_order(buyer: Client) -> None:
    order_no = paid(buyer)

    facts = [one["fact"] for one in buyer.get(f"/orders/{order_no}/timeline").json()["entries"]]
    assert facts == [
        "OrderPlaced",
        "OrderCreated",
        "OrderPaymentOpened",
        "OrderPaid",
        "OrderConfirmed",
    ]


def test_without_a_token_nothing_is_told(api: Api) -> None:
    nobody = Client(api.url, "")
    assert problem(nobody.get("/orders/0000000000000000")) == (401, "UNAUTHENTICATED")
    assert nobody.http.get("/health").status_code == 200
    assert nobody.http.get("/openapi.json").json()["openapi"].startswith("3.1")
