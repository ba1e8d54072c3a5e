"""The contract between a domain and the engine.

A stage is a deterministic fold over its inbox: ``state(n) = fold(apply, inbox[0..n])``. Applying
one message runs three pure functions:

1. ``decide(state, message, now)`` judges the message: guards in a documented order, then success.
   It
   returns facts. A refusal is a fact with a reason, never an exception.
2. ``evolve(state, fact, now)`` folds each fact into the state. Nothing else changes the state.
3. ``react(state, fact)`` turns each fact into records for topics: the public fact itself, replies,
   commands to other stages. A fact without outputs stays private.

State is a small key-value view of immutable records. A state record with a field ``due_ms`` greater
than zero is a timer (and carries its own key): when stream time reaches it the engine calls
``wake`` with the record, and the facts that ``wake`` returns must move or remove that ``due_ms``.

``now_ms`` is stream time in epoch milliseconds: the highest log-append time seen so far in the
inbox partition. Nothing in a domain may ask a clock, draw a random number or do I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from schemas.record import Record
from schemas.topics import Topic

R = TypeVar("R", bound=Record)


class View(Protocol):
    """Reads of one partition's state."""

    def get(self, kind: type[R], key: str) -> R | None:
        """Return the record of ``kind`` under ``key``, or None."""


class State(View, Protocol):
    """Reads and writes of one partition's state; only ``evolve`` gets to write."""

    def put(self, key: str, record: Record) -> None:
        """Keep ``record`` under its own type and ``key``."""

    def delete(self, kind: type[Record], key: str) -> None:
        """Forget the record of ``kind`` under ``key``; absent is fine."""


class Output(NamedTuple):
    """A record to append to ``topic`` under ``key`` (the entity id; decides the partition)."""

    topic: str
    key: str
    message: Record


class Stage(Protocol):
    """A deterministic stage: its inbox, its kinds of state, and its pure functions."""

    @property
    def name(self) -> str:
        """Short name: part of the changelog's name and of the checkpoint's transactional id."""

    @property
    def inbox(self) -> Topic:
        """The one topic that this stage reads."""

    @property
    def entities(self) -> tuple[type[Record], ...]:
        """The kinds of state record, in a fixed order."""

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        """Judge one message; return the facts, in order.

        Raises InvalidMessage for a message that cannot be meant for this stage.
        """

    def wake(self, state: View, record: Record, now_ms: int) -> Sequence[Record]:
        """Judge a state record whose ``due_ms`` has come; return the facts, in order."""

    def evolve(self, state: State, fact: Record, now_ms: int) -> None:
        """Fold one fact into the state."""

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Return what ``fact`` makes known; ``state`` already holds the fact."""
