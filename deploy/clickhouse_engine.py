"""The one owner of a chDB folder: runs statements, a few at a time, within a limit of memory."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from chdb._exceptions import ChdbError
from chdb.state.sqlitelike import Connection

from deploy.clickhouse_request import Request

_MB: Final = 1_000_000
_ENGINE_OPTIONS: Final = {
    # Of all queries and merges together; the engine itself comes on top of it (about 250 MB).
    "max_server_memory_usage": 1_500 * _MB,
    # Marks of 64 MB serve tables of some hundred million rows; the engine would take 5 GB.
    "mark_cache_size": 64 * _MB,
    "index_mark_cache_size": 16 * _MB,
}
_LIMITS: Final = {
    "max_memory_usage": 600 * _MB,
    # Larger ones go through files instead.
    "max_bytes_before_external_group_by": 300 * _MB,
    "max_bytes_before_external_sort": 300 * _MB,
    # An answer is held as a whole before it is sent.
    "max_result_bytes": 256 * _MB,
}
"""Settings of every connection; a request may set others for itself."""

_CONNECTIONS_KEPT: Final = 32

_CODE = re.compile(r"Code: (\d+)\.")

_Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]


class Refused(Exception):
    """The engine's own error; ``code`` is ClickHouse's number of it, 1002 when it has none."""

    def __init__(self, message: str) -> None:
        found = _CODE.search(message)
        self.code = int(found[1]) if found else 1002
        super().__init__(message[found.start() :] if found else message)


class Answer(NamedTuple):
    """The body of an answer, and what it took: rows and bytes read, or written by an INSERT."""

    body: bytes
    rows: int
    size: int
    elapsed_s: float


class Engine:
    """A chDB folder. Statements of several threads run side by side, each on its connection.

    A connection costs 4 ms, and has a database and settings of its own: it is kept for the next
    request that wants the same. A session's are kept as long as there are few.
    """

    def __init__(self, folder: Path, database: str) -> None:
        options = "&".join(f"{name}={value}" for name, value in _ENGINE_OPTIONS.items())
        self._address = str(folder.resolve())
        # The engine lives, with these options, as long as one connection does.
        self._first = Connection(f"{self._address}?{options}")
        self._first.query(f"CREATE DATABASE IF NOT EXISTS {_name(database)}")
        self._lock = threading.Lock()
        self._idle: OrderedDict[_Key, list[Connection]] = OrderedDict()
        self.version = (
            self._first.query("SELECT version()", "TabSeparated").bytes().decode().strip()
        )

    def run(self, request: Request) -> Answer:
        """Return the answer to ``request``; raises Refused."""
        key = (request.session, request.database, request.settings)
        connection = self._take(key)
        try:
            answer = _run(connection, request)
        except BaseException:
            connection.close()
            raise
        if request.lingers and not request.session:
            connection.close()
        else:
            self._give(key, connection)
        return answer

    def close(self) -> None:
        """Close the folder. No statement may be running."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        self._first.close()

    def _take(self, key: _Key) -> Connection:
        with self._lock:
            idle = self._idle.pop(key, None)
            if idle:
                connection = idle.pop()
                if idle:
                    self._idle[key] = idle
                return connection
        _, database, settings = key
        connection = Connection(self._address)
        try:
            _set(connection, _LIMITS.items())
            if database:
                connection.query(f"USE {_name(database)}")
            _set(connection, settings)
        except ChdbError as error:
            connection.close()
            raise Refused(str(error)) from error
        return connection

    def _give(self, key: _Key, connection: Connection) -> None:
        with self._lock:
            self._idle.setdefault(key, []).append(connection)
            self._idle.move_to_end(key)
            if sum(map(len, self._idle.values())) <= _CONNECTIONS_KEPT:
                return
            oldest, connections = next(iter(self._idle.items()))
            one = connections.pop(0)
            if not connections:
                del self._idle[oldest]
        one.close()


def _run(connection: Connection, request: Request) -> Answer:
    try:
        if request.data is not None:
            insert: Any = connection.send_insert(request.statement.decode(), request.format)
            try:
                insert.append(request.data)
                done = insert.finish()
            finally:
                insert.close()
            return Answer(b"", done.rows_written, done.bytes_written, done.elapsed)
        # Its text may hold strings that are not UTF-8; the engine takes bytes as they are.
        statement: Any = request.statement
        result = connection.query(statement, request.format, params=dict(request.parameters))
    except (ChdbError, RuntimeError) as error:
        raise Refused(str(error)) from error
    return Answer(result.bytes() or b"", result.rows_read(), result.bytes_read(), result.elapsed())


def _set(connection: Connection, settings: Iterable[tuple[str, Any]]) -> None:
    for name, value in settings:
        text = str(value).replace("\\", "\\\\").replace("'", "\\'")
        connection.query(f"SET {name} = '{text}'")


def _name(database: str) -> str:
    return "`" + database.replace("\\", "\\\\").replace("`", "\\`") + "`"
