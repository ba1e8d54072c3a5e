"""Compares what a replay puts out with what the topics hold, output by output.

An output is known by its cause: the inbox record that made it, and as which of its outputs. So one
look-up pairs a replayed output with its recorded one, in whatever order the two come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from streams.engine import cause
from streams.engine.fold import cause_of
from streams.engine.records import Headers, StoredRecord
from topologies.reading import Place

MAX_DIFFERENCES = 1_000
"""After so many a stage partition is not followed any further: its state has gone astray."""

_REMEMBERED = 50_000
"""Outputs, twice, of which a digest is kept to judge what was sent again: above the outputs of a
partition between two checkpoints, ~5,000 a second, and a takeover of 6 s. About 200 bytes each."""

PartitionOf = Callable[[str, bytes], int]
"""(topic, key) -> the partition on which a record belongs."""


class Kind(StrEnum):
    """How an output can differ."""

    DIFFERS = "differs"
    MISSING = "missing"  # the replay puts it out, the topics do not hold it
    SURPLUS = "surplus"  # the topics hold it, the replay does not put it out
    RESENT_DIFFERS = "resent differs"  # sent again after a crash, but not the same
    MISPLACED = "misplaced"  # on a partition that is not its key's
    FAILED = "failed"  # the replay raised where the recorded run went on


class Sent(NamedTuple):
    """One output, replayed or recorded; ``at`` is where it stands, None for a replayed one."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    at: tuple[int, int] | None = None


_Made = tuple[str, str | bytes | None, bytes | None, Headers]
"""What an outbox is given, as it waits."""


class Difference(NamedTuple):
    """A finding about the output ``output`` of the inbox record at ``offset``."""

    kind: Kind
    offset: int
    output: int
    recorded: Sent | None
    replayed: Sent | None
    why: str = ""


class Comparer:
    """Compares the outputs of one stage partition: `outbox` takes replayed ones, `take` recorded.

    They wait until `meet` pairs them, a batch at a time: a call for each would cost as much as the
    comparison.
    """

    def __init__(self, channel: bytes, partition_of: PartitionOf) -> None:
        self.channel = channel
        self.compared = self.resent = self.resent_unchecked = 0
        self.counts: Counter[Kind] = Counter()
        self.first: Difference | None = None
        self._partition_of = partition_of
        self._replayed: dict[bytes, _Made] = {}
        self._recorded: dict[bytes, tuple[Place, StoredRecord]] = {}
        self._highest: dict[Place, bytes] = {}
        self._digests: dict[bytes, int] = {}
        self._digests_before: dict[bytes, int] = {}

    @property
    def is_astray(self) -> bool:
        """Tell whether so much differs that going on would say nothing new."""
        return Kind.FAILED in self.counts or self.counts.total() > MAX_DIFFERENCES

    @property
    def waiting(self) -> int:
        """How many outputs wait for their other side."""
        return len(self._replayed) + len(self._recorded)

    def outbox(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Take what the replay puts out."""
        name, stamp = headers[0]
        if name != cause.HEADER:
            stamp = cause_of(headers) or b""
        self._replayed[stamp] = (topic, key, value, headers)

    def take(self, place: Place, found: Iterable[tuple[bytes, StoredRecord]]) -> None:
        """Take outputs that stand at ``place``, in order, each with its cause."""
        recorded, highest = self._recorded, self._highest.get(place, b"")
        for stamp, record in found:
            position = stamp[12:]
            if position > highest:
                highest = position
                recorded[stamp] = (place, record)
            else:
                self._take_resent(stamp, place, record)
        self._highest[place] = highest

    def meet(self) -> None:
        """Compare the outputs of which both sides are there by now."""
        replayed, recorded, partition_of = self._replayed, self._recorded, self._partition_of
        fewer, others = (
            (replayed, recorded) if len(replayed) < len(recorded) else (recorded, replayed)
        )
        # In the order in which they came: their bytes lie near one another in memory.
        both = [stamp for stamp in fewer if stamp in others]
        for stamp in both:
            topic, key, value, headers = made = replayed.pop(stamp)
            place, record = found = recorded.pop(stamp)
            _, _, found_key, found_value, found_headers = record
            raw_key = key.encode() if isinstance(key, str) else key
            if (
                found_value != value
                or found_key != raw_key
                or place[0] != topic
                or (found_headers != headers and list(found_headers) != list(headers))
            ):
                self._differ(Kind.DIFFERS, stamp, _recorded(*found), _replayed(*made))
            elif raw_key is not None and partition_of(topic, raw_key) != place[1]:
                why = f"its key belongs on partition {partition_of(topic, raw_key)}"
                self._differ(Kind.MISPLACED, stamp, _recorded(*found), _replayed(*made), why)
            self._digests[stamp] = _digest(record)
        self.compared += len(both)
        if len(self._digests) >= _REMEMBERED:
            self._digests_before, self._digests = self._digests, {}

    def settle(self, applied: int) -> None:
        """Judge what waits: all outputs of inbox offsets below ``applied`` are in by now."""
        self._settle_recorded(applied)
        limit = cause.pack_position(applied, 0)
        self._miss([stamp for stamp in self._replayed if stamp[12:] < limit])

    def settle_passed(self, replayed: int) -> None:
        """Judge what waits in vain, because its other side would have come before.

        Everything that inbox offsets below ``replayed`` put out is known, and on a partition of a
        topic what stands behind an output comes after it.
        """
        self._settle_recorded(replayed)
        missed = []
        for stamp, made in self._replayed.items():
            sent = _replayed(*made)
            place = (sent.topic, self._partition_of(sent.topic, sent.key or b""))
            if stamp[12:] < self._highest.get(place, b""):
                missed.append(stamp)
        self._miss(missed)

    def _settle_recorded(self, replayed: int) -> None:
        limit = cause.pack_position(replayed, 0)
        for stamp in [stamp for stamp in self._recorded if stamp[12:] < limit]:
            self._differ(Kind.SURPLUS, stamp, _recorded(*self._recorded.pop(stamp)), None)

    def _miss(self, stamps: Iterable[bytes]) -> None:
        for stamp in stamps:
            self._differ(Kind.MISSING, stamp, None, _replayed(*self._replayed.pop(stamp)))

    def failed(self, offset: int, error: Exception) -> None:
        """Take note that the replay could not apply the inbox record at ``offset``."""
        stamp = self.channel + cause.pack_position(offset, 0)
        self._differ(Kind.FAILED, stamp, None, None, f"{type(error).__name__}: {error}")

    def forget(self) -> None:
        """Drop what waits: nothing more is going to be compared."""
        self._replayed.clear()
        self._recorded.clear()

    def _take_resent(self, stamp: bytes, place: Place, record: StoredRecord) -> None:
        """Judge a record that receivers drop: it must be what was sent the first time."""
        self.resent += 1
        waits = self._recorded.get(stamp)
        digest = _digest(waits[1]) if waits is not None else self._digests.get(stamp)
        digest = self._digests_before.get(stamp) if digest is None else digest
        if digest is None:
            self.resent_unchecked += 1
        elif digest != _digest(record):
            self._differ(Kind.RESENT_DIFFERS, stamp, _recorded(place, record), None)

    def _differ(
        self,
        kind: Kind,
        stamp: bytes,
        recorded: Sent | None,
        replayed: Sent | None,
        why: str = "",
    ) -> None:
        self.counts[kind] += 1
        where = cause.parse(stamp)
        at = (where.offset, where.output)
        if self.first is None or at < (self.first.offset, self.first.output):
            self.first = Difference(kind, *at, recorded, replayed, why)


def _digest(record: StoredRecord) -> int:
    return hash((record.key, record.value, *record.headers))


def _replayed(topic: str, key: str | bytes | None, value: bytes | None, headers: Headers) -> Sent:
    return Sent(topic, key.encode() if isinstance(key, str) else key, value, headers)


def _recorded(place: Place, record: StoredRecord) -> Sent:
    at = (place[1], record.offset)
    return Sent(place[0], record.key, record.value, record.headers, at)
