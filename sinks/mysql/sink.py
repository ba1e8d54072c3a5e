"""Writes facts to the ledger: a batch is one transaction of a few statements of many rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pymysql.connections import Connection

from schemas.record import Record
from schemas.topics import Topic
from sinks.batches import RECORDS, TOPICS, Batch, Batcher, Placed
from sinks.mysql.connection import connect, telling
from sinks.mysql.rows import T_INVENTORY_SNAPSHOT, TABLES, order_row, select_orders, upserts
from sinks.orders import OrderRow
from sinks.sink import Fact

SKU_TABLES: Final = (T_INVENTORY_SNAPSHOT,)
"""What is about skus; all other tables are about orders."""

_KEYS_PER_QUERY: Final = 1_000


class LedgerSink:
    """The sink of a store at ``mysql://...`` whose tables are migrated."""

    name = "ledger"
    topics: tuple[Topic, ...] = TOPICS
    records: frozenset[type[Record]] = RECORDS

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._batcher = Batcher(self._load)

    def write(self, facts: Sequence[Fact]) -> None:
        """Commit the rows of ``facts``; raises StoreAway."""
        batch = self._batcher.batch(facts)
        self._put(batch)
        self._batcher.written(batch)

    def forget(self, orders: Sequence[str], skus: Sequence[int]) -> None:
        """Delete all rows of ``orders``, and the movements of ``skus``, to write them anew.

        Raises StoreAway.
        """
        with self._connected() as connection, connection.cursor() as cursor:
            for table in TABLES:
                column = "sku_id" if table in SKU_TABLES else "order_no"
                keys: Sequence[Any] = skus if table in SKU_TABLES else orders
                for part in _parts(keys):
                    places = ",".join(["%s"] * len(part))
                    cursor.execute(f"DELETE FROM {table.name} WHERE {column} IN ({places})", part)
            connection.commit()

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _put(self, batch: Batch) -> None:
        with self._connected() as connection:
            with connection.cursor() as cursor:
                for table, values in upserts(batch):
                    cursor.executemany(table.upsert, values)
            connection.commit()

    def _load(self, order_nos: Sequence[str], _placed: Placed | None) -> Iterator[OrderRow]:
        with self._connected() as connection, connection.cursor() as cursor:
            for part in _parts(order_nos):
                cursor.execute(select_orders(len(part)), part)
                yield from map(order_row, cursor.fetchall())
            connection.commit()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Give the connection; after an error it is given up, and with it what is not committed."""
        if self._connection is None:
            self._connection = connect(self._url)
        try:
            with telling():
                yield self._connection
        except BaseException:
            self.close()
            raise


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[at : at + _KEYS_PER_QUERY]
