"""The partitions of one worker, and how they come to be its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from faust.types import TP

from schemas.codec import Codec
from schemas.topics import Topic
from schemas.topics import changelog as changelog_topic
from streams.engine.checkpoints import CheckpointLog, Fenced
from streams.engine.fold import PartitionFold
from streams.engine.producer import GaplessProducer
from streams.engine.relaying import PartitionRelay
from streams.engine.store import NewStore
from streams.kernel.relay import Relay
from streams.kernel.stage import Stage

COUNTS = ("applied", "skipped", "dropped", "invalid")


class Owned:
    """A partition of this worker: its fold or relay once the takeover is done."""

    def __init__(self, tp: TP, source: Stage | Relay, topic: Topic) -> None:
        self.tp = tp
        self.name = source.name
        self.source = source
        self.log: CheckpointLog | None = None
        self.fold: PartitionFold | PartitionRelay | None = None
        self.ready: asyncio.Future[None] | None = None
        self.committed = -1
        self.written_at_s = 0.0
        self.sought_at_s: float | None = None
        self.source_topic = topic
        self.letters_since_s = time.monotonic()
        self.letters_before = 0
        self.counted = (0,) * len(COUNTS)

    def is_loaded(self) -> bool:
        """Tell whether it is a stage's partition that is in memory as a whole."""
        return isinstance(self.fold, PartitionFold) and self.ready is not None and self.ready.done()


class Takeover:
    """Makes partitions this worker's own; it blocks, so it is called in threads.

    Nobody else touches an Owned before it is ready.
    """

    def __init__(
        self,
        kafka: str,
        group: str,
        codec: Codec,
        incarnations: Mapping[str, bytes],
        producer: GaplessProducer,
        new_store: NewStore,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._codec = codec
        self._incarnations = incarnations
        self._producer = producer
        self._new_store = new_store

    def load(self, owned: Owned) -> None:
        """Fence every former owner, then load what the changelog holds."""
        source, partition = owned.source, owned.tp.partition
        incarnation = self._incarnations[owned.tp.topic]
        if isinstance(source, Relay):
            owned.fold = PartitionRelay(source, self._codec, incarnation, partition, self._producer)
            return
        topic = changelog_topic(source.name, source.entities).name
        owned.log = CheckpointLog(self._kafka, self._group, source, topic, partition)
        store = self._new_store(source.entities)
        progress = owned.log.load(self._codec, store)
        owned.fold = PartitionFold(
            source, self._codec, incarnation, partition, store, progress, self._producer
        )
        owned.committed = progress.offset

    def go_on(self, owned: Owned, before: Owned) -> bool:
        """Go on with a partition as it was before a rebalance; False when somebody had it since.

        Whoever takes a partition over fences its former owner before anything else. So a checkpoint
        that still gets through with the producer of before proves that nobody did, and that what is
        in memory is where the changelog ends.
        """
        fold, log = before.fold, before.log
        if not isinstance(fold, PartitionFold) or log is None:
            return False
        changes, progress = fold.take_changes()
        try:
            log.write(self._codec, changes, progress)
        except Fenced:
            return False
        owned.log, owned.fold, owned.committed = log, fold, progress.offset
        owned.counted = before.counted
        owned.letters_since_s, owned.letters_before = before.letters_since_s, before.letters_before
        return True
