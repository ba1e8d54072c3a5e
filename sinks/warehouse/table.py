"""What a table of the warehouse is: its columns and key, its rows, its DDL for ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

FAR_MS: Final = 1 << 42
"""In the year 2109: what is earlier is further from it."""


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    NAME = "name"  # text with few different values
    LONG = "long"
    FLAG = "flag"
    LIST = "several things, as JSON"
    TIME = "time"
    MAYBE = "a time, or NULL"


_TIMES: Final = frozenset({Kind.TIME, Kind.MAYBE})


class Column(NamedTuple):
    """A column, and the field of a row that it shows; a field of a field after a dot."""

    name: str
    kind: Kind
    field: str


@dataclass(frozen=True)
class Table:
    """A table, its key, and how its rows are laid out.

    The last column is the time of the row. ``by_time``: this column never changes for a key, and
    rows are partitioned and ordered by it. ``together``: tables of one name are joined without
    moving rows.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    by_time: str = ""
    together: str = ""

    @property
    def full_key(self) -> tuple[str, ...]:
        """The key, with the column of the partitions: stores want it there."""
        return self.key if self.by_time in ("", *self.key) else (*self.key, self.by_time)

    @property
    def bucket(self) -> str:
        """The column that spreads the rows."""
        return self.key[0]

    def standing(self, row: Any) -> int:
        """Return the number by which one of several rows with one key stands: the greatest."""
        at_ms: int = getattr(row, self.columns[-1].field)
        return (int(row.version) << 64) + FAR_MS - at_ms

    def newest(self, rows: Iterable[Any]) -> list[Any]:
        """Return the rows less those that others of the same key replace."""
        key = attrgetter(*[one.field for one in self.columns if one.name in self.key])
        found: dict[Any, Any] = {}
        for row in rows:
            known = found.get(key(row))
            if known is None or self.standing(known) < self.standing(row):
                found[key(row)] = row
        return list(found.values())

    def values(self, rows: Iterable[Any], time: Callable[[int], Any]) -> list[list[Any]]:
        """Return the columns of ``rows``; ``time`` makes of epoch ms what the store takes."""
        fields = attrgetter(*[column.field for column in self.columns])
        times = [at for at, column in enumerate(self.columns) if column.kind in _TIMES]
        lists = [at for at, column in enumerate(self.columns) if column.kind is Kind.LIST]
        found = []
        for row in rows:
            values = list(fields(row))
            for at in times:
                ms = values[at]
                values[at] = time(ms) if ms else None
            for at in lists:
                values[at] = msgspec.json.encode(values[at]).decode()
            found.append(values)
        return found


_CLICKHOUSE_TYPES: Final = {
    Kind.TEXT: "String",
    Kind.NAME: "LowCardinality(String)",
    Kind.LONG: "Int64",
    Kind.FLAG: "Bool",
    Kind.LIST: "String",
    Kind.TIME: "DateTime64(3, 'UTC')",
    Kind.MAYBE: "Nullable(DateTime64(3, 'UTC'))",
}


def clickhouse_ddl(table: Table) -> str:
    """Return the statement that makes ``table`` where it is not."""
    lines = [f"{column.name} {_CLICKHOUSE_TYPES[column.kind]}" for column in table.columns]
    earliness = f"({FAR_MS} - toUnixTimestamp64Milli({table.columns[-1].name}))"
    standing = f"bitShiftLeft(toUInt128(version), 64) + {earliness}"
    lines.append(f"standing UInt128 MATERIALIZED {standing}")
    # By the minute first: the newest rows, which are looked up, are in few blocks.
    order = ((f"toStartOfMinute({table.by_time})",) if table.by_time else ()) + table.key
    parts = [
        f"CREATE TABLE IF NOT EXISTS {table.name}\n(\n    " + ",\n    ".join(lines) + "\n)",
        "ENGINE = ReplacingMergeTree(standing)",
        *([f"PARTITION BY toYYYYMM({table.by_time})"] if table.by_time else []),
        f"ORDER BY ({', '.join(order)})",
    ]
    return "\n".join(parts)
