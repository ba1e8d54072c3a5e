"""An incident capsule: one order's history as steps that today's code can be put through.

A step is one inbox record of one stage, with what others had changed meanwhile and the outputs
about the order that the run recorded. `capturing` takes the steps from a log, `writing` makes a
test file of them, and the file plays them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.codec import local_codec
from schemas.record import Record
from schemas.stream import Progress, Tick
from streams.engine.fold import PartitionFold
from streams.engine.records import Headers, StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.stage import Stage
from topologies.pipeline import all_records

Change = tuple[type[Record], str, Record | None]
"""A state record: its kind, its key, and itself (None: it is gone)."""

_INCARNATION = bytes(8)
PASSES = Tick(0)
"""Stands for any record that has nothing to do with the order: time passes, timers fire."""


class Sent(NamedTuple):
    """An output about the order."""

    topic: str
    key: str
    message: Record


class Step(NamedTuple):
    """An inbox record of a stage: ``given`` the state that others left, ``when``, ``then``.

    ``before_ms`` is stream time before the record, ``at_ms`` its own log-append time.
    """

    stage: str
    partition: int
    offset: int
    before_ms: int
    at_ms: int
    given: Sequence[Change]
    when: Record
    then: Sequence[Sent]

    @property
    def where(self) -> str:
        """Name the inbox record for people."""
        return f"{self.stage} {self.partition}/{self.offset}: {type(self.when).__name__}"


class Player:
    """Puts the steps of an order through stages, one after the other."""

    def __init__(self, stages: Iterable[Stage], order_no: str) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._order_no = order_no
        self._codec = local_codec(all_records())
        self._stores: dict[tuple[str, int], MemoryStore] = {}
        self._sent: list[Sent] = []

    def store(self, stage: str, partition: int) -> MemoryStore:
        """Return the state of a stage partition so far."""
        known = self._stores.get((stage, partition))
        if known is None:
            known = MemoryStore(self._stages[stage].entities)
            self._stores[stage, partition] = known
        return known

    def play(self, step: Step) -> list[Sent]:
        """Apply a step; return what the stage puts out about the order, in order."""
        store = self.store(step.stage, step.partition)
        for kind, key, record in step.given:
            if record is None:
                store.table(kind).pop(key, None)
            else:
                store.table(kind)[key] = record
        self._sent = []
        fold = PartitionFold(
            self._stages[step.stage],
            self._codec,
            _INCARNATION,
            step.partition,
            store,
            Progress(step.offset - 1, step.before_ms, (), 0, 0, 0),
            self._outbox,
        )
        value = self._codec.encode(step.when)
        fold.apply([StoredRecord(step.offset, step.at_ms, None, value, ())])
        return self._sent

    def _outbox(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        message = self._codec.decode(value)
        if concerns(message, self._order_no):
            name = key.decode() if isinstance(key, bytes) else key or ""
            self._sent.append(Sent(topic, name, message))


def concerns(record: Record, order_no: str) -> bool:
    """Tell whether a message or a state record is about the order."""
    return order_no in (getattr(record, "order_no", None), getattr(record, "owner", None))
