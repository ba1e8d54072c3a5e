"""The topics on Kafka, as `explain` reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast

from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.engine.partitioner import key_hash
from streams.engine.records import Headers, InboxRecord, StoredRecord
from topologies import reading, topics

_TIMEOUT_S = 30.0


class KafkaLog:
    """Reads the topics at ``kafka`` (host:port); see `history.Log`.

    Raises KafkaException and ReadStalled, as `reading` does.
    """

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._partitions = topics.partition_counts(kafka)

    def partitions(self, topic: str) -> int:
        """Return how many partitions ``topic`` has; 0: there is no such topic."""
        return self._partitions.get(topic, 0)

    def partition_of(self, topic: str, key: str) -> int:
        """Return the partition of ``topic`` that every murmur2 producer writes ``key`` to."""
        count = self.partitions(topic)
        if not count:
            raise topics.TopicsMissing(
                f"topic {topic} is not there; run: orderstream topics create"
            )
        return key_hash(key.encode()) % count

    def read(
        self, places: Collection[tuple[str, int]], since_ms: int
    ) -> Iterator[tuple[str, int, InboxRecord]]:
        """Yield the records since ``since_ms`` that the partitions hold now."""
        for message in reading.read(self._kafka, self._spans(places, since_ms)):
            yield cast(str, message.topic()), cast(int, message.partition()), stored(message)

    def _spans(
        self, places: Collection[reading.Place], since_ms: int
    ) -> Mapping[reading.Place, reading.Span]:
        """Return the offsets of ``places`` from the first record at or after ``since_ms`` on."""
        spans = reading.spans(self._kafka, {topic for topic, _ in places})
        spans = {place: spans[place] for place in places}
        if not places or since_ms <= 0:
            return spans
        admin = AdminClient({"bootstrap.servers": self._kafka})
        futures = admin.list_offsets(
            {TopicPartition(*place): OffsetSpec.for_timestamp(since_ms) for place in places},
            request_timeout=_TIMEOUT_S,
        )
        for at, future in futures.items():
            first, end = future.result().offset, spans[at.topic, at.partition].end
            # -1: nothing is as young as that.
            spans[at.topic, at.partition] = reading.Span(end if first < 0 else first, end)
        return spans

    def incarnations(self, names: Iterable[str]) -> Mapping[bytes, str]:
        """Return the topic of each incarnation."""
        return {bits: name for name, bits in topics.incarnations(self._kafka, names).items()}


def stored(message: Message) -> StoredRecord:
    """Return a record of Kafka as a plain value."""
    headers = cast("Headers", tuple(message.headers() or ()))
    offset, at_ms = cast(int, message.offset()), message.timestamp()[1]
    return StoredRecord(offset, at_ms, message.key(), message.value(), headers)
