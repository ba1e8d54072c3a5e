"""Anybody may write to order.intents: what is sound becomes an order, the rest a dead letter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from confluent_kafka import Producer

from deploy.stack import Endpoints
from schemas.order import CartLine, OrderConfirmed, OrderPlaced, PlaceOrderIntent
from schemas.record import Record
from schemas.registry import connected_codec
from streams.admission import derive_order_no
from tests.kafka import distinct, read
from tests.pipeline import Process, Worker, run, set_up
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus

SKU, PRICE_FEN = 880_001, 1_990
SCRIPT = Path(__file__).with_name("outside_producer.py")
DAY_MS = 24 * 3600 * 1000
_WAIT_S = 60.0

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


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def wait_for(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not check():
        assert time.monotonic() < deadline, f"not there after {_WAIT_S} s: {what}"
        time.sleep(0.3)


def facts_of(shop: Endpoints, order_no: str) -> list[Record]:
    codec = connected_codec(shop.registry)
    return [
        codec.decode(message.value())
        for message in distinct(read(shop.kafka, "order.events"))
        if message.key() == order_no.encode()
    ]


def test_an_order_by_a_producer_that_knows_only_the_schema_is_fulfilled(shop: Endpoints) -> None:
    key = f"outside-{now_ms()}"
    subprocess.run(
        [
            *(sys.executable, str(SCRIPT), shop.kafka, shop.registry),
            *(key, str(SKU), str(PRICE_FEN), str(now_ms())),
        ],
        check=True,
        cwd="/",
    )
    order_no = derive_order_no(1, 7, key)
    wait_for(
        lambda: any(isinstance(f, OrderConfirmed) for f in facts_of(shop, order_no)), "confirmed"
    )
    facts = facts_of(shop, order_no)
    assert [type(fact).__name__ for fact in facts] == [
        "OrderPlaced",
        "OrderCreated",
        "OrderPaymentOpened",
        "OrderPaid",
        "OrderConfirmed",
    ]
    assert [fact.version for fact in facts] == [1, 2, 3, 4, 5]  # type: ignore[attr-defined]
    assert isinstance(facts[0], OrderPlaced)
    assert facts[0].total_fen == 2 * PRICE_FEN


def test_what_is_not_sound_is_dead_lettered_with_its_reason_and_the_stream_goes_on(
    shop: Endpoints,
) -> None:
    codec = connected_codec(shop.registry)
    stamp = now_ms()
    sound = PlaceOrderIntent(
        shop_id=1,
        user_id=9,
        client_key=f"sound-{stamp}",
        lines=(CartLine(SKU, 1, PRICE_FEN),),
        total_fen=PRICE_FEN,
        placed_at_ms=stamp,
    )
    wrong_price = msgspec.structs.replace(
        sound, client_key=f"cheap-{stamp}", lines=(CartLine(SKU, 1, 1),), total_fen=1
    )
    stale = msgspec.structs.replace(
        sound, client_key=f"stale-{stamp}", placed_at_ms=stamp - 2 * DAY_MS
    )
    values = {
        "MALFORMED_VALUE": codec.encode(sound)[:-3],
        "NOT_AVRO": b'{"order": "please"}',
        "UNKNOWN_SCHEMA": b"\x00\x7f\xff\xff\xf0" + codec.encode(sound)[5:],
        "PRICE_CHANGED": codec.encode(wrong_price),
        "EXPIRED_INTENT": codec.encode(stale),
    }
    producer = Producer({"bootstrap.servers": shop.kafka, "partitioner": "murmur2_random"})
    key = f"all-on-one-partition-{stamp}"
    for value in values.values():
        producer.produce("order.intents", value, key)
    producer.produce("order.intents", codec.encode(sound), key)
    producer.flush(10)
    order_no = derive_order_no(1, 9, sound.client_key)
    wait_for(lambda: bool(facts_of(shop, order_no)), "the sound order behind the others")
    letters = {
        str(headers["dlq_code"], "utf8"): (message.value(), headers)
        for message in distinct(read(shop.kafka, "order.intents.dlq"))
        if message.key() == key.encode()
        for headers in [cast(dict[str, bytes], dict(message.headers() or ()))]
    }
    assert {code: value for code, (value, _) in letters.items()} == values
    for letter, headers in letters.values():
        assert headers["dlq_topic"] == b"order.intents"
        assert int(headers["dlq_offset"]) >= 0
        assert headers["dlq_reason"]
        assert letter is not None
    assert "EXPIRED_INTENT" in run(shop, "dlq", "list", "order.intents", "--json")
