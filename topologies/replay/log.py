"""The recorded log as replay sees it: a port, on Kafka and on a memory log."""

from __future__ import annotations

import gc
import time
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition

from streams.engine.memory import MemoryLog, incarnation
from streams.engine.partitioner import key_hash
from streams.engine.records import StoredRecord
from topologies import topics
from topologies.reading import STALL_S, Place, Reader, ReadStalled, Span, spans

Batch = dict[Place, list[StoredRecord]]
"""Records by where they stand, in order within each partition."""

_TIMEOUT_S = 30.0
_CACHED_KEYS = 100_000


class CannotReplay(Exception):
    """The log does not hold what a replay needs; the message says what."""


class Feed(Protocol):
    """Records that come in: every partition in order, partitions mixed."""

    def batch(self) -> Batch:
        """Return the next records; empty when there are none at the moment."""

    def pause(self, places: Collection[Place]) -> None:
        """Bring nothing of ``places`` for now."""

    def resume(self, places: Collection[Place]) -> None:
        """Go on with paused ``places``."""


class RecordedLog(Protocol):
    """Topics that were written by a running system, or still are."""

    def incarnations(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the 8 bytes by which a cause names each topic."""

    def spans(self, names: Iterable[str]) -> dict[Place, Span]:
        """Return what each partition holds now."""

    def applied(self, places: Collection[Place]) -> dict[Place, int]:
        """Return for inbox partitions the offset below which every output is in the log.

        0 for a partition of which nothing was ever checkpointed.
        """

    def partition_of(self, topic: str, key: bytes) -> int:
        """Return the partition of ``topic`` on which a record with ``key`` belongs."""

    def feed(self, starts: Mapping[Place, int]) -> AbstractContextManager[Feed]:
        """Read partitions from offsets on."""


class KafkaLog:
    """The log of the workers of ``group`` on Kafka.

    They commit an offset after all outputs below it are acknowledged: that is what `applied` asks
    for.
    """

    def __init__(self, kafka: str, group: str) -> None:
        self._kafka = kafka
        self._group = group
        self._partitions = topics.partition_counts(kafka)

    def incarnations(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the incarnations; raise TopicsMissing when a topic is not there."""
        return topics.incarnations(self._kafka, names)

    def spans(self, names: Iterable[str]) -> dict[Place, Span]:
        """Return what each partition holds now."""
        return spans(self._kafka, names)

    def applied(self, places: Collection[Place]) -> dict[Place, int]:
        """Return the committed offsets."""
        consumer = Consumer({"bootstrap.servers": self._kafka, "group.id": self._group})
        try:
            asked = [TopicPartition(*place) for place in places]
            committed = consumer.committed(asked, timeout=_TIMEOUT_S)
        finally:
            consumer.close()
        # A partition without a committed offset answers with a negative one.
        return {(at.topic, at.partition): max(at.offset, 0) for at in committed}

    def partition_of(self, topic: str, key: bytes) -> int:
        """Return where Java's default partitioner puts ``key``."""
        return _key_hash(key) % self._partitions[topic]

    @contextmanager
    def feed(self, starts: Mapping[Place, int]) -> Iterator[Feed]:
        """Read partitions from offsets on."""
        with Reader(self._kafka, starts) as reader:
            yield _KafkaFeed(self._kafka, reader)


_key_hash = lru_cache(_CACHED_KEYS)(key_hash)


class _KafkaFeed:
    def __init__(self, kafka: str, reader: Reader) -> None:
        self._kafka = kafka
        self._reader = reader
        self._heard_s = time.monotonic()
        self.pause = reader.pause
        self.resume = reader.resume

    def batch(self) -> Batch:
        found: defaultdict[Place, list[StoredRecord]] = defaultdict(list)
        messages = self._reader.batch()
        if messages:
            self._heard_s = time.monotonic()
        elif time.monotonic() - self._heard_s > STALL_S:
            raise ReadStalled(f"nothing came from {self._kafka} for {STALL_S:g} s: is it up?")
        for message in messages:
            place: Place = (message.topic(), message.partition())  # type: ignore[assignment]
            record = StoredRecord(
                message.offset(),  # type: ignore[arg-type]
                message.timestamp()[1],
                message.key(),
                message.value(),
                message.headers() or (),  # type: ignore[arg-type]
            )
            found[place].append(record)
        return found


class MemoryRecordedLog:
    """A memory host's log, of which everything is applied. ``batch_records`` a batch."""

    def __init__(self, log: MemoryLog, batch_records: int = 100) -> None:
        self._log = log
        self._batch_records = batch_records

    def incarnations(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the incarnations that the memory host uses."""
        return {name: incarnation(name) for name in names}

    def spans(self, names: Iterable[str]) -> dict[Place, Span]:
        """Return what each partition holds now."""
        return {
            (name, partition): Span(0, len(self._log.read(name, partition)))
            for name in names
            for partition in range(self._log.partitions)
        }

    def applied(self, places: Collection[Place]) -> dict[Place, int]:
        """Return the ends: a memory host runs until all is read."""
        return {place: len(self._log.read(*place)) for place in places}

    def partition_of(self, topic: str, key: bytes) -> int:
        """Return where the memory log puts ``key``."""
        return zlib.crc32(key) % self._log.partitions

    @contextmanager
    def feed(self, starts: Mapping[Place, int]) -> Iterator[Feed]:
        """Read partitions from offsets on."""
        yield _MemoryFeed(self._log, dict(starts), self._batch_records)


class _MemoryFeed:
    def __init__(self, log: MemoryLog, at: dict[Place, int], batch_records: int) -> None:
        self._log = log
        self._at = at
        self._batch_records = batch_records
        self._paused: set[Place] = set()

    def batch(self) -> Batch:
        found = {}
        for place, offset in self._at.items():
            records = self._log.read(*place, offset)[: self._batch_records]
            if records and place not in self._paused:
                found[place] = records
                self._at[place] = records[-1].offset + 1
        return found

    def pause(self, places: Collection[Place]) -> None:
        self._paused.update(places)

    def resume(self, places: Collection[Place]) -> None:
        self._paused.difference_update(places)


def records(log: RecordedLog, names: Collection[str] | Collection[Place]) -> Iterator[Batch]:
    """Yield all records of topics or partitions up to the ends of now, batch by batch.

    Raises ReadStalled, and CannotReplay when retention has deleted the first ones.
    """
    topics_of = {name if isinstance(name, str) else name[0] for name in names}
    held = {
        place: span
        for place, span in log.spans(topics_of).items()
        if place in names or place[0] in names
    }
    check_beginning(held)
    left = {place: span.end for place, span in held.items() if span.end}
    with log.feed(dict.fromkeys(left, 0)) as feed:
        while left:
            found: Batch = {}
            for place, batch in feed.batch().items():
                end = left.get(place, 0)
                if batch[0].offset < end:
                    found[place] = batch[: end - batch[0].offset]
                if batch[-1].offset >= end - 1 and place in left:
                    del left[place]
                    feed.pause([place])
            yield found


def check_beginning(held: Mapping[Place, Span]) -> None:
    """Raise CannotReplay unless every partition still begins at offset 0."""
    for (topic, partition), span in held.items():
        if span.first > 0:
            raise CannotReplay(
                f"the first {span.first} records of {topic}/{partition} are gone (retention): a "
                "replay begins at offset 0"
            )


@contextmanager
def spared() -> Iterator[None]:
    """Spare the garbage collector: state and waiting outputs are millions of objects, no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
