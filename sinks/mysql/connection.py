"""Connections to a store that speaks MySQL's protocol, and telling who is at fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR, ER

from sinks.sink import StoreAway

_TIMEOUT_S: Final = 10

_AWAY: Final = frozenset(
    {
        0,  # pymysql: the connection is closed
        CR.CR_CONNECTION_ERROR,
        CR.CR_CONN_HOST_ERROR,
        CR.CR_SERVER_GONE_ERROR,
        CR.CR_SERVER_LOST,
        ER.CON_COUNT_ERROR,
        ER.SERVER_SHUTDOWN,
        ER.NORMAL_SHUTDOWN,
        ER.LOCK_WAIT_TIMEOUT,
        ER.LOCK_DEADLOCK,
        ER.OPTION_PREVENTS_STATEMENT,  # it is read-only: fail-over is under way
        1927,  # MariaDB: the connection was killed
        8027,  # TiDB: the schema is out of date, as while a DDL runs
        8028,  # TiDB: the schema changed meanwhile
        9001,  # TiDB: its placement driver does not answer in time
        9002,  # TiDB: its store does not answer in time
        9003,  # TiDB: its store is busy
        9005,  # TiDB: a region is not available
        9007,  # TiDB: a write conflict
    }
)
"""Errors after which the same write may succeed; all others are somebody's mistake."""


def connect(url: str) -> Connection:
    """Connect to ``mysql://user:password@host:port/database``. Raises StoreAway.

    Sessions are in UTC and strict (a value that does not fit is an error, never cut), and read what
    is committed: without gap locks, writers of different orders do not wait for each other.
    """
    address = urlsplit(url)
    with telling():
        connection = pymysql.connect(
            host=address.hostname or "127.0.0.1",
            port=address.port or 3306,
            user=unquote(address.username or ""),
            password=unquote(address.password or ""),
            database=address.path.lstrip("/") or None,
            charset="utf8mb4",
            connect_timeout=_TIMEOUT_S,
            read_timeout=6 * _TIMEOUT_S,
            write_timeout=6 * _TIMEOUT_S,
            init_command="SET time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES'",
        )
        with connection.cursor() as cursor:
            # Its variable's name differs from store to store; the statement does not.
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return connection


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Raise StoreAway for errors of pymysql after which the same may succeed later."""
    try:
        yield
    except pymysql.MySQLError as error:
        code = error.args[0] if error.args else 0
        if code in _AWAY or (isinstance(error, pymysql.InterfaceError) and not code):
            raise StoreAway(f"the MySQL server: {error}") from error
        raise
