"""What a sink is: facts in, one store's rows out.

A sink may be given any fact again, alone or with others, and after a crash it is given again what
it may have written already. A partition's facts come in their order; partitions come mixed. So a
write is guarded by (entity, version), or is in another way the same when done twice
(``tests/contracts/sinks.py`` is the contract).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from schemas.record import Record
from schemas.topics import Topic


class Fact(NamedTuple):
    """A public fact as the log has it; ``timestamp_ms`` is the broker's (epoch ms)."""

    record: Record
    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class StoreAway(Exception):
    """The store cannot be reached or asks for patience: the same write is tried again later."""


class Sink(Protocol):
    """Writes facts to one store."""

    name: str
    """Also its consumer group's: ``sink-<name>``."""

    topics: tuple[Topic, ...]
    """What it reads."""

    records: frozenset[type[Record]]
    """The record types that it takes; others are passed over without being decoded."""

    def write(self, facts: Sequence[Fact]) -> None:
        """Make the store hold what ``facts`` say; return when it is safe to forget them.

        Raises StoreAway when the same call may succeed later. Any other exception stops the sink
        before anything is committed.
        """

    def close(self) -> None:
        """Let go of the store."""
