"""What a window counts: a commutative monoid, so that batches may be merged in any order.

``Tally()`` is zero; ``add`` counts one fact in; ``merge`` of two tallies is the tally of all their
facts. Merging is associative and commutative: sums by name, the later of two levels, and the hull
of the offsets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.report import OffsetRange, StepTime
from streams.kernel.flow import Fact

_BUCKETS = 90  # two for each doubling: 2^45 ms are a thousand years
_HALF = 0.5
_NEARLY_ALL = 0.99


class Tally:
    """Named sums, the latest level, and which facts were counted.

    ``latest`` is a tuple that begins with what orders it (a version), so the later one is the
    greater; ``()`` is before all.
    """

    __slots__ = ("facts", "latest", "spans", "sums")

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}
        self.latest: tuple[int, ...] = ()
        self.facts = 0
        self.spans: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, fact: Fact, **amounts: int) -> None:
        """Count a fact in, with what it adds to each sum."""
        self.count(fact)
        sums = self.sums
        for name, amount in amounts.items():
            sums[name] = sums.get(name, 0) + amount

    def count(self, fact: Fact) -> None:
        """Count a fact in that adds to no sum."""
        self.facts += 1
        place, offset = (fact.topic, fact.partition), fact.offset
        span = self.spans.get(place)
        if span is None:
            self.spans[place] = (offset, offset)
        elif offset > span[1]:  # nearly always: facts of a partition come in order
            self.spans[place] = (span[0], offset)
        elif offset < span[0]:
            self.spans[place] = (offset, span[1])

    def add_time(self, step: Step, ms: int) -> None:
        """Add how long a step took to the sums of that step."""
        sums = self.sums
        for name, amount in ((step.total, ms), (step.buckets[_bucket(ms)], 1)):
            sums[name] = sums.get(name, 0) + amount

    def merge(self, other: Tally) -> None:
        """Make this the tally of the facts of both."""
        sums = self.sums
        for name, amount in other.sums.items():
            sums[name] = sums.get(name, 0) + amount
        self.latest = max(self.latest, other.latest)
        self.facts += other.facts
        for place, (first, last) in other.spans.items():
            span = self.spans.get(place, (first, last))
            self.spans[place] = (min(span[0], first), max(span[1], last))

    def ranges(self) -> tuple[OffsetRange, ...]:
        """Return where the facts stand, in order of partitions."""
        return tuple(OffsetRange(*place, *span) for place, span in sorted(self.spans.items()))


class Step:
    """The names of the sums that hold how long one step took: a total, and counts by duration."""

    def __init__(self, name: str) -> None:
        self.total = f"{name}.ms"
        self.buckets = tuple(f"{name}.{bucket}" for bucket in range(_BUCKETS))

    def of(self, sums: Mapping[str, int]) -> StepTime:
        """Return what the sums say of the step."""
        counts = [sums.get(name, 0) for name in self.buckets]
        count = sum(counts)
        if not count:
            return StepTime(0, 0, 0, 0)
        mean_ms = sums[self.total] // count
        return StepTime(count, mean_ms, _quantile(counts, _HALF), _quantile(counts, _NEARLY_ALL))


def basis_points(part: int, whole: int) -> int:
    """Return ``part / whole`` in 1/10,000, 0 of nothing."""
    return part * 10_000 // whole if whole else 0


def _bucket(ms: int) -> int:
    """Return the bucket of a duration: two for each power of two, the lower half and the upper."""
    length = max(ms, 0).bit_length()
    upper = ms >> (length - 2) & 1 if length > 1 else 0
    return min(2 * length + upper, _BUCKETS - 1)


def _longest(bucket: int) -> int:
    """Return the longest duration of a bucket in ms."""
    length, upper = divmod(bucket, 2)
    if length < 2:
        return length
    return (1 << length) - 1 if upper else (3 << (length - 2)) - 1


def _quantile(counts: list[int], share: float) -> int:
    """Return an upper bound of the quantile: the longest duration of the bucket that it is in."""
    wanted = share * sum(counts)
    for bucket, reached in enumerate(_running(counts)):
        if reached >= wanted:
            return _longest(bucket)
    raise AssertionError("the last running sum is all")


def _running(counts: list[int]) -> Iterator[int]:
    total = 0
    for count in counts:
        total += count
        yield total
