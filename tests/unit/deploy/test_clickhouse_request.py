"""What is asked of the embedded ClickHouse, as its clients ask it."""

from __future__ import annotations

import gzip
from urllib.parse import urlencode

import cramjam
import pytest

from deploy.clickhouse_request import BadRequest, Request, parse


def asked(
    body: bytes = b"", method: str = "POST", headers: dict[str, str] | None = None, **url: str
) -> Request:
    return parse(method, urlencode(url).encode(), headers or {}, body)


def test_a_statement_is_the_query_of_the_url_and_then_the_body() -> None:
    assert asked(b"SELECT 1").statement == b"SELECT 1"
    assert asked(query="SELECT 2").statement == b"SELECT 2"
    request = asked(b"(1, 'a')", query="INSERT INTO t VALUES")
    assert (request.statement, request.data) == (b"INSERT INTO t VALUES\n(1, 'a')", None)


def test_the_data_of_an_insert_follow_its_format() -> None:
    whole = asked(b"INSERT INTO `t` (`a`, `b`) FORMAT Native\n\x01\n\x02 FORMAT")
    apart = asked(b"\x01\n\x02 FORMAT", query="INSERT INTO `t` (`a`, `b`) FORMAT Native")
    for request in (whole, apart):
        assert request.statement == b"INSERT INTO `t` (`a`, `b`)"
        assert (request.format, request.data) == ("Native", b"\x01\n\x02 FORMAT")


def test_an_insert_may_have_settings_before_its_format() -> None:
    request = asked(b'INSERT INTO db.t SETTINGS max_threads=1 FORMAT JSONEachRow {"a":1}')
    assert request.statement == b"INSERT INTO db.t SETTINGS max_threads=1"
    assert (request.format, request.data) == ("JSONEachRow", b'{"a":1}')


def test_an_insert_from_a_query_or_of_values_is_complete() -> None:
    for statement in (b"INSERT INTO t SELECT 1", b"INSERT INTO t (a) VALUES ('x FORMAT CSV y')"):
        assert asked(statement).data is None
        assert asked(statement).statement == statement


@pytest.mark.parametrize(
    ("statement", "format_"),
    [
        (b"SELECT 1", "TabSeparated"),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1\n format Native;\n", "Native"),
        (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        (b"SELECT 'FORMAT JSON'", "TabSeparated"),
    ],
)
def test_an_answer_has_the_format_that_the_statement_names(statement: bytes, format_: str) -> None:
    assert asked(statement).format == format_


def test_else_the_format_of_the_header_or_of_the_url() -> None:
    assert asked(b"SELECT 1", default_format="CSV").format == "CSV"
    assert asked(b"SELECT 1", headers={"x-clickhouse-format": "JSON"}).format == "JSON"


def test_url_parameters_are_settings_unless_they_mean_something_else() -> None:
    request = asked(
        b"SELECT {x:Int8}",
        database="shop",
        param_x="7",
        max_threads="2",
        session_id="s",
        query_id="q",
        wait_end_of_query="1",
        client_protocol_version="54405",
    )
    assert request.settings == (("max_threads", "2"),)
    assert request.parameters == {"x": "7"}
    assert (request.database, request.session, request.query_id) == ("shop", "s", "q")


def test_get_changes_nothing() -> None:
    assert ("readonly", "2") in asked(method="GET", query="SELECT 1").settings


def test_the_body_may_be_compressed() -> None:
    for name, data in (
        ("gzip", gzip.compress(b"SELECT 1")),
        ("lz4", bytes(cramjam.lz4.compress(b"SELECT 1"))),
        ("zstd", bytes(cramjam.zstd.compress(b"SELECT 1"))),
    ):
        assert asked(data, headers={"content-encoding": name}).statement == b"SELECT 1"


def test_a_form_holds_a_query_and_its_parameters() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT {x:String}\r\n'
        b'--b\r\nContent-Disposition: form-data; name="param_x"\r\n\r\nlong\r\n--b--\r\n'
    )
    request = asked(body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert (request.statement, request.parameters) == (b"SELECT {x:String}", {"x": "long"})


@pytest.mark.parametrize(
    ("body", "headers", "url"),
    [
        (b"", {}, {}),
        (b"SELECT 1", {"content-encoding": "rot13"}, {}),
        (b"not gzip", {"content-encoding": "gzip"}, {}),
        (b"SELECT 1", {}, {"decompress": "1"}),
        (b"SELECT 1", {}, {"max_threads = 1, x": "1"}),
    ],
)
def test_what_is_not_of_the_protocol_is_refused(
    body: bytes, headers: dict[str, str], url: dict[str, str]
) -> None:
    with pytest.raises(BadRequest):
        parse("POST", urlencode(url).encode(), headers, body)


def test_what_later_statements_would_see_is_told_from_what_they_would_not() -> None:
    assert asked(b"SET max_threads = 1").lingers
    assert asked(b"CREATE TEMPORARY TABLE t (a Int8)").lingers
    assert not asked(b"SELECT 1").lingers
