"""The contract between a domain and the host of a flow: facts of many partitions in, rows out.

Where a stage judges one inbox in its order, a flow folds facts of many partitions, each in order,
the partitions in any. Its rows are upserts: the same row may be written again after a crash, so it
carries a version or an id that follows from the facts.

State is the kernel's: immutable records by key, those with ``due_ms`` being timers. Here they fire
when the **watermark** reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from schemas.record import Record
from schemas.topics import Topic
from streams.kernel.stage import Output, State


class Fact(NamedTuple):
    """A public fact, where it stands, and when it happened (epoch ms, its stage's stream time)."""

    record: Any
    topic: str
    partition: int
    offset: int
    event_ms: int


class FlowTime(NamedTuple):
    """``watermark_ms``: all facts before it were taken; ``fresh_ms``: the newest fact's time."""

    watermark_ms: int
    fresh_ms: int


class Flow(Protocol):
    """A fold over public facts."""

    @property
    def name(self) -> str:
        """Short name: part of the changelog's, of the group's and of the transactional id."""

    @property
    def sources(self) -> tuple[Topic, ...]:
        """The topics that it reads."""

    @property
    def kinds(self) -> frozenset[type[Record]]:
        """The facts that it takes; others are passed over."""

    @property
    def entities(self) -> tuple[type[Record], ...]:
        """The kinds of state record, in a fixed order."""

    def take(self, state: State, facts: Sequence[Fact]) -> None:
        """Fold a batch of facts in. What it sets aside beside ``state`` lasts until ``rows``."""

    def wake(self, state: State, record: Any, time: FlowTime) -> None:
        """Move or remove a record whose ``due_ms`` the watermark has reached."""

    def rows(self, state: State, time: FlowTime) -> list[Output]:
        """Return the rows that changed since the last call; all that was taken is in ``state``."""

    def passed_over(self) -> Mapping[str, int]:
        """Return how many facts could not be counted where they belong, by the reason why."""
