"""One partition of one stage: the deterministic fold over its inbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.codec import Codec
from schemas.errors import InvalidMessage
from schemas.record import Record
from schemas.stream import Progress, SeenChannel, Tick
from schemas.topics import Kind
from streams.engine import cause
from streams.engine.changelog import Change
from streams.engine.outputs import Outputs
from streams.engine.records import Headers, InboxRecord, Outbox
from streams.engine.store import PartitionState, Store
from streams.kernel.errors import StageDefect
from streams.kernel.stage import Stage


def cause_of(headers: Headers) -> bytes | None:
    """Return the cause among ``headers``, or None."""
    for name, value in headers:
        if name == cause.HEADER:
            return value
    return None


class PartitionFold:
    """Applies inbox records, in order, each with effect exactly once.

    For each record:

    1. ``offset <= progress.offset``: applied before a crash: skipped.
    2. its cause is not above the highest seen on its channel: sent again by an upstream stage after
       a crash: dropped.
    3. stream time = max(before, record timestamp); timers that have come fire first.
    4. ``decide``, then for each fact ``evolve`` and ``react``; every output goes to the outbox.

    An offset that is not the next one is a gap: StageDefect, the worker must stop.
    """

    def __init__(
        self,
        stage: Stage,
        codec: Codec,
        incarnation: bytes,
        partition: int,
        store: Store,
        progress: Progress,
        outbox: Outbox,
    ) -> None:
        self.stage = stage
        self.partition = partition
        self.state = PartitionState(store, stage.entities)
        self.offset = progress.offset
        self.now_ms = progress.stream_time_ms
        self.checkpoint = progress.checkpoint
        self.applied = self.skipped = self.dropped = self.invalid = 0
        self._seen = {entry.channel: entry.position for entry in progress.seen}
        self._seen_changed = False
        self._codec = codec
        channel = cause.channel(incarnation, partition)
        self._outputs = Outputs(stage.name, channel, codec, outbox)
        self._facts = f"{stage.inbox.name.partition('.')[0]}.{Kind.EVENTS.value}"

    def apply(self, records: Iterable[InboxRecord]) -> int:
        """Apply a batch; return how many records took effect.

        Raises Retryable at the first record that cannot be read yet: those before it are applied,
        and the call may be repeated with the rest. Raises StageDefect at a gap.
        """
        codec, seen, state = self._codec, self._seen, self.state
        decide = self.stage.decide
        applied_before = self.applied
        for record in records:
            offset = record.offset
            if offset != self.offset + 1:
                if offset <= self.offset:
                    self.skipped += 1
                    continue
                raise StageDefect(
                    f"gap in {self.stage.inbox.name}/{self.partition}: after offset {self.offset} "
                    f"came {offset}"
                )
            headers = record.headers
            # Our own outputs carry it first; others are searched.
            stamp = (
                headers[0][1] if headers and headers[0][0] == cause.HEADER else cause_of(headers)
            )
            if stamp is not None and stamp[12:] <= seen.get(stamp[:12], b""):
                self.dropped += 1
                self.offset = offset
                continue
            message: Record | InvalidMessage
            try:
                message = codec.decode(record.value)
            except InvalidMessage as error:
                message = error
            if record.timestamp > self.now_ms:
                self.now_ms = record.timestamp
            now_ms = self.now_ms
            index = 0
            if state.timers and state.timers[0][0] <= now_ms:
                index = self._fire_timers(offset, now_ms)
            try:
                if isinstance(message, InvalidMessage):
                    raise message
                if type(message) is not Tick:
                    self._emit(decide(state, message, now_ms), offset, index, now_ms)
            except InvalidMessage as error:
                self.invalid += 1
                self._outputs.dead_letter(self.stage.inbox, self.partition, record, error, index)
            if stamp is not None:
                seen[stamp[:12]] = stamp[12:]
                self._seen_changed = True
            self.offset = offset
            self.applied += 1
        return self.applied - applied_before

    def _fire_timers(self, offset: int, now_ms: int) -> int:
        state, index = self.state, 0
        while (due := state.next_due(now_ms)) is not None:
            key, record = due
            index = self._emit(self.stage.wake(state, record, now_ms), offset, index, now_ms)
            after: Any = state.get(type(record), key)
            if after is not None and after.due_ms == record.due_ms:
                raise StageDefect(f"{type(record).__name__} {key} is due again and again")
        return index

    def _emit(self, facts: Sequence[Record], offset: int, index: int, now_ms: int) -> int:
        state, stage, outputs, facts_topic = self.state, self.stage, self._outputs, self._facts
        for fact in facts:
            stage.evolve(state, fact, now_ms)
            for output in stage.react(state, fact):
                outputs.send(output, offset, index, now_ms, is_fact=output[0] == facts_topic)
                index += 1
        return index

    def has_changes(self) -> bool:
        """Tell whether a checkpoint would keep more than time and offset."""
        return self._seen_changed or self.state.has_changes()

    def take_changes(self) -> tuple[list[Change], Progress]:
        """Return what changed since the last call, and the progress that belongs to it.

        ``entries`` and ``checksum`` of the progress are filled in by who writes it.
        """
        self.checkpoint += 1
        self._seen_changed = False
        seen = tuple(SeenChannel(channel, position) for channel, position in self._seen.items())
        return self.state.take_changes(), Progress(
            self.offset, self.now_ms, seen, 0, 0, self.checkpoint
        )
