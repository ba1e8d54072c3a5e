"""Serves a chDB folder as a ClickHouse server does, over HTTP on 127.0.0.1.

``python -m deploy.clickhouse_server FOLDER PORT DATABASE`` runs until SIGTERM. It is for one
machine and its owner: no users, no TLS, no native protocol (port 9000), answers of bounded size.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeAlias

import uvicorn

from deploy.clickhouse_engine import Answer, Engine, Refused
from deploy.clickhouse_request import BadRequest, Request, parse

_STATEMENTS_AT_ONCE: Final = 6
_BODY_BYTES: Final = 256 * 1_000_000

_BAD_REQUEST: Final = "36"  # BAD_ARGUMENTS
_STATUSES: Final = {
    46: 404,  # UNKNOWN_FUNCTION
    47: 404,  # UNKNOWN_IDENTIFIER
    60: 404,  # UNKNOWN_TABLE
    62: 400,  # SYNTAX_ERROR
    81: 404,  # UNKNOWN_DATABASE
    115: 404,  # UNKNOWN_SETTING
    164: 403,  # READONLY
}
"""HTTP statuses of errors, as ClickHouse has them (exceptionCodeToHTTPStatus.cpp); others: 500."""
_CONTENT_TYPES: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "Native": "application/octet-stream",
}

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClickHouseHttp:
    """The ASGI application over an engine."""

    def __init__(self, engine: Engine, threads: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._threads = threads

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/")
        if path in ("/ping", "/replicas_status") or (
            not path and not scope["query_string"] and scope["method"] == "GET"
        ):
            await _answer(send, 200, {"content-type": "text/plain; charset=UTF-8"}, b"Ok.\n")
            return
        if path:
            await self._refuse(send, 404, _BAD_REQUEST, f"there is nothing at {path}", {})
            return
        await self._query(scope, receive, send)

    async def _query(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        body = await _body(receive)
        if body is None:
            say = f"a body has at most {_BODY_BYTES:,} bytes here"
            await self._refuse(send, 413, _BAD_REQUEST, say, {})
            return
        try:
            request = parse(scope["method"], scope["query_string"], headers, body)
        except (BadRequest, UnicodeDecodeError) as error:
            await self._refuse(send, 400, _BAD_REQUEST, str(error), {})
            return
        about = {
            "x-clickhouse-server-display-name": "orderstream",
            "x-clickhouse-query-id": request.query_id or str(uuid.uuid4()),
            "x-clickhouse-timezone": "UTC",
        }
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._threads, self._engine.run, request)
        except Refused as error:
            status = _STATUSES.get(error.code, 500)
            await self._refuse(send, status, str(error.code), str(error), about)
            return
        about |= {
            "x-clickhouse-format": request.format,
            "x-clickhouse-summary": _summary(request, answer),
            "content-type": _CONTENT_TYPES.get(request.format, "text/plain; charset=UTF-8"),
        }
        await _answer(send, 200, about, answer.body)

    async def _refuse(
        self, send: _Send, status: int, code: str, message: str, about: Mapping[str, str]
    ) -> None:
        text = (
            message if message.startswith("Code: ") else f"Code: {code}. DB::Exception: {message}"
        )
        if not text.endswith(")"):
            text += " (BAD_ARGUMENTS)"
        headers = {
            **about,
            "content-type": "text/plain; charset=UTF-8",
            "x-clickhouse-exception-code": code,
        }
        body = f"{text} (version {self._engine.version})\n".encode(errors="surrogateescape")
        await _answer(send, status, headers, body)


async def _body(receive: _Receive) -> bytes | None:
    """Return the body of a request; None when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > _BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: _Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    listed.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body})


def _summary(request: Request, answer: Answer) -> str:
    read, written = (0, answer.rows) if request.data is not None else (answer.rows, 0)
    size_read, size_written = (0, answer.size) if request.data is not None else (answer.size, 0)
    figures = {
        "read_rows": read,
        "read_bytes": size_read,
        "written_rows": written,
        "written_bytes": size_written,
        "elapsed_ns": round(answer.elapsed_s * 1e9),
    }
    return json.dumps({name: str(value) for name, value in figures.items()})


def main(folder: str, port: str, database: str) -> None:
    """Serve until SIGTERM; what runs then is finished first."""
    engine = Engine(Path(folder), database)
    with ThreadPoolExecutor(_STATEMENTS_AT_ONCE, "statement") as threads:
        uvicorn.run(
            ClickHouseHttp(engine, threads),
            host="127.0.0.1",
            port=int(port),
            http="httptools",
            loop="uvloop",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            # Clients keep connections for a minute or more; closing one first costs a retry.
            timeout_keep_alive=300,
            timeout_graceful_shutdown=5,
        )
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
