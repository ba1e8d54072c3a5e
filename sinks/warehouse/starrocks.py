"""Writes facts to StarRocks by Stream Load, and says what its tables and views are.

Primary Key tables with a merge condition keep the same row that ClickHouse keeps, at once: a query
needs no FINAL.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pymysql

from schemas.record import Record
from schemas.topics import Topic
from sinks.batches import RECORDS, TOPICS, Batcher, Load, Placed
from sinks.orders import OrderRow
from sinks.sink import Fact, StoreAway
from sinks.warehouse import reports
from sinks.warehouse.reports import reported
from sinks.warehouse.stream_load import StreamLoad
from sinks.warehouse.table import Kind, Table
from sinks.warehouse.tables import ORDERS, TABLES, filled, order_row

_QUERY_PORT: Final = 9030
_TIMEOUT_S: Final = 10
_LABEL_CHARACTERS: Final = 128
_HOURS_KEPT: Final = 7 * 24  # as long as Kafka keeps the facts
_HOURS_AHEAD: Final = 3

BUCKETS: Final = 8
"""Of a partition: one per core of a small cluster; ~1 GB each at 1,000 orders/s a day."""

_TYPES: Final = {
    Kind.TEXT: "VARCHAR(65533)",
    Kind.NAME: "VARCHAR(255)",
    Kind.LONG: "BIGINT",
    Kind.FLAG: "BOOLEAN",
    Kind.LIST: "VARCHAR(65533)",
    Kind.TIME: "DATETIME",
    Kind.MAYBE: "DATETIME",
}

VIEWS: Final = {
    "gmv_by_minute": (
        "SELECT shop_id, currency, date_trunc('minute', paid_at) AS minute, COUNT(*) AS orders, "
        "SUM(paid_fen) AS gmv_fen, SUM(refunded_fen) AS refunded_fen, "
        "MAX(updated_at) AS fresh_until "
        "FROM orders WHERE paid_at IS NOT NULL "
        "GROUP BY shop_id, currency, date_trunc('minute', paid_at)"
    ),
    "funnel_by_hour": (
        "SELECT shop_id, date_trunc('hour', placed_at) AS hour, COUNT(*) AS placed, "
        "COUNT(created_at) AS created, COUNT(paid_at) AS paid, COUNT(shipped_at) AS shipped, "
        "COUNT(completed_at) AS completed, "
        "SUM(CASE WHEN refunded_fen > 0 THEN 1 ELSE 0 END) AS refunded, "
        "MAX(updated_at) AS fresh_until "
        "FROM orders GROUP BY shop_id, date_trunc('hour', placed_at)"
    ),
    "stock_by_sku": (
        "SELECT shop_id, sku_id, SUM(on_hand) AS on_hand, SUM(held) AS held, "
        "SUM(available) AS available, MAX(at) AS fresh_until "
        "FROM stock_levels GROUP BY shop_id, sku_id"
    ),
}
"""Materialized views, refreshed every 10 s."""


class StarRocksSink:
    """The sink of ``http://user:password@frontend:8030/database?query_port=9030``.

    ``load``: where rows of earlier orders come from, if not from the frontend's query port.
    """

    name = "starrocks"
    topics: tuple[Topic, ...] = (*TOPICS, *reports.TOPICS)
    records: frozenset[type[Record]] = RECORDS | reports.RECORDS

    def __init__(self, url: str, load: Load | None = None) -> None:
        self._url = url
        self._loads = StreamLoad(url)
        self._batcher = Batcher(load or self._load)

    def write(self, facts: Sequence[Fact]) -> None:
        """Load the rows of ``facts``; raises StoreAway, and LoadRefused."""
        of_stages, of_flows = reports.split(facts)
        batch = self._batcher.batch(of_stages)
        self._put([*filled(batch), *reported(of_flows)], facts)
        self._batcher.written(batch)

    def prepare(self) -> None:
        """Make database, tables and views where they are not; raises StoreAway."""
        database = urlsplit(self._url).path.strip("/")
        with self._queried(None) as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            cursor.execute(f"USE `{database}`")
            for statement in ddl():
                cursor.execute(statement)

    def close(self) -> None:
        """Nothing is kept open between two loads."""

    def _put(self, written: Iterable[tuple[Table, list[Any]]], facts: Sequence[Fact]) -> None:
        for table, rows in written:
            names = [*(column.name for column in table.columns), "standing"]
            # A number of 128 bits goes as text: JSON's readers stop at 64.
            loaded = [
                dict(zip(names, [*values, str(table.standing(row))], strict=True))
                for row, values in zip(rows, table.values(rows, _time), strict=True)
            ]
            self._loads.put(
                table.name, label(table.name, facts), msgspec.json.encode(loaded), "standing"
            )

    def _load(self, order_nos: Sequence[str], _placed: Placed | None) -> Iterator[OrderRow]:
        names = ", ".join(column.name for column in ORDERS.columns)
        places = ",".join(["%s"] * len(order_nos))
        sql = f"SELECT {names} FROM orders WHERE order_no IN ({places})"
        with self._queried(urlsplit(self._url).path.strip("/")) as cursor:
            cursor.execute(sql, list(order_nos))
            for row in cursor.fetchall():
                yield order_row(map(_plain, row))

    @contextlib.contextmanager
    def _queried(self, database: str | None) -> Iterator[Any]:
        address = urlsplit(self._url)
        port = parse_qs(address.query).get("query_port", [str(_QUERY_PORT)])[0]
        try:
            with (
                pymysql.connect(
                    host=address.hostname or "127.0.0.1",
                    port=int(port),
                    user=unquote(address.username or "root"),
                    password=unquote(address.password or ""),
                    database=database,
                    connect_timeout=_TIMEOUT_S,
                    autocommit=True,
                ) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SET time_zone = 'UTC'")
                yield cursor
        except (pymysql.OperationalError, pymysql.InterfaceError) as error:
            raise StoreAway(f"StarRocks: {error}") from error


def label(table: str, facts: Sequence[Fact]) -> str:
    """Name the load of ``facts`` by topic, partition and range of offsets: again, the same name."""
    ranges: dict[tuple[str, int], tuple[int, int]] = {}
    for fact in facts:
        first, last = ranges.get((fact.topic, fact.partition), (fact.offset, fact.offset))
        ranges[fact.topic, fact.partition] = min(first, fact.offset), max(last, fact.offset)
    parts = [
        f"{topic.replace('.', '_')}-{partition}-{first}-{last}"
        for (topic, partition), (first, last) in sorted(ranges.items())
    ]
    name = "-".join([table, *parts])
    if len(name) <= _LABEL_CHARACTERS:
        return name
    return f"{table}-{hashlib.sha256(name.encode()).hexdigest()}"


def ddl() -> list[str]:
    """Return the statements that make tables and views where they are not."""
    return [*map(table_ddl, TABLES), *(view_ddl(name) for name in VIEWS)]


def table_ddl(table: Table) -> str:
    """Return the statement that makes ``table``.

    Tables with a time that never changes have a partition for each hour; those of one group are
    colocated: they are spread by the same column into as many buckets.
    """
    key = table.full_key
    columns = {column.name: _TYPES[column.kind] for column in table.columns}
    columns["standing"] = "LARGEINT"
    # The key comes first; VARCHARs of a key take part in its length.
    names = [*key, *(name for name in columns if name not in key)]
    lines = [f"{name} {columns[name]}{' NOT NULL' if name in key else ''}" for name in names]
    properties = {}
    if table.together:
        properties["colocate_with"] = table.together
    if table.by_time:
        properties |= {
            "dynamic_partition.enable": "true",
            "dynamic_partition.time_unit": "HOUR",
            "dynamic_partition.time_zone": "UTC",
            "dynamic_partition.start": str(-_HOURS_KEPT),
            "dynamic_partition.end": str(_HOURS_AHEAD),
            "dynamic_partition.history_partition_num": str(_HOURS_KEPT),
            "dynamic_partition.prefix": "p",
            "dynamic_partition.buckets": str(BUCKETS),
        }
    parts = [
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n    " + ",\n    ".join(lines) + "\n)",
        "ENGINE = OLAP",
        f"PRIMARY KEY ({', '.join(key)})",
        *([f"PARTITION BY RANGE({table.by_time}) ()"] if table.by_time else []),
        f"DISTRIBUTED BY HASH({table.bucket}) BUCKETS {BUCKETS}",
    ]
    if properties:
        listed = ", ".join(f'"{name}" = "{value}"' for name, value in properties.items())
        parts.append(f"PROPERTIES ({listed})")
    return "\n".join(parts)


def view_ddl(name: str) -> str:
    """Return the statement that makes a materialized view."""
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}\n"
        "DISTRIBUTED BY HASH(shop_id)\n"
        "REFRESH ASYNC START('2026-01-01 00:00:00') EVERY (INTERVAL 10 SECOND)\n"
        f"AS {VIEWS[name]}"
    )


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M:%S}.{ms % 1000:03}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=UTC).timestamp() * 1000)
    return value
