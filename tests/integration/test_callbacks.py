"""Payments reported by real HTTP: stored before anybody believes it, then verified and paid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import httpx2
import msgspec
import pytest
from confluent_kafka import Producer

from api.gateways.sim import signed_headers
from deploy.stack import Endpoints
from schemas.order import CartLine, OrderPaid, PlaceOrderIntent
from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record
from schemas.registry import connected_codec
from streams.admission import derive_order_no
from tests.integration.callers import SECRET, now_ms, served
from tests.kafka import distinct, read
from tests.pipeline import Process, Worker, set_up
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus
from topologies.services import keys

SKU, PRICE_FEN, SHOP = 870_001, 2_500, 1

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Door:
    """A pipeline, the API before it, and (for some tests) a gateway that calls it."""

    stack: Endpoints
    url: str
    keys: Mapping[str, str]

    def post(self, body: bytes, headers: dict[str, str], gateway: str = "sim") -> int:
        url = f"{self.url}/payments/callbacks/{gateway}"
        return httpx2.post(url, content=body, headers=headers, trust_env=False).status_code

    def raw(self) -> list[tuple[bytes, dict[str, bytes]]]:
        """Return what was stored: (body, headers)."""
        return [
            (message.value() or b"", dict(cast(list[tuple[str, bytes]], message.headers())))
            for message in read(self.stack.kafka, "payment.callbacks")
        ]

    def reports(self, order_no: str) -> list[Record]:
        return _records(self.stack, "payment.commands", order_no, GatewayReport)


def _records(stack: Endpoints, topic: str, key: str, kind: type[Record]) -> list[Record]:
    codec = connected_codec(stack.registry)
    found = [
        codec.decode(message.value())
        for message in distinct(read(stack.kafka, topic))
        if message.key() == key.encode()
    ]
    return [record for record in found if isinstance(record, kind)]


@pytest.fixture(scope="module")
def door(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    set_up(stack)
    home = tmp_path_factory.mktemp("home")
    with served(stack, home) as api:
        yield Door(stack, f"{api.url}/api/v2", keys(home))


def eventually(check: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline_s, f"it did not come about: {what}"
        time.sleep(0.2)


def report(order_no: str) -> GatewayReport:
    return GatewayReport(
        order_no=order_no,
        pay_no=f"{order_no}-1",
        refund_no="",
        gateway="sim",
        gateway_txn_no=f"SIM-{order_no}-1",
        status=GatewayStatus.PENDING,
        amount_fen=PRICE_FEN,
        currency="CNY",
        occurred_at_ms=now_ms(),
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )


def test_a_report_that_proves_itself_is_stored_and_then_handed_to_the_inbox(door: Door) -> None:
    said = report(f"CB{now_ms()}")
    body = msgspec.json.encode(said)
    headers = signed_headers(SECRET, now_ms(), body)
    assert door.post(body, {**headers, "authorization": "Bearer secret", "cookie": "x=y"}) == 204
    assert door.reports(said.order_no) == [said]
    (stored,) = [kept for value, kept in door.raw() if value == body]
    assert stored == {"gateway": b"sim", **{k: v.encode() for k, v in headers.items()}}


def test_a_report_that_does_not_is_stored_all_the_same_and_goes_nowhere(door: Door) -> None:
    said = report(f"CB{now_ms()}")
    body = msgspec.json.encode(said)
    forged = signed_headers(b"another secret of thirty-two byt", now_ms(), body)
    assert door.post(body, forged) == 401
    assert door.post(b"\xff\x00 rubbish", {}) == 401
    assert door.reports(said.order_no) == []
    assert {body, b"\xff\x00 rubbish"} <= {value for value, _ in door.raw()}


def test_a_gateway_that_is_not_set_up_and_a_body_without_end_are_refused(door: Door) -> None:
    before = len(door.raw())
    assert door.post(b"{}", {}, gateway="wechat") == 404
    assert door.post(b"x" * 70_000, {}) == 413
    assert len(door.raw()) == before


def test_a_payment_that_the_simulator_reports_by_http_pays_the_order(
    door: Door,
) -> None:
    stack = door.stack
    options = ("--callback", f"{door.url}/payments/callbacks/sim", "--duplicate", "1")
    with (
        Worker(stack) as worker,
        Process(stack, "gateway", *options, **door.keys),
    ):
        worker.wait_until("took_over")
        codec = connected_codec(stack.registry)
        where = Where(stack.kafka, codec)
        catalogue = Catalogue(SHOP, (Sku(SKU, PRICE_FEN, 100, ("east",)),))
        list_skus(where, catalogue)
        bring_stock(where, catalogue, run_name(), inside=False)
        keys = [f"cb-{now_ms()}-{n}" for n in range(5)]
        producer = Producer({"bootstrap.servers": stack.kafka})
        for key in keys:
            line = CartLine(SKU, 1, PRICE_FEN)
            intent = PlaceOrderIntent(SHOP, 7, key, (line,), PRICE_FEN, now_ms(), pay_channel="sim")
            producer.produce("order.intents", codec.encode(intent), key.encode())
        assert producer.flush(10) == 0
        order_nos = [derive_order_no(SHOP, 7, key) for key in keys]
        for order_no in order_nos:
            eventually(
                lambda no=order_no: bool(_records(stack, "order.events", no, OrderPaid)),  # type: ignore[misc]
                f"{order_no} paid",
            )
        # Each callback came twice, and was stored twice.
        eventually(lambda: all(len(door.reports(no)) == 2 for no in order_nos), "duplicates")
        bodies = [value for value, _ in door.raw()]
        for order_no in order_nos:
            assert sum(order_no.encode() in body for body in bodies) == 2
            assert len(_records(stack, "order.events", order_no, OrderPaid)) == 1
