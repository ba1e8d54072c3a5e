"""Brings the ledger's tables to what this code needs, by SQL files that are applied once.

``t_schema_version`` says what was applied, with each file's checksum: a file that changed after it
was applied is an error, for nobody could tell what the tables look like. DDL commits by itself in
MySQL, so a file that fails half-way is applied again as a whole: its statements are written to
bear that (``IF NOT EXISTS``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from sinks.mysql.connection import telling

FOLDER: Final = Path(__file__).parent / "migrations"

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_PARTITIONED = re.compile(r"/\*partitioned (.*?)\*/", re.DOTALL)
_LOCK: Final = "orderstream-migrate"
_LOCK_WAIT_S: Final = 60
_JOURNAL: Final = """\
CREATE TABLE IF NOT EXISTS t_schema_version (
  version      INT          NOT NULL PRIMARY KEY,
  name         VARCHAR(64)  NOT NULL,
  checksum     CHAR(64)     NOT NULL COMMENT 'SHA-256 of the file',
  applied_time DATETIME(3)  NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


class MigrationRefused(Exception):
    """The tables are not what the files say, or somebody else is migrating; the message says."""


class Migration(NamedTuple):
    """A file: its number, its name and its text."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class Standing(NamedTuple):
    """A migration, and when it was applied (UTC); None: it is still to come."""

    version: int
    name: str
    applied: datetime | None


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return the files of ``folder``, in order; raises ValueError unless they are 1, 2, 3 ..."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        name = _FILE.fullmatch(path.name)
        if name is None or int(name[1]) != len(found) + 1:
            raise ValueError(f"{path.name}: migrations are 0001_name.sql, 0002_name.sql ...")
        found.append(Migration(int(name[1]), name[2], path.read_text()))
    return found


def statements(sql: str, *, partitioned: bool) -> list[str]:
    """Return the statements of a file: each ends with a semicolon at the end of a line."""
    text = "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    text = _PARTITIONED.sub(r"\1" if partitioned else "", text)
    parts = re.split(r";[ \t]*(?:\n|$)", text)
    return [part.strip() for part in parts if part.strip()]


def standing(connection: Connection, known: list[Migration] | None = None) -> list[Standing]:
    """Return what is applied and what is to come; changes nothing.

    Raises MigrationRefused when what was applied is not what the files say, StoreAway.
    """
    known = migrations() if known is None else known
    with telling(), connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE 't\\_schema\\_version'")
        applied = dict(_applied(cursor)) if cursor.fetchone() else {}
        connection.commit()
    _compare(known, applied)
    return [
        Standing(one.version, one.name, applied[one.version][1] if one.version in applied else None)
        for one in known
    ]


def migrate(
    connection: Connection, known: list[Migration] | None = None, *, partitioned: bool = False
) -> list[Standing]:
    """Apply what is to come; return where everything stands then.

    Raises MigrationRefused, StoreAway, and pymysql's errors when a statement is wrong.
    """
    known = migrations() if known is None else known
    with telling(), connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", (_LOCK, _LOCK_WAIT_S))
        if cursor.fetchone() != (1,):
            raise MigrationRefused("somebody else is migrating this database; try again later")
        try:
            cursor.execute(_JOURNAL)
            for one in standing(connection, known):
                if one.applied is None:
                    _apply(cursor, known[one.version - 1], partitioned)
                    connection.commit()
        finally:
            cursor.execute("SELECT RELEASE_LOCK(%s)", (_LOCK,))
    return standing(connection, known)


def _apply(cursor: Cursor, migration: Migration, partitioned: bool) -> None:
    for statement in statements(migration.sql, partitioned=partitioned):
        cursor.execute(statement)
    cursor.execute(
        "INSERT INTO t_schema_version VALUES (%s, %s, %s, UTC_TIMESTAMP(3))",
        (migration.version, migration.name, migration.checksum),
    )


def _applied(cursor: Cursor) -> Iterator[tuple[int, tuple[str, datetime]]]:
    cursor.execute("SELECT version, checksum, applied_time FROM t_schema_version")
    for version, checksum, applied in cursor.fetchall():
        yield version, (checksum, applied)


def _compare(known: list[Migration], applied: dict[int, tuple[str, datetime]]) -> None:
    files = {one.version: one for one in known}
    for version, (checksum, _) in sorted(applied.items()):
        if version not in files:
            raise MigrationRefused(
                f"migration {version} was applied and is not known here: this code is older than "
                "the tables"
            )
        if files[version].checksum != checksum:
            raise MigrationRefused(
                f"migration {version} ({files[version].name}) changed after it was applied: undo "
                "the change and put it into a new file"
            )
