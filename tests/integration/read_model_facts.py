"""The facts of the sinks' contract as if they were of today, and how they get into Kafka."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Producer
from msgspec.structs import replace

from deploy.stack import Endpoints
from schemas.order import OrderPlaced
from schemas.read_model import CHANGES
from schemas.registry import connected_codec
from sinks.redis.sink import RedisSink
from sinks.sink import Fact
from tests.contracts.sinks import interleaved, shop_log, wanted

_LIMIT_S = 60.0
_FIRST_SKUS = {"sink": 5_000_000, "reads": 6_000_000}


def of_now(run: str) -> list[Fact]:
    """Return facts that all happened until now (else most expire), of orders and skus of ``run``.

    The shared Kafka keeps what other tests wrote, and one order must not have two histories.
    """
    found = interleaved(wanted(RedisSink("redis://nowhere"), shop_log()))
    later_ms = int(time.time() * 1000) - max(fact.timestamp_ms for fact in found)
    return [
        fact._replace(
            record=_moved(fact.record, run, later_ms), timestamp_ms=fact.timestamp_ms + later_ms
        )
        for fact in found
    ]


def _moved(record: Any, run: str, later_ms: int) -> Any:
    if type(record) not in CHANGES:
        return replace(record, sku_id=_FIRST_SKUS[run] + record.sku_id)
    order_no = f"{run}-{record.order_no}"
    if isinstance(record, OrderPlaced):
        placed_at_ms = record.placed_at_ms + later_ms
        return replace(record, order_no=order_no, placed_at_ms=placed_at_ms)
    return replace(record, order_no=order_no)


def produce(servers: Endpoints, facts: Sequence[Fact]) -> None:
    """Write ``facts`` as the stages do: by their keys, with their times."""
    codec = connected_codec(servers.registry)
    producer = Producer(
        {
            "bootstrap.servers": servers.kafka,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    for fact in facts:
        record: Any = fact.record
        key = str(record.order_no if type(record) in CHANGES else record.sku_id)
        producer.produce(
            fact.topic, codec.encode(record), key.encode(), timestamp=fact.timestamp_ms
        )
    assert producer.flush(_LIMIT_S) == 0
