"""ClickHouse's HTTP protocol as far as requests go: what is asked, of which database, in which way.

https://clickhouse.com/docs/interfaces/http: the statement is ``?query=`` followed by the body; an
INSERT's data follows its ``FORMAT``; ``param_x`` are its parameters; a URL parameter that means
nothing else is a setting.
"""

from __future__ import annotations

import email.parser
import email.policy
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import cramjam

_ENCODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": bytes,
    "identity": bytes,
    "gzip": lambda data: bytes(cramjam.gzip.decompress(data)),
    "deflate": zlib.decompress,
    "lz4": lambda data: bytes(cramjam.lz4.decompress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.decompress(data)),
    "br": lambda data: bytes(cramjam.brotli.decompress(data)),
}

_NO_SETTINGS: Final = frozenset(
    {
        "query",
        "database",
        "default_format",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "user",
        "password",
        "quota_key",
        "role",
        "stacktrace",
        "compress",
        "decompress",
        "buffer_size",
        "close_session",
        "client_protocol_version",
        # What they ask of an answer is always so: it comes as a whole, uncompressed, at its end.
        "wait_end_of_query",
        "enable_http_compression",
        "http_zlib_compression_level",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
    }
)
"""URL parameters that are no settings of the engine."""

_PARAMETER: Final = "param_"
_DEFAULT_FORMAT: Final = "TabSeparated"
_NAME = rb"(?:`[^`]+`|\"[^\"]+\"|[\w.])+"
_INSERT = re.compile(
    rb"\s*(INSERT\s+INTO\s+(?:TABLE\s+)?" + _NAME + rb"\s*(?:\([^()]*\))?"
    rb"(?:\s*SETTINGS\s[^;]*?)?)\s*\bFORMAT\s+(\w+)[ \t]*;?(?:\r?\n)?",
    re.IGNORECASE,
)
_TRAILING_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*(?:SETTINGS\s[^;']*)?[;\s]*$", re.IGNORECASE)
_SETTING = re.compile(r"\w+")
_REMEMBERED = re.compile(rb"\s*(?:SET|USE)\s|.*\bTEMPORARY\b", re.IGNORECASE | re.DOTALL)


class BadRequest(Exception):
    """The request is not one of this protocol."""


class Request(NamedTuple):
    """A statement, and what goes with it.

    ``data`` is what an INSERT puts in, in ``format``; None: the statement is complete. Otherwise
    ``format`` is that of the answer. ``session`` is empty when there is none. ``lingers``: the
    statement changes what later ones of its session see.
    """

    statement: bytes
    format: str
    data: bytes | None
    parameters: Mapping[str, str]
    settings: tuple[tuple[str, str], ...]
    database: str
    session: str
    query_id: str
    lingers: bool


def parse(method: str, query: bytes, headers: Mapping[str, str], body: bytes) -> Request:
    """Return what is asked; ``headers`` are by their lower-case names. Raises BadRequest."""
    asked = dict(parse_qsl(query.decode(), keep_blank_values=True))
    try:
        body = _ENCODINGS[headers.get("content-encoding", "").lower()](body)
    except KeyError as error:
        raise BadRequest(f"Content-Encoding {error} is not known here") from error
    except (zlib.error, cramjam.DecompressionError) as error:
        raise BadRequest(f"the body is not what its Content-Encoding says: {error}") from error
    if asked.get("decompress") == "1":
        raise BadRequest("decompress=1 (ClickHouse's own blocks): use Content-Encoding instead")
    if headers.get("content-type", "").startswith("multipart/form-data"):
        asked |= _form(headers["content-type"], body)
        body = b""
    asked_query = asked.get("query", "").encode()
    text = asked_query + b"\n" + body if asked_query and body else asked_query + body
    if not text.strip():
        raise BadRequest("there is no query, neither in ?query= nor in the body")
    statement, format_, data = _split(
        text, headers.get("x-clickhouse-format") or asked.get("default_format")
    )
    settings = [(name, value) for name, value in asked.items() if _is_setting(name)]
    if method == "GET":
        settings.append(("readonly", "2"))
    return Request(
        statement=statement,
        format=format_,
        data=data,
        parameters={
            name.removeprefix(_PARAMETER): value
            for name, value in asked.items()
            if name.startswith(_PARAMETER)
        },
        settings=tuple(settings),
        database=asked.get("database") or headers.get("x-clickhouse-database") or "",
        session=asked.get("session_id", ""),
        query_id=asked.get("query_id", ""),
        lingers=_REMEMBERED.match(statement[:200]) is not None,
    )


def _split(text: bytes, default_format: str | None) -> tuple[bytes, str, bytes | None]:
    """Return a statement, its format, and the data that follow an INSERT's FORMAT."""
    insert = _INSERT.match(text)
    if insert is not None:
        return insert[1], insert[2].decode(), text[insert.end() :]
    named = _TRAILING_FORMAT.search(text)
    return text, named[1].decode() if named else default_format or _DEFAULT_FORMAT, None


def _is_setting(name: str) -> bool:
    if name in _NO_SETTINGS or name.startswith(_PARAMETER):
        return False
    if not _SETTING.fullmatch(name):
        raise BadRequest(f"{name!r} is no name of a setting")
    return True


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a multipart form."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if part.get_filename() or not isinstance(name, str) or not isinstance(content, bytes):
            raise BadRequest("a form may hold a query and its parameters only: no external data")
        fields[name] = content.decode()
    return fields
