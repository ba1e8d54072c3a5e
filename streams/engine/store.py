"""The state of one stage partition.

``Store`` is the port: a map per kind of record. ``PartitionState`` is what a domain sees of it: it
remembers what changed since the last checkpoint and which records wait for their time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from schemas.record import Record

R = TypeVar("R", bound=Record)


class Store(Protocol):
    """Records by kind and key; one store per stage partition."""

    def table(self, kind: type[Record]) -> Table:
        """Return the map of ``kind``."""


class Table(Protocol):
    """One kind's records by key: the part of ``dict`` that the engine uses."""

    def get(self, key: str) -> Any:
        """Return the record under ``key``, or None."""

    def __setitem__(self, key: str, record: Any) -> None: ...

    def pop(self, key: str, default: None) -> Any:
        """Remove ``key``; absent is fine."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return all records in no particular order."""

    def __len__(self) -> int: ...


NewStore: TypeAlias = Callable[[Sequence[type[Record]]], Store]
"""Makes the empty store of a stage partition that keeps records of these kinds."""


class MemoryStore:
    """A store of dicts."""

    def __init__(self, kinds: Iterable[type[Record]]) -> None:
        self._tables: dict[type[Record], dict[str, Any]] = {kind: {} for kind in kinds}

    def table(self, kind: type[Record]) -> Table:
        """Return the map of ``kind``."""
        return self._tables[kind]


class PartitionState:
    """A stage's State over a Store, with its changes and its timers."""

    def __init__(self, store: Store, kinds: tuple[type[Record], ...]) -> None:
        self._kinds = kinds
        self._tables = {kind: store.table(kind) for kind in kinds}
        self._changed: dict[type[Record], set[str]] = {kind: set() for kind in kinds}
        self._timer_rank = {
            kind: rank for rank, kind in enumerate(kinds) if "due_ms" in kind.__struct_fields__
        }
        self.timers = [
            (record.due_ms, rank, key)
            for kind, rank in self._timer_rank.items()
            for key, record in self._tables[kind].items()
            if record.due_ms
        ]
        heapify(self.timers)

    def get(self, kind: type[R], key: str) -> R | None:
        """Return the record of ``kind`` under ``key``, or None."""
        return cast("R | None", self._tables[kind].get(key))

    def put(self, key: str, record: Record) -> None:
        """Keep ``record``; a new ``due_ms`` above zero sets its timer."""
        kind = type(record)
        table = self._tables[kind]
        rank = self._timer_rank.get(kind)
        if rank is not None:
            due_ms = record.due_ms  # type: ignore[attr-defined]  # kinds with a rank have the field
            if due_ms:
                known = table.get(key)
                if known is None or known.due_ms != due_ms:
                    heappush(self.timers, (due_ms, rank, key))
        table[key] = record
        self._changed[kind].add(key)

    def delete(self, kind: type[Record], key: str) -> None:
        """Forget a record; its timer goes with it."""
        self._tables[kind].pop(key, None)
        self._changed[kind].add(key)

    def next_due(self, now_ms: int) -> tuple[str, Any] | None:
        """Take the first timer that has come; return (key, record), or None when none is left.

        The order is by time, then kind, then key: the same on every machine and after a reload.
        """
        while self.timers and self.timers[0][0] <= now_ms:
            due_ms, rank, key = heappop(self.timers)
            record = self._tables[self._kinds[rank]].get(key)
            if record is not None and record.due_ms == due_ms:
                return key, record
        return None

    def has_changes(self) -> bool:
        """Tell whether anything changed since the last ``take_changes``."""
        return any(self._changed.values())

    def take_changes(self) -> list[tuple[type[Record], str, Record | None]]:
        """Return what changed as (kind, key, record or None), and start anew.

        Records are immutable, so the list may be written while the fold goes on.
        """
        changes = []
        for kind, keys in self._changed.items():
            table = self._tables[kind]
            changes += [(kind, key, table.get(key)) for key in keys]
            keys.clear()
        return changes

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables.values())
