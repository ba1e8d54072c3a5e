"""The ledger and the warehouse under the contract of sinks, on their real servers."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest

from deploy.stack import Endpoints
from sinks.mysql import migrate, rows
from sinks.mysql.connection import connect
from sinks.mysql.sink import LedgerSink
from sinks.sink import Sink
from sinks.warehouse.clickhouse import ClickHouseSink
from sinks.warehouse.tables import TABLES
from tests.contracts.reports import report_log
from tests.contracts.sinks import Log, SinkContract

_DATABASE = "contract"


def _at(url: str, host: str, port: int) -> str:
    """Return ``url`` with another host and port, and the database of these tests."""
    parts = urlsplit(url)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{user}{host}:{port}/{_DATABASE}"


class TestLedger(SinkContract):
    @pytest.fixture(autouse=True)
    def _store(self, stack: Endpoints) -> None:
        self.url = stack.mysql
        with connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {_DATABASE}")
        self.own = _at(self.url, *self.address())
        with connect(self.own) as connection:
            migrate.migrate(connection)

    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 3306

    def make(self, host: str, port: int) -> Sink:
        return LedgerSink(_at(self.url, host, port))

    def dump(self) -> Any:
        with connect(self.own) as connection, connection.cursor() as cursor:
            return [self._rows(cursor, f"SELECT * FROM {table.name}") for table in rows.TABLES]

    def clear(self) -> None:
        with connect(self.own) as connection, connection.cursor() as cursor:
            for table in rows.TABLES:
                cursor.execute(f"TRUNCATE {table.name}")

    def _rows(self, cursor: Any, sql: str) -> list[Any]:
        cursor.execute(sql)
        return sorted(cursor.fetchall(), key=str)


def test_a_migration_is_applied_once_and_may_not_change_afterwards(stack: Endpoints) -> None:
    first = migrate.Migration(1, "one", "CREATE TABLE IF NOT EXISTS t_one (a INT);")
    second = migrate.Migration(2, "two", "ALTER TABLE t_one ADD COLUMN b INT;")
    with connect(stack.mysql) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS migrated")
        cursor.execute("CREATE DATABASE migrated")
        cursor.execute("USE migrated")
        assert [one.applied for one in migrate.standing(connection, [first])] == [None]
        (applied,) = migrate.migrate(connection, [first])
        again = migrate.migrate(connection, [first, second])
        assert again[0] == applied
        assert again == migrate.migrate(connection, [first, second])
        with pytest.raises(migrate.MigrationRefused, match="changed"):
            migrate.migrate(connection, [first._replace(sql="CREATE TABLE t_2 (a INT);"), second])
        with pytest.raises(migrate.MigrationRefused, match="older"):
            migrate.migrate(connection, [first])


class TestClickHouse(SinkContract):
    few = 20

    @pytest.fixture(autouse=True)
    def _store(self, stack: Endpoints) -> None:
        self.url = stack.clickhouse
        self.own = _at(self.url, *self.address())
        ClickHouseSink(self.own).query("SELECT 1")  # which makes the tables

    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 8123

    def make(self, host: str, port: int) -> Sink:
        return ClickHouseSink(_at(self.url, host, port))

    def dump(self) -> Any:
        with self._client() as client:
            queries = [f"SELECT * FROM {table.name} FINAL" for table in TABLES]
            return [sorted(client.query(sql).result_rows, key=str) for sql in queries]

    def clear(self) -> None:
        with self._client() as client:
            for table in TABLES:
                client.command(f"TRUNCATE TABLE {table.name}")

    def _client(self) -> Any:
        host, port = self.address()
        user = urlsplit(self.url).username or "default"
        client = clickhouse_connect.get_client(
            host=host, port=port, username=user, database=_DATABASE
        )
        return contextlib.closing(client)


class TestClickHouseReports(TestClickHouse):
    """What flows make, fed alone: each table that a batch is for costs tens of milliseconds."""

    few = 50

    def log(self) -> Log:
        return report_log()
