"""One flow over its partitions: each fact taken once, state with how far it got, rows on demand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from schemas import topics
from schemas.codec import PREFIX_BYTES, Codec
from schemas.errors import InvalidMessage
from schemas.record import Record
from schemas.stream import SeenChannel, SourcePosition
from schemas.topics import Topic
from streams.engine import cause
from streams.engine.changelog import Change
from streams.engine.fold import cause_of
from streams.engine.records import InboxRecord
from streams.engine.store import PartitionState, Store
from streams.kernel.errors import StageDefect
from streams.kernel.flow import Fact, Flow, FlowTime
from streams.kernel.stage import Output

Place = tuple[str, int]
"""A topic and one of its partitions."""

EVENT_TIME_HEADER = "ce_time"
PREFIX = "flow"
"""Begins the names of a flow's consumer group, changelog and transactional id."""
_MAX_INVALID = 100  # facts are written by this system: more are no accident


class FlowFold:
    """Applies facts, those of a partition in order, partitions in any.

    For each: an offset below the partition's position was taken before a crash, and a cause that is
    not above the highest seen on its channel was sent again by its stage after one. Both are passed
    over.

    A partition's time is its newest fact's; one that was read to its end is at most ``idle_ms``
    behind the clock. The watermark is the earliest partition's time less ``lateness_ms``.
    """

    def __init__(
        self,
        flow: Flow,
        codec: Codec,
        incarnations: Mapping[str, bytes],
        places: Iterable[Place],
        store: Store,
        *,
        lateness_ms: int,
        idle_ms: int,
    ) -> None:
        self.flow = flow
        self.state = PartitionState(store, entities(flow))
        self.taken = self.skipped = self.dropped = self.invalid = self.missed = 0
        self._codec = codec
        self._incarnations = dict(incarnations)
        self._lateness_ms, self._idle_ms = lateness_ms, idle_ms
        self._unwanted: set[bytes] = set()  # schemas of facts that the flow does not take
        self._places = {place: self._start(place) for place in places}
        self._at_end: dict[Place, bool] = dict.fromkeys(self._places, False)
        self._moved: dict[Place, _Place] = {}
        self._watermark_ms = 0

    def positions(self) -> dict[Place, int]:
        """Return the next offset to take of each partition."""
        return {place: at.offset for place, at in self._places.items()}

    def apply(self, place: Place, records: Iterable[InboxRecord]) -> None:
        """Take a batch of one partition.

        Raises Retryable at a record that cannot be read yet: those before it are taken, and the
        call may be repeated. Raises StageDefect when too much cannot be understood.
        """
        at = self._places[place]
        facts: list[Fact] = []
        try:
            for record in records:
                if record.offset != at.offset:
                    if record.offset < at.offset:
                        self.skipped += 1
                        continue
                    # Retention was faster than the flow; before its first fact that is no matter.
                    self.missed += record.offset - at.offset if at.offset else 0
                fact = self._read(at, record)
                at.offset = record.offset + 1
                if fact is not None:
                    facts.append(fact)
        finally:
            self._moved[place] = at
            self._at_end[place] = False
            if facts:
                self.taken += len(facts)
                self.flow.take(self.state, facts)

    def reached_end(self, place: Place) -> None:
        """Take note that nothing more of a partition is there now."""
        self._at_end[place] = True

    def time(self, now_ms: int) -> FlowTime:
        """Return how far the flow has got; ``now_ms`` is the clock's."""
        idle_ms = now_ms - self._idle_ms
        times_ms = [
            max(at.event_ms, idle_ms) if self._at_end[place] else at.event_ms
            for place, at in self._places.items()
        ]
        earliest_ms = min(times_ms, default=0)
        self._watermark_ms = max(self._watermark_ms, earliest_ms - self._lateness_ms)
        fresh_ms = max((at.event_ms for at in self._places.values()), default=0)
        return FlowTime(self._watermark_ms, fresh_ms)

    def rows(self, now_ms: int) -> list[Output]:
        """Fire timers, and return the rows that changed since the last call."""
        time = self.time(now_ms)
        flow, state = self.flow, self.state
        changed = flow.rows(state, time)
        while (due := state.next_due(time.watermark_ms)) is not None:
            flow.wake(state, due[1], time)
        return changed + flow.rows(state, time)

    def take_changes(self) -> list[Change]:
        """Return what changed since the last call, positions included; call ``rows`` before."""
        for at in self._moved.values():
            self.state.put(at.key, at.position())
        self._moved.clear()
        return self.state.take_changes()

    def _start(self, place: Place) -> _Place:
        """Return where to go on; at the beginning of a topic that was made again."""
        at = _Place(place, self._incarnations[place[0]])
        known = self.state.get(SourcePosition, at.key)
        if known is not None:
            at.seen = {one.channel: one.position for one in known.seen}
            if known.incarnation == at.incarnation:
                at.offset, at.event_ms = known.offset, known.event_ms
        return at

    def _read(self, at: _Place, record: InboxRecord) -> Fact | None:
        headers = record.headers
        # Our own outputs carry it first; others are searched.
        stamp = headers[0][1] if headers and headers[0][0] == cause.HEADER else cause_of(headers)
        if stamp is not None and stamp[12:] <= at.seen.get(stamp[:12], b""):
            self.dropped += 1
            return None
        event_ms = event_time_ms(record)
        message = self._wanted(record.value or b"")
        # Only now, for a record that cannot be read yet comes again.
        if stamp is not None:
            at.seen[stamp[:12]] = stamp[12:]
        at.event_ms = max(at.event_ms, event_ms)
        return None if message is None else Fact(message, *at.place, record.offset, event_ms)

    def _wanted(self, value: bytes) -> Record | None:
        """Return the fact in ``value`` if the flow takes such."""
        if value[:PREFIX_BYTES] in self._unwanted:
            return None
        try:
            message = self._codec.decode(value)
        except InvalidMessage as error:
            self.invalid += 1
            if self.invalid > _MAX_INVALID:
                raise StageDefect(f"{self.invalid} facts are invalid, the last: {error}") from error
            return None
        if type(message) not in self.flow.kinds:
            self._unwanted.add(value[:PREFIX_BYTES])
            return None
        return message


class _Place:
    """How far one partition was taken."""

    def __init__(self, place: Place, incarnation: bytes) -> None:
        self.place = place
        self.incarnation = incarnation
        self.key = f"{place[0]}/{place[1]}"
        self.offset = 0
        self.event_ms = 0
        self.seen: dict[bytes, bytes] = {}

    def position(self) -> SourcePosition:
        seen = tuple(SeenChannel(channel, position) for channel, position in self.seen.items())
        return SourcePosition(*self.place, self.incarnation, self.offset, self.event_ms, seen)


def entities(flow: Flow) -> tuple[type[Record], ...]:
    """Return the kinds of state record that are kept of a flow: its own, and positions."""
    return (*flow.entities, SourcePosition)


def changelog_of(flow: Flow, prefix: str = PREFIX) -> Topic:
    """Return the topic that keeps the state of a flow."""
    return topics.changelog(f"{prefix}-{flow.name}", entities(flow))


def event_time_ms(record: InboxRecord) -> int:
    """Return when a fact happened: its stage's stream time, or else the broker's timestamp."""
    for name, value in record.headers:
        if name == EVENT_TIME_HEADER:
            try:
                return _second_ms(value[:19]) + int(value[20:23])
            except ValueError:
                break  # somebody else's notion of RFC 3339
    return record.timestamp


@lru_cache(10_000)
def _second_ms(text: bytes) -> int:
    """Return the epoch ms of ``2026-11-24T23:35:30``."""
    return int(datetime.fromisoformat(text.decode()).replace(tzinfo=UTC).timestamp()) * 1000
