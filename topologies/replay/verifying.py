"""Re-runs stages over their recorded inboxes and compares every output byte for byte.

How far: the workers commit an inbox offset after every output below it is acknowledged. A round
asks for those offsets first and for the ends of all topics after, so that every output of what it
replays is below the ends; what lies above is left to a later round.

Inboxes and outputs are read side by side, by the log's own time, so that what waits for its other
side is what was under way at that moment and not the whole log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from schemas.codec import Codec
from schemas.topics import PUBLIC
from schemas.topics import Kind as TopicKind
from streams.engine import cause
from streams.engine.changelog import START
from streams.engine.fold import PartitionFold, cause_of
from streams.engine.records import StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.errors import Retryable
from streams.kernel.stage import Stage
from topologies.reading import Place, Span
from topologies.replay.comparing import Comparer, Difference, Kind
from topologies.replay.log import CannotReplay, Feed, RecordedLog, check_beginning, spared

Progress = Callable[[int, int], None]
"""Told (inbox records replayed, inbox records to replay)."""

_MAX_WAITING = 200_000  # outputs, ~1 kB each with their headers: 200 MB
_AHEAD_MS = 200  # how far a partition may be ahead of the slowest one while too many wait


@dataclass(frozen=True)
class Verdict:
    """What the comparison of one stage partition found; ``first`` by inbox offset and output."""

    stage: str
    partition: int
    records: int
    outputs: int
    resent: int
    resent_unchecked: int
    counts: Mapping[Kind, int]
    first: Difference | None
    is_astray: bool

    @property
    def ok(self) -> bool:
        """Tell whether everything is identical."""
        return self.first is None


class Replayed:
    """One stage partition under comparison."""

    def __init__(
        self, stage: Stage, codec: Codec, incarnation: bytes, partition: int, log: RecordedLog
    ) -> None:
        self.place: Place = (stage.inbox.name, partition)
        self.stage = stage
        self.applied = 0  # below this offset everything is judged in this round
        channel = cause.channel(incarnation, partition)
        self.comparer = Comparer(channel, log.partition_of)
        self.fold = PartitionFold(
            stage,
            codec,
            incarnation,
            partition,
            MemoryStore(stage.entities),
            START,
            self.comparer.outbox,
        )
        self._held: list[StoredRecord] = []

    def take(self, records: list[StoredRecord]) -> int:
        """Apply inbox records below ``applied``, keep the rest; return how many were applied."""
        if self.comparer.is_astray:
            return 0
        records = self._held + records if self._held else records
        if not records:
            return 0
        before = self.fold.offset
        ready = max(0, self.applied - records[0].offset)
        self._held = records[ready:]
        try:
            self.fold.apply(records[:ready])
        except Retryable:
            raise  # the registry is away: nothing is known about the stage
        except Exception as error:  # noqa: BLE001 - whatever it raises, the recorded run did not
            self.comparer.failed(self.fold.offset + 1, error)
        return self.fold.offset - before

    def verdict(self) -> Verdict:
        """Return what was found so far."""
        comparer = self.comparer
        return Verdict(
            self.stage.name,
            self.fold.partition,
            self.fold.offset + 1,
            comparer.compared,
            comparer.resent,
            comparer.resent_unchecked,
            dict(comparer.counts),
            comparer.first,
            comparer.is_astray,
        )


class Verification:
    """Compares ``stages`` (all partitions, or those of ``only``) with a recorded log.

    Raises CannotReplay when the log's beginning is gone or nothing of a stage was ever applied.
    """

    def __init__(
        self,
        log: RecordedLog,
        stages: Sequence[Stage],
        codec: Codec,
        only: Collection[int] | None = None,
    ) -> None:
        self._log = log
        incarnations = log.incarnations([stage.inbox.name for stage in stages])
        self._topics = outputs_of(stages)
        held = log.spans(self._topics)
        check_beginning(held)
        partitions = {stage.inbox.name: 0 for stage in stages}
        partitions |= {topic: p + 1 for topic, p in sorted(held) if topic in partitions}
        self._replayed = {
            (stage.inbox.name, partition): Replayed(
                stage, codec, incarnations[stage.inbox.name], partition, log
            )
            for stage in stages
            for partition in range(partitions[stage.inbox.name])
            if only is None or partition in only
        }
        self._comparers = {one.comparer.channel: one.comparer for one in self._replayed.values()}
        self._next = {place: span.first for place, span in held.items()}

    def round(self, progress: Progress | None = None) -> None:
        """Compare everything that was applied since the last round."""
        applied = self._log.applied(self._replayed)
        if not any(applied.values()):
            raise CannotReplay(
                "no worker ever committed an offset of these inboxes: is ORDERSTREAM_GROUP the "
                "group of the run, and has a worker run?"
            )
        spans = self._log.spans(self._topics)
        for place, one in self._replayed.items():
            one.applied = max(one.applied, applied[place])
        with spared():
            self._read(spans, progress)
        for one in self._replayed.values():
            one.take([])
            one.comparer.meet()
            if one.comparer.is_astray:
                one.comparer.forget()
            else:
                one.comparer.settle(min(one.applied, one.fold.offset + 1))

    def verdicts(self) -> list[Verdict]:
        """Return what was found so far, partition by partition."""
        return [one.verdict() for one in self._replayed.values()]

    def _read(self, spans: Mapping[Place, Span], progress: Progress | None) -> None:
        left = {place: span.end for place, span in spans.items() if span.end > self._next[place]}
        total = sum(one.applied for one in self._replayed.values())
        done = sum(one.fold.offset + 1 for one in self._replayed.values())
        with self._log.feed({place: self._next[place] for place in left}) as feed:
            pace = _Pace(feed, left)
            while left:
                for place, records in feed.batch().items():
                    if place not in left:
                        continue
                    records = self._new(place, records, left[place])
                    if records:
                        done += self._take(place, records)
                        pace.read(place, records[-1].timestamp)
                    if self._next[place] >= left[place]:
                        del left[place]
                        feed.pause([place])
                pace.keep(self._meet())
                if progress is not None:
                    progress(done, total)

    def _meet(self) -> int:
        """Let both sides meet; return how many still wait, less those who wait in vain."""
        waiting = 0
        for one in self._replayed.values():
            comparer = one.comparer
            comparer.meet()
            if comparer.waiting > _MAX_WAITING:
                comparer.settle_passed(one.fold.offset + 1)
            if comparer.is_astray:
                comparer.forget()
                self._comparers.pop(comparer.channel, None)
            waiting += comparer.waiting
        return waiting

    def _new(self, place: Place, records: list[StoredRecord], end: int) -> list[StoredRecord]:
        """Return the records from the next offset to ``end`` and move on behind them."""
        first = self._next[place]
        if records[0].offset < first or records[-1].offset >= end:
            records = [record for record in records if first <= record.offset < end]
        if records:
            self._next[place] = records[-1].offset + 1
        return records

    def _take(self, place: Place, records: list[StoredRecord]) -> int:
        """Take outputs and inbox records of a partition; return how many were replayed."""
        found: defaultdict[bytes, list[tuple[bytes, StoredRecord]]] = defaultdict(list)
        header = cause.HEADER
        for record in records:
            headers = record[4]
            if headers:
                name, stamp = headers[0]
                if name != header:
                    stamp = cause_of(headers) or b""
                found[stamp[:12]].append((stamp, record))
        for channel, outputs in found.items():
            comparer = self._comparers.get(channel)
            if comparer is not None:
                comparer.take(place, outputs)
        one = self._replayed.get(place)
        return one.take(records) if one is not None else 0


class _Pace:
    """Keeps partitions side by side in the log's time while too many outputs wait.

    The slowest partition is never paused, so reading goes on whatever the timestamps are.
    """

    def __init__(self, feed: Feed, left: Mapping[Place, int]) -> None:
        self._feed = feed
        self._left = left
        self._at_ms = dict.fromkeys(left, 0)
        self._paused: set[Place] = set()

    def read(self, place: Place, timestamp_ms: int) -> None:
        """Take note of how far ``place`` is."""
        self._at_ms[place] = max(self._at_ms[place], timestamp_ms)

    def keep(self, waiting: int) -> None:
        """Pause and resume partitions; ``waiting`` outputs wait for their other side."""
        if not self._left:
            return
        limit_ms = min(self._at_ms[place] for place in self._left) + _AHEAD_MS
        ahead = {place for place in self._left if self._at_ms[place] > limit_ms}
        wanted = ahead if waiting > _MAX_WAITING else self._paused & ahead
        paused = self._paused & self._left.keys()
        if wanted - paused:
            self._feed.pause(wanted - paused)
        if paused - wanted:
            self._feed.resume(paused - wanted)
        self._paused = wanted


def outputs_of(stages: Sequence[Stage]) -> list[str]:
    """Return every topic that a stage may write, its inbox among them."""
    topics = [t.name for t in PUBLIC if t.kind in (TopicKind.COMMANDS, TopicKind.EVENTS)]
    inboxes = [stage.inbox for stage in stages]
    topics += [inbox.name for inbox in inboxes] + [inbox.dead_letters for inbox in inboxes]
    return list(dict.fromkeys(topics))
