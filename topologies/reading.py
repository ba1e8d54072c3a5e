"""Reading partitions of Kafka by hand: from given offsets to the ends that they have now.

No group is joined and nothing is committed, so a reader disturbs nobody. (The auditor reads by
itself: it shares no code with what it audits.)
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Self, TypeAlias, cast

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from topologies.topics import partition_counts

Place: TypeAlias = tuple[str, int]
"""A topic and one of its partitions."""

_TIMEOUT_S = 30.0
_BATCH_RECORDS = 10_000  # ~300 bytes each: 3 MB a call
_BATCH_WAIT_S = 0.005
# An eighth of the default: partitions come in small turns, so that who reads them side by side, by
# the log's time, seldom has to pause one (a pause throws away what was fetched already).
_FETCH_BYTES = 128 * 1024
STALL_S = 30.0  # longer than a broker's restart


class ReadStalled(Exception):
    """Nothing came for half a minute though the ends are not reached."""


class Span(NamedTuple):
    """Offsets ``first`` to ``end - 1`` of a partition; ``first`` is above 0 after retention."""

    first: int
    end: int


def spans(kafka: str, topics: Iterable[str]) -> dict[Place, Span]:
    """Return what each partition of ``topics`` holds now; a topic that is not there has none.

    Raises KafkaException when the broker does not answer.
    """
    counts = partition_counts(kafka)
    places = [(topic, p) for topic in topics for p in range(counts.get(topic, 0))]
    admin = AdminClient({"bootstrap.servers": kafka})
    firsts = _offsets(admin, places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # no hint
    ends = _offsets(admin, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # no hint
    return {place: Span(firsts[place], ends[place]) for place in places}


def read(kafka: str, wanted: Iterable[str] | Mapping[Place, Span]) -> Iterator[Message]:
    """Yield the records of topics, or of spans of partitions, up to the ends of now.

    In order within a partition, partitions mixed; transactions that were aborted are left out.
    Raises KafkaException and ReadStalled.
    """
    todo = wanted if isinstance(wanted, Mapping) else spans(kafka, wanted)
    left = {place: span.end for place, span in todo.items() if span.end > span.first}
    with Reader(kafka, {place: todo[place].first for place in left}) as reader:
        heard_s = time.monotonic()
        while left:
            batch = reader.batch()
            for message in batch:
                place = cast(Place, (message.topic(), message.partition()))
                end, offset = left.get(place, 0), cast(int, message.offset())
                if offset < end:
                    yield message
                if offset >= end - 1 and left.pop(place, None) is not None:
                    reader.drop(place)
            # A partition may end in marks of transactions, which are no records.
            for place in reader.at_end & left.keys():
                del left[place]
            if batch:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > STALL_S:
                raise ReadStalled(f"nothing came from {kafka} for {STALL_S:g} s: is it still up?")


class Reader:
    """Reads partitions from ``starts`` on and follows them; ``at_end`` are those read to an end."""

    def __init__(self, kafka: str, starts: Mapping[Place, int]) -> None:
        self.at_end: set[Place] = set()
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "unused: partitions are assigned by hand",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                "fetch.message.max.bytes": _FETCH_BYTES,
                "log_level": 3,
            }
        )
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])

    def batch(self, records: int = _BATCH_RECORDS, wait_s: float = _BATCH_WAIT_S) -> list[Message]:
        """Return the next records, none when there are none within ``wait_s``.

        Raises KafkaException, also when the offset to start at has been deleted.
        """
        batch = self._consumer.consume(records, wait_s)
        found = [message for message in batch if message.error() is None]
        if len(found) < len(batch):
            for message in batch:
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if error is not None:
                    self.at_end.add(cast(Place, (message.topic(), message.partition())))
        return found

    def drop(self, place: Place) -> None:
        """Read no more of a partition."""
        self._consumer.incremental_unassign([TopicPartition(*place)])

    def pause(self, places: Collection[Place]) -> None:
        """Bring nothing of ``places`` for now."""
        self._consumer.pause([TopicPartition(*place) for place in places])

    def resume(self, places: Collection[Place]) -> None:
        """Go on with paused ``places``, each where it stopped."""
        self._consumer.resume([TopicPartition(*place) for place in places])

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _offsets(admin: AdminClient, places: list[Place], which: OffsetSpec) -> dict[Place, int]:
    if not places:  # the client refuses an empty request
        return {}
    futures = admin.list_offsets(
        {TopicPartition(*place): which for place in places},
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=_TIMEOUT_S,
    )
    return {(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}
