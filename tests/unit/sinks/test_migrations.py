"""The files of the ledger's migrations, and what is run of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from sinks.mysql.migrate import migrations, statements
from sinks.mysql.rows import TABLES

SQL = "\n".join(one.sql for one in migrations())


def test_statements_end_with_a_line_and_comments_are_left_out() -> None:
    sql = "-- about; this\nCREATE TABLE a (b INT COMMENT 'x; y');\n\n  -- and;\nDROP TABLE a;\n"
    assert statements(sql, partitioned=False) == [
        "CREATE TABLE a (b INT COMMENT 'x; y')",
        "DROP TABLE a",
    ]


def test_partitions_are_made_only_where_they_are_asked_for() -> None:
    sql = "CREATE TABLE a (b INT)\n/*partitioned PARTITION BY HASH(b) PARTITIONS 4 */;"
    assert statements(sql, partitioned=False) == ["CREATE TABLE a (b INT)"]
    (partitioned,) = statements(sql, partitioned=True)
    assert partitioned.endswith("PARTITION BY HASH(b) PARTITIONS 4")


def test_files_are_numbered_without_a_gap(tmp_path: Path) -> None:
    for name in ("0001_one.sql", "0003_three.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match="0003_three"):
        migrations(tmp_path)


def test_every_column_that_is_written_is_in_its_table() -> None:
    made: dict[str, set[str]] = {}
    for statement in statements(SQL, partitioned=False):
        parsed = sqlglot.parse_one(statement, read="mysql")
        name = next(parsed.find_all(exp.Table)).name
        made[name] = {column.name for column in parsed.find_all(exp.ColumnDef)}
    for table in TABLES:
        assert {column.name for column in table.columns} <= made[table.name]


def test_a_partitioned_table_has_the_column_of_its_partitions_in_its_key() -> None:
    for statement in statements(SQL, partitioned=True):
        if "PARTITION BY HASH(" in statement:
            column = statement.split("PARTITION BY HASH(")[1].split(")")[0]
            key = statement.split("PRIMARY KEY (")[1].split(")")[0]
            assert column in key.split(", ")
