"""The memory host: the same stages, single-threaded, over a log in memory, with a manual clock.

Tests, replay, what-if and simulation use it. It keeps what Kafka keeps (logs per partition,
committed offsets, changelogs) so that a crash at any point can be played: ``crash`` throws away
what a partition did since its last checkpoint, and its next turn takes it over from there. A crash
before all outputs got out is played by a log that loses some of them.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from schemas.codec import Codec
from schemas.record import Record
from schemas.stream import Tick
from streams.engine import cause, changelog
from streams.engine.fold import PartitionFold, cause_of
from streams.engine.records import Headers, StoredRecord
from streams.engine.relaying import PartitionRelay
from streams.engine.store import MemoryStore, NewStore
from streams.kernel.relay import Relay
from streams.kernel.stage import Stage

_START_MS = 1_790_000_000_000  # an arbitrary instant in 2026, the same in every run
_BATCH = 500

Reader: TypeAlias = tuple[str, int]
"""Who reads a partition: the name of the relay or stage, and the partition."""


class MemoryLog:
    """Topics as lists of records; ``clock_ms`` is the log-append time of whatever is appended."""

    def __init__(self, partitions: int, clock_ms: int = _START_MS) -> None:
        self.partitions = partitions
        self.clock_ms = clock_ms
        self._topics: defaultdict[str, list[list[StoredRecord]]] = defaultdict(
            lambda: [[] for _ in range(partitions)]
        )

    def append(
        self,
        topic: str,
        key: str | bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Append a record; without ``partition`` the key decides."""
        raw_key = key.encode() if isinstance(key, str) else key
        if partition is None:
            partition = self.partition_of(raw_key)
        log = self._topics[topic][partition]
        log.append(StoredRecord(len(log), self.clock_ms, raw_key, value, tuple(headers)))

    def partition_of(self, key: str | bytes | None) -> int:
        """Return the partition that ``key`` belongs to."""
        raw_key = key.encode() if isinstance(key, str) else key
        return zlib.crc32(raw_key or b"") % self.partitions

    def read(self, topic: str, partition: int, offset: int = 0) -> list[StoredRecord]:
        """Return the records of a partition from ``offset`` on."""
        return self._topics[topic][partition][offset:]

    def records(self, topic: str) -> list[StoredRecord]:
        """Return all records of a topic, partition by partition."""
        return [record for log in self._topics[topic] for record in log]


def incarnation(topic: str) -> bytes:
    """Return the incarnation of a topic in a memory log: its name decides."""
    return zlib.crc32(topic.encode()).to_bytes(8, "big")


class MemoryHost:
    """Runs stages and relays over a MemoryLog until nothing is left to read."""

    def __init__(
        self,
        stages: Sequence[Stage],
        codec: Codec,
        relays: Sequence[Relay] = (),
        *,
        partitions: int = 4,
        log: MemoryLog | None = None,
        new_store: NewStore = MemoryStore,
    ) -> None:
        self.log = log or MemoryLog(partitions)
        self._codec = codec
        self._new_store = new_store
        self._stages = {stage.name: stage for stage in stages}
        self._changelogs: defaultdict[Reader, dict[bytes, bytes | None]] = defaultdict(dict)
        self._folds: dict[tuple[str, int], PartitionFold] = {}
        self._relays = {
            (relay.name, partition): PartitionRelay(
                relay, codec, incarnation(relay.source.name), partition, self.log.append
            )
            for relay in relays
            for partition in self._partitions()
        }
        self._committed = dict.fromkeys(self._relays, -1)
        self._ticks = 0

    def send(self, topic: str, key: str, message: Record, headers: Headers = ()) -> None:
        """Append ``message`` to ``topic`` as a producer outside would."""
        self.log.append(topic, key, self._codec.encode(message), headers)

    def run(self, batch: int = _BATCH) -> None:
        """Let every relay and stage read until all inboxes are read to their end."""
        while sum(self.turn(*at, batch) for at in self.readers()):
            pass

    def readers(self) -> list[Reader]:
        """Return who reads: (relay or stage, partition), in the order in which ``run`` asks."""
        stages = ((stage, partition) for stage in self._stages for partition in self._partitions())
        return [*self._relays, *stages]

    def turn(self, name: str, partition: int, batch: int = _BATCH) -> int:
        """Let one reader take one batch; return how many records it was."""
        reader, unread = self._unread(name, partition)
        reader.apply(unread[:batch])
        return min(batch, len(unread))

    def behind(self, name: str, partition: int) -> int:
        """Return how many records a reader has yet to read."""
        return len(self._unread(name, partition)[1])

    def advance(self, ms: int) -> None:
        """Let ``ms`` milliseconds pass, then tick every inbox partition and run."""
        self.log.clock_ms += ms
        for stage in self._stages:
            for partition in self._partitions():
                self.tick(stage, partition)
        self.run()

    def tick(self, stage: str, partition: int) -> None:
        """Append a tick to an inbox partition, as its owner does once a second."""
        self._ticks += 1
        tick = self._codec.encode(Tick(self._ticks))
        self.log.append(self._stages[stage].inbox.name, None, tick, (), partition)

    def checkpoint(self, name: str | None = None, partition: int | None = None) -> None:
        """Checkpoint the readers of that name and partition (default: all)."""
        for at, fold in self._folds.items():
            if _is_meant(at, name, partition):
                changes, progress = fold.take_changes()
                for key, value in changelog.encode(self._codec, changes, progress):
                    self._changelogs[at].pop(key, None)  # compacted at once
                    self._changelogs[at][key] = value
        for at, relay in self._relays.items():
            if _is_meant(at, name, partition):
                self._committed[at] = relay.offset

    def crash(self, name: str | None = None, partition: int | None = None) -> None:
        """Lose what readers (default: all) did since their last checkpoint."""
        for at in list(self._folds):
            if _is_meant(at, name, partition):
                del self._folds[at]
        for at, relay in self._relays.items():
            if _is_meant(at, name, partition):
                relay.offset = self._committed[at]

    def fold(self, stage: str, partition: int) -> PartitionFold:
        """Return the fold of a stage partition; take it over from its changelog when needed."""
        at = (stage, partition)
        if at not in self._folds:
            definition = self._stages[stage]
            store = self._new_store(definition.entities)
            loader = changelog.Loader(definition, self._codec, store)
            for key, value in self._changelogs[at].items():
                loader.take(key, value)
            source = incarnation(definition.inbox.name)
            self._folds[at] = PartitionFold(
                definition, self._codec, source, partition, store, loader.done(), self.log.append
            )
        return self._folds[at]

    def partition_of(self, key: str) -> int:
        """Return the partition that ``key`` belongs to."""
        return self.log.partition_of(key)

    def facts(self, topic: str) -> list[Record]:
        """Return what a reader who drops re-sent records sees in ``topic``, decoded."""
        return [self._codec.decode(record.value) for record in distinct(self.log, topic)]

    def _unread(
        self, name: str, partition: int
    ) -> tuple[PartitionRelay | PartitionFold, list[StoredRecord]]:
        relay = self._relays.get((name, partition))
        if relay is not None:
            return relay, self.log.read(relay.relay.source.name, partition, relay.offset + 1)
        fold = self.fold(name, partition)
        return fold, self.log.read(fold.stage.inbox.name, partition, fold.offset + 1)

    def _partitions(self) -> range:
        return range(self.log.partitions)


def _is_meant(at: Reader, name: str | None, partition: int | None) -> bool:
    return name in (None, at[0]) and partition in (None, at[1])


def distinct(log: MemoryLog, topic: str) -> Iterable[StoredRecord]:
    """Yield the records of ``topic`` less those that a stage sent again after a crash."""
    for partition in range(log.partitions):
        seen: dict[bytes, bytes] = {}
        for record in log.read(topic, partition):
            stamp = cause_of(record.headers)
            if stamp is not None:
                channel, position = stamp[: cause.CHANNEL_BYTES], stamp[cause.CHANNEL_BYTES :]
                if position <= seen.get(channel, b""):
                    continue
                seen[channel] = position
            yield record
