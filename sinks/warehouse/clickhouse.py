"""Writes facts to ClickHouse: one INSERT per table and batch.

A batch that is written twice leaves rows of the same key and version, of which one stands; so an
insert token would only save space until the next merge, and none is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from schemas.record import Record
from schemas.topics import Topic
from sinks.batches import RECORDS, TOPICS, Batcher, Placed
from sinks.orders import OrderRow
from sinks.sink import Fact, StoreAway
from sinks.warehouse import reports
from sinks.warehouse.reports import reported
from sinks.warehouse.table import Kind, Table, clickhouse_ddl
from sinks.warehouse.tables import FACT_TABLES, ORDERS, SKU_TABLES, TABLES, filled, order_row

_TIMEOUT_S: Final = 10
_DATABASE: Final = "orderstream"
_KEYS_PER_DELETE: Final = 500  # ~25 bytes each: they are part of the URL

_AWAY: Final = frozenset(
    {
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED: it shuts down
        241,  # MEMORY_LIMIT_EXCEEDED: by all that runs now
        242,  # TABLE_IS_READ_ONLY: its keeper is away
        252,  # TOO_MANY_PARTS: merges have to catch up
        319,  # UNKNOWN_STATUS_OF_INSERT
        999,  # KEEPER_EXCEPTION
    }
)
"""ClickHouse's errors after which the same write may succeed; all others are a mistake."""

_WRITE: Final = {
    # Seconds with decimals; "best_effort" would take them for something else.
    "date_time_input_format": "basic",
}

_lines = msgspec.json.Encoder().encode_lines


class ClickHouseSink:
    """The sink of a ClickHouse at ``http://user:password@host:port/database``."""

    name = "clickhouse"
    topics: tuple[Topic, ...] = (*TOPICS, *reports.TOPICS)
    records: frozenset[type[Record]] = RECORDS | reports.RECORDS

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._batcher = Batcher(self._load)

    def write(self, facts: Sequence[Fact]) -> None:
        """Insert the rows of ``facts``; raises StoreAway."""
        of_stages, of_flows = reports.split(facts)
        batch = self._batcher.batch(of_stages)
        self._put([*filled(batch), *reported(of_flows)])
        self._batcher.written(batch)

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[Sequence[Any]]:
        """Return the rows of a query; raises StoreAway."""
        with self._connected() as client:
            return list(client.query(sql, parameters=parameters).result_rows)

    def forget(self, orders: Sequence[str], skus: Sequence[int]) -> None:
        """Delete all facts of ``orders`` and of ``skus``, to write them anew. Raises StoreAway."""
        with self._connected() as client:
            for table in FACT_TABLES:
                is_of_sku = table in SKU_TABLES
                keys: Sequence[Any] = skus if is_of_sku else orders
                where = (
                    "sku_id IN {keys:Array(Int64)}"
                    if is_of_sku
                    else "order_no IN {keys:Array(String)}"
                )
                for start in range(0, len(keys), _KEYS_PER_DELETE):
                    part = list(keys[start : start + _KEYS_PER_DELETE])
                    client.command(
                        f"DELETE FROM {table.name} WHERE {where}", parameters={"keys": part}
                    )

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close()
            self._client = None

    def _put(self, written: Iterable[tuple[Table, list[Any]]]) -> None:
        with self._connected() as client:
            for table, rows in written:
                # The engine reads JSON several times faster than a client makes its own format.
                client.raw_insert(
                    table.name,
                    [column.name for column in table.columns],
                    _lines(table.values(rows, _seconds)),
                    settings=_WRITE,
                    fmt="JSONCompactEachRow",
                )

    def _load(self, order_nos: Sequence[str], placed: Placed | None) -> Iterator[OrderRow]:
        within = ""
        parameters: dict[str, Any] = {"keys": list(order_nos)}
        if placed is not None:
            within = (
                "placed_at BETWEEN fromUnixTimestamp64Milli({first:Int64}) "
                "AND fromUnixTimestamp64Milli({last:Int64}) AND "
            )
            parameters |= {"first": placed.first_ms, "last": placed.last_ms}
        where = f"{within}order_no IN {{keys:Array(String)}}"
        sql = f"SELECT {_ORDER_COLUMNS} FROM orders FINAL WHERE {where}"
        yield from map(order_row, self.query(sql, parameters))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Client]:
        if self._client is None:
            self._client = connect(self._url)
        try:
            with telling():
                yield self._client
        except BaseException:
            self.close()
            raise


_ORDER_COLUMNS: Final = ", ".join(
    f"toUnixTimestamp64Milli({column.name})"
    if column.kind in (Kind.TIME, Kind.MAYBE)
    else column.name
    for column in ORDERS.columns
)


def _seconds(ms: int) -> float:
    return ms / 1000


def connect(url: str) -> Client:
    """Connect, and make database and tables where they are not. Raises StoreAway."""
    address = urlsplit(url)
    database = address.path.strip("/") or _DATABASE
    with telling():
        client = clickhouse_connect.get_client(
            host=address.hostname or "127.0.0.1",
            port=address.port or 8123,
            interface=address.scheme,
            username=unquote(address.username or "default"),
            password=unquote(address.password or ""),
            connect_timeout=_TIMEOUT_S,
            send_receive_timeout=6 * _TIMEOUT_S,
            # Several threads may ask at once, and nothing is kept between two questions.
            autogenerate_session_id=False,
            compress=False,
        )
        client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        client.database = database
        for table in TABLES:
            client.command(clickhouse_ddl(table))
    return client


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Raise StoreAway for errors after which the same may succeed later."""
    try:
        yield
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        # Without a code no ClickHouse answered: the connection broke, or something in between did.
        if code in _AWAY or (code is None and isinstance(error, OperationalError)):
            raise StoreAway(f"ClickHouse: {error}") from error
        raise
    except OSError as error:
        raise StoreAway(f"ClickHouse: {error}") from error
