"""Two small stages that exercise everything the engine promises: facts, commands, replies, timers.

``purse`` keeps an amount per key. ``Deposit`` adds to it, publishes ``Deposited`` and asks
``bell`` to ``Ring``; ``bell`` counts the rings per key, publishes ``Rang`` and answers it to the
purse. A purse that is not touched for ``IDLE_MS`` closes by timer (``Closed``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.errors import InvalidMessage
from schemas.record import Record
from schemas.stream import Progress, Tick
from schemas.topics import Kind, Topic
from streams.kernel.stage import Output, State, View

IDLE_MS = 15_000  # longer than any test is busy with something else, also on a slow machine
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Deposit(Record, frozen=True):
    """Add ``amount`` to the purse ``key``; a negative amount is not a message for this stage."""

    key: str
    amount: int
    trace_id: str = TRACE


class Deposited(Record, frozen=True):
    """Fact: the purse holds ``total`` after its ``version``-th deposit."""

    key: str
    amount: int
    total: int
    version: int
    trace_id: str


class Closed(Record, frozen=True):
    """Fact: nobody touched the purse for a while."""

    key: str
    version: int
    trace_id: str


class Ring(Record, frozen=True):
    """Ring the bell of ``key``."""

    key: str
    trace_id: str


class Rang(Record, frozen=True):
    """Fact and reply: the bell of ``key`` rang for the ``count``-th time."""

    key: str
    count: int
    trace_id: str


class Heard(Record, frozen=True):
    """Private fact of the purse: it heard its bell."""

    key: str
    count: int
    trace_id: str


class Purse(Record, frozen=True):
    """State of a purse; a record with a timer carries its own key."""

    key: str
    total: int
    version: int
    heard: int
    due_ms: int


class Bell(Record, frozen=True):
    """State of a bell."""

    count: int


PURSE_COMMANDS = Topic("purse.commands", Kind.COMMANDS, "key", (Deposit, Rang, Tick))
PURSE_EVENTS = Topic("purse.events", Kind.EVENTS, "key", (Deposited, Closed))
BELL_COMMANDS = Topic("bell.commands", Kind.COMMANDS, "key", (Ring, Tick))
BELL_EVENTS = Topic("bell.events", Kind.EVENTS, "key", (Rang,))
TOPICS = (PURSE_COMMANDS, PURSE_EVENTS, BELL_COMMANDS, BELL_EVENTS)
RECORDS: tuple[type[Record], ...] = (
    *dict.fromkeys(kind for topic in TOPICS for kind in topic.records),
    Purse,
    Bell,
    Progress,
)


class PurseStage:
    """The upstream stage."""

    name = "purse"
    inbox = PURSE_COMMANDS
    entities: tuple[type[Record], ...] = (Purse,)

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        """Accept deposits above zero and the bell's answers."""
        match message:
            case Deposit(key, amount, trace_id) if amount > 0:
                purse = state.get(Purse, key) or Purse(key, 0, 0, 0, 0)
                return (Deposited(key, amount, purse.total + amount, purse.version + 1, trace_id),)
            case Rang(key, count, trace_id):
                return (Heard(key, count, trace_id),)
            case _:
                raise InvalidMessage("BAD_DEPOSIT", "a deposit is above zero")

    def wake(self, state: View, record: Record, now_ms: int) -> Sequence[Record]:
        """Close an idle purse."""
        assert isinstance(record, Purse)
        return (Closed(record.key, record.version, TRACE),)

    def evolve(self, state: State, fact: Record, now_ms: int) -> None:
        """Fold the facts."""
        match fact:
            case Deposited(key, _, total, version, _):
                heard = purse.heard if (purse := state.get(Purse, key)) else 0
                state.put(key, Purse(key, total, version, heard, now_ms + IDLE_MS))
            case Heard(key, count, _):
                if (purse := state.get(Purse, key)) is not None:
                    state.put(key, msgspec.structs.replace(purse, heard=count))
            case Closed(key):
                state.delete(Purse, key)

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Publish the public facts; a deposit rings the bell."""
        match fact:
            case Deposited(key):
                return (
                    Output(PURSE_EVENTS.name, key, fact),
                    Output(BELL_COMMANDS.name, f"bell-{key}", Ring(key, fact.trace_id)),
                )
            case Closed(key):
                return (Output(PURSE_EVENTS.name, key, fact),)
            case _:
                return ()


class BellStage:
    """The downstream stage."""

    name = "bell"
    inbox = BELL_COMMANDS
    entities: tuple[type[Record], ...] = (Bell,)

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        """Count the ring."""
        match message:
            case Ring(key, trace_id):
                bell = state.get(Bell, key) or Bell(0)
                return (Rang(key, bell.count + 1, trace_id),)
            case _:
                raise InvalidMessage("NOT_A_RING", "a bell can only be rung")

    def wake(self, state: View, record: Record, now_ms: int) -> Sequence[Record]:
        """Return nothing: bells have no timers."""
        return ()

    def evolve(self, state: State, fact: Record, now_ms: int) -> None:
        """Fold the ring."""
        assert isinstance(fact, Rang)
        state.put(fact.key, Bell(fact.count))

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Publish the ring and answer the purse with the same record."""
        assert isinstance(fact, Rang)
        return (
            Output(BELL_EVENTS.name, f"bell-{fact.key}", fact),
            Output(PURSE_COMMANDS.name, fact.key, fact),
        )
