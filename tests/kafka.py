"""Reading whole topics in tests, as an outside reader would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.engine import cause


def read(kafka: str, topic: str) -> Iterator[Message]:
    """Yield every committed record of ``topic``, partition by partition in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "tests: partitions are assigned by hand",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 5,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        unread = set(partitions)
        while unread:
            for message in consumer.consume(10_000, 0.05):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def distinct(messages: Iterator[Message]) -> Iterator[Message]:
    """Drop what a stage sent again after a crash."""
    seen: dict[tuple[int, bytes], bytes] = {}
    for message in messages:
        stamp = cast(bytes | None, dict(message.headers() or ()).get(cause.HEADER))
        if stamp is not None:
            channel, position = (cast(int, message.partition()), stamp[:12]), stamp[12:]
            if position <= seen.get(channel, b""):
                continue
            seen[channel] = position
        yield message


def end_offsets(kafka: str, topic: str) -> dict[int, int]:
    """Return the end offset of every partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "tests"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        return {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
            for p in partitions
        }
    finally:
        consumer.close()
