"""The embedded ClickHouse, asked as a ClickHouse server is asked."""

from __future__ import annotations

import contextlib
import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from deploy import stack as embedded
from deploy.clickhouse import ClickHouse
from deploy.errors import NotReadyError
from deploy.settings import DeploySettings
from deploy.stack import Endpoints, Options, running

_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)  # DateTime has no zone
_ROWS = [[n, f"row {n}", _AT] for n in range(5_000)]


def client_of(url: str, **options: Any) -> Any:
    parts = urlsplit(url)
    return clickhouse_connect.get_client(
        host=parts.hostname or "",
        port=parts.port or 8123,
        username=parts.username or "default",
        **options,
    )


def wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return ClickHouse().answers(url, 1)
        except NotReadyError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def client(stack: Endpoints) -> Iterator[Any]:
    """A client as users make it: with sessions, and with compression."""
    with contextlib.closing(client_of(stack.clickhouse)) as client:
        client.command("CREATE DATABASE IF NOT EXISTS served")
        client.command("DROP TABLE IF EXISTS served.t")
        client.database = "served"
        client.command(
            "CREATE TABLE t (n UInt32, s String, at DateTime) ENGINE = MergeTree ORDER BY n"
        )
        yield client


def test_rows_come_back_as_they_were_inserted(client: Any) -> None:
    client.insert("t", _ROWS, column_names=["n", "s", "at"])
    assert client.query("SELECT * FROM t ORDER BY n").result_rows == [tuple(row) for row in _ROWS]
    assert client.query_df("SELECT sum(n) AS total FROM t").total[0] == sum(range(5_000))


def test_parameters_settings_and_sessions(client: Any) -> None:
    found = client.query("SELECT {x:UInt8} + 1, {s:String}", parameters={"x": 1, "s": "it's"})
    assert found.result_rows == [(2, "it's")]
    assert client.command("SELECT getSetting('max_threads')", settings={"max_threads": 3}) == 3
    client.command("SET max_block_size = 77")
    assert client.command("SELECT getSetting('max_block_size')") == 77


def test_an_error_has_its_code_and_its_name(client: Any) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER") as caught:
        client.query("SELECT nothing FROM t")
    assert caught.value.code == 47


def test_plain_http_is_answered_in_the_format_that_was_asked_for(stack: Endpoints) -> None:
    parts = urlsplit(stack.clickhouse)
    query = urlencode({"query": "SELECT 1 AS one", "default_format": "JSON"})
    with urllib.request.urlopen(f"http://{parts.netloc}/?{query}", timeout=30) as answer:
        assert json.load(answer)["data"] == [{"one": 1}]
        assert answer.headers["X-ClickHouse-Format"] == "JSON"


def test_what_was_inserted_survives_a_kill(tmp_path: Path) -> None:
    settings = DeploySettings(clickhouse=None)
    with running(Options(servers=("clickhouse",), data_dir=tmp_path, settings=settings)) as there:
        with contextlib.closing(client_of(there.clickhouse)) as client:
            client.command("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
            client.insert("t", [[1], [2]], column_names=["n"])
        (state,) = embedded.status(tmp_path)
        assert state.process is not None
        state.process.signal(signal.SIGKILL)
        assert state.process.wait_gone(10)
        wait_until_it_answers(there.clickhouse)
        with contextlib.closing(client_of(there.clickhouse)) as client:
            assert client.command("SELECT sum(n) FROM t") == 3
