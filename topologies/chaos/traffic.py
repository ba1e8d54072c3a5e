"""What can be seen of the orders' traffic from outside: intents, the gateway's lag and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from confluent_kafka import Consumer, TopicPartition

from schemas import topics
from schemas.payment import GatewayReport, GatewayStatus
from topologies.audit.reader import TOPICS
from topologies.gateway import GROUP
from topologies.load.clients import Reader, Where, ends

_TIMEOUT_S = 30.0
_OPEN = (GatewayStatus.PENDING, GatewayStatus.UNKNOWN)


def intents(where: Where) -> int:
    """Return how many order intents there are."""
    return _records(where, [topics.ORDER_INTENTS.name])


def facts(where: Where) -> int:
    """Return how many facts there are, of all domains that the auditor reads."""
    return _records(where, TOPICS)


def _records(where: Where, names: Sequence[str]) -> int:
    return sum(place.offset for place in ends(where, names))


def gateway_lag(kafka: str) -> int:
    """Return how many payment facts lie behind what the gateway has committed."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": GROUP, "log_level": 2})
    name = topics.PAYMENT_EVENTS.name
    try:
        about = consumer.list_topics(name, _TIMEOUT_S).topics[name]
        places = [TopicPartition(name, partition) for partition in about.partitions]
        lag = 0
        for place in consumer.committed(places, _TIMEOUT_S):
            end = consumer.get_watermark_offsets(place, _TIMEOUT_S)[1]
            lag += end - max(0, place.offset)
        return lag
    finally:
        consumer.close()


def report_ends(where: Where) -> list[TopicPartition]:
    """Return where the gateway's reports end now."""
    return ends(where, [topics.PAYMENT_COMMANDS.name])


def reports_since(where: Where, since: list[TopicPartition]) -> Counter[str]:
    """Count what was wrong with the gateway's reports from ``since`` to now."""
    left = {
        (place.topic, place.partition): place.offset
        for place in report_ends(where)
        if place.offset > next(s.offset for s in since if s.partition == place.partition)
    }
    counts: Counter[str] = Counter()
    told: set[bytes] = set()
    ended: set[tuple[str, str]] = set()
    reader = Reader(where, [], since)
    try:
        while left:
            for message in reader.read(0.1):
                place = cast("tuple[str, int]", (message.topic(), message.partition()))
                if cast("int", message.offset()) + 1 >= left.get(place, 0):
                    left.pop(place, None)
                value = cast("bytes", message.value())
                report = where.codec.decode(value)
                if not isinstance(report, GatewayReport):
                    continue
                counts["duplicates"] += value in told
                told.add(value)
                number = (report.pay_no, report.refund_no)
                if report.status in _OPEN:
                    counts["reordered"] += number in ended
                else:
                    ended.add(number)
    finally:
        reader.close()
    return counts
