"""The facts of one order or sku, read from Kafka: for whoever finds them nowhere nearer.

Bounded in records and in time. Without a hint only the newest records of the key's partition are
looked at; with the time of the first fact (a view has it) the read starts there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from api.follower import OrderFact
from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.topics import Topic
from streams.engine import cause
from streams.engine.partitioner import key_hash

log = structlog.get_logger()

_CHUNK_RECORDS = 500  # ~1 ms in which the event loop waits for the interpreter
_CHUNK_WAIT_S = 0.05
_EARLIER_MS = 10_000  # two workers' clocks may differ


@dataclass(frozen=True)
class Bounds:
    """What one read may cost: ~2 us a record."""

    records: int = 100_000
    seconds: float = 2.0
    readers: int = 2
    """Reads at a time; who has no turn within ``seconds`` goes without."""


class KafkaFacts:
    """Reads facts at ``kafka`` (host:port) on threads; what goes wrong is logged, never raised."""

    def __init__(self, kafka: str, codec: Codec, bounds: Bounds | None = None) -> None:
        self._kafka = kafka
        self._codec = codec
        self._bounds = bounds or Bounds()
        self._turns = asyncio.Semaphore(self._bounds.readers)

    async def of(self, topic: Topic, key: str, since_ms: int = 0) -> Sequence[OrderFact]:
        """Return the facts of ``key``, the oldest first, less those that were sent again.

        ``since_ms``: the broker's time of the first (epoch ms, 0: not known).
        """
        try:
            async with asyncio.timeout(self._bounds.seconds):
                await self._turns.acquire()
        except TimeoutError:
            return ()
        try:
            return await asyncio.to_thread(self._read, topic.name, key, since_ms)
        except KafkaException as error:
            log.warning("facts_unreadable", why=str(error))
            return ()
        finally:
            self._turns.release()

    def _read(self, topic: str, key: str, since_ms: int) -> list[OrderFact]:
        consumer = Consumer(_config(self._kafka))
        try:
            return list(self._facts(self._messages(consumer, topic, key.encode(), since_ms)))
        finally:
            consumer.close()

    def _messages(
        self, consumer: Consumer, topic: str, key: bytes, since_ms: int
    ) -> Iterator[Message]:
        deadline_s = time.monotonic() + self._bounds.seconds
        about = consumer.list_topics(topic, self._bounds.seconds).topics[topic]
        if about.error is not None:
            raise KafkaException(about.error)
        place = TopicPartition(topic, key_hash(key) % len(about.partitions))
        first, end = consumer.get_watermark_offsets(place, self._bounds.seconds)
        place.offset = max(first, end - self._bounds.records)
        if since_ms:
            since = TopicPartition(topic, place.partition, max(0, since_ms - _EARLIER_MS))
            (found,) = consumer.offsets_for_times([since], self._bounds.seconds)
            place.offset = found.offset if found.offset >= 0 else end
        last = min(end, place.offset + self._bounds.records) - 1
        consumer.assign([place])
        at = place.offset - 1
        while at < last and time.monotonic() < deadline_s:
            for message in consumer.consume(_CHUNK_RECORDS, _CHUNK_WAIT_S):
                error = message.error()
                if error is None:
                    at = cast(int, message.offset())
                    if message.key() == key:
                        yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
                else:
                    raise KafkaException(error)

    def _facts(self, messages: Iterator[Message]) -> Iterator[OrderFact]:
        seen: dict[bytes, bytes] = {}
        for message in messages:
            headers = dict(cast(list[tuple[str, bytes]], message.headers() or ()))
            stamp = headers.get(cause.HEADER, b"")
            channel, position = stamp[: cause.CHANNEL_BYTES], stamp[cause.CHANNEL_BYTES :]
            if stamp and position <= seen.get(channel, b""):
                continue  # a stage that crashed sent it again
            seen[channel] = position
            value, key = message.value() or b"", cast(bytes, message.key())
            try:
                kind = type(self._codec.decode(value))
            except (InvalidMessage, Retryable) as error:
                log.warning("fact_unreadable", why=str(error))
                continue
            trace = headers.get("traceparent", b"").decode()
            at_ms = message.timestamp()[1]
            yield OrderFact(self._codec, key.decode(), kind, value, at_ms, stamp, trace)


def _config(kafka: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": kafka,
        "group.id": "unused: partitions are assigned by hand",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
        "log_level": 2,
    }
