"""StarRocks' Stream Load: one HTTP PUT is one transaction on one table.

https://docs.starrocks.io/docs/sql-reference/sql-statements/loading_unloading/STREAM_LOAD/

The frontend answers with a redirect to a backend, before it has seen a byte of the body: so the
body waits for ``100 Continue``. Ordinary clients drop the credentials on that redirect; here they
go along, to whoever the frontend names.
"""

from __future__ import annotations

import http.client
import json
import socket
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from sinks.sink import StoreAway

_TIMEOUT_S: Final = 60.0
_MOST_REDIRECTS: Final = 3
_CONTINUE, _TEMPORARY_REDIRECT, _UNAUTHORIZED = 100, 307, 401
_DONE: Final = frozenset({"Success", "Publish Timeout"})
"""``Publish Timeout``: it is committed, and becomes visible a little later."""
_LANDED: Final = frozenset({"VISIBLE", "COMMITTED", "FINISHED"})


class LoadRefused(Exception):
    """StarRocks will never take these rows: the message says what is wrong with them."""


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamLoad:
    """Loads into the database of ``http://user:password@frontend:port/database``."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._frontend = (address.hostname or "127.0.0.1", address.port or 8030)
        self._database = address.path.strip("/")
        user, password = unquote(address.username or "root"), unquote(address.password or "")
        self._credentials = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    def put(self, table: str, label: str, rows: bytes, merge_condition: str) -> None:
        """Load ``rows``, a JSON array of objects; return when they are committed.

        Of two rows with one key that of the greater ``merge_condition`` stands. A ``label`` that
        was loaded before is done with. Raises StoreAway, and LoadRefused.
        """
        headers = {
            "label": label,
            "format": "json",
            "strip_outer_array": "true",
            "merge_condition": merge_condition,
            # Without it times would be read as those of Shanghai.
            "timezone": "UTC",
            "strict_mode": "true",
            "max_filter_ratio": "0",
        }
        path = f"/api/{quote(self._database)}/{quote(table)}/_stream_load"
        answer = self._send("PUT", path, headers, rows)
        try:
            said: dict[str, Any] = json.loads(answer.body)
        except ValueError as error:
            raise StoreAway(f"StarRocks answers {answer.status}: {answer.body[:200]!r}") from error
        status = said.get("Status")
        if status in _DONE:
            return
        if status == "Label Already Exists":
            self._settle(label, said.get("ExistingJobStatus", ""))
            return
        message = f"{table}: {said.get('Message', said)}"
        if int(said.get("NumberFilteredRows", 0)):
            raise LoadRefused(f"{message}; see {said.get('ErrorURL', 'its log')}")
        raise StoreAway(f"StarRocks: {message}")

    def _settle(self, label: str, known: str) -> None:
        """Return when the load of ``label`` landed; StoreAway while it runs, or if it failed."""
        state = known
        if known != "FINISHED":
            path = f"/api/{quote(self._database)}/get_load_state?label={quote(label)}"
            answer = self._send("GET", path, {}, b"")
            state = json.loads(answer.body).get("state", "") if answer.body[:1] == b"{" else ""
        if state not in _LANDED:
            raise StoreAway(f"StarRocks: the load {label} is {state or known or 'not known'}")

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Answer:
        address, target = self._frontend, path
        for _ in range(_MOST_REDIRECTS):
            answer = self._ask(address, method, target, headers, body)
            if answer.status == _UNAUTHORIZED:
                raise LoadRefused("StarRocks does not know this user and password")
            if answer.status != _TEMPORARY_REDIRECT:
                return answer
            there = urlsplit(answer.headers.get("location", ""))
            address = (there.hostname or address[0], there.port or address[1])
            target = there.path + (f"?{there.query}" if there.query else "")
        raise StoreAway("StarRocks redirects in circles")

    def _ask(
        self,
        address: tuple[str, int],
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> _Answer:
        """Send one request; the body only when the server asks for it."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
        lines += [f"Authorization: {self._credentials}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines += ["Expect: 100-continue", f"Content-Length: {len(body)}"]
        try:
            with socket.create_connection(address, _TIMEOUT_S) as wire, wire.makefile("rb") as file:
                wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
                status, received = _head(file)
                if status == _CONTINUE:
                    wire.sendall(body)
                    status, received = _head(file)
                return _Answer(status, received, _rest(file, received))
        except (OSError, http.client.HTTPException) as error:
            raise StoreAway(f"StarRocks at {address[0]}:{address[1]}: {error}") from error


def _head(file: BinaryIO) -> tuple[int, Mapping[str, str]]:
    """Read a status line and headers, by their lower-case names."""
    line = file.readline(65_536).split(None, 2)
    if len(line) < 2 or not line[1].isdigit():
        raise http.client.BadStatusLine(b" ".join(line).decode("latin-1"))
    headers = http.client.parse_headers(file)
    return int(line[1]), {name.lower(): value for name, value in headers.items()}


def _rest(file: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int(file.readline().split(b";")[0], 16):
            parts.append(file.read(size))
            file.readline()
        return b"".join(parts)
    length = headers.get("content-length")
    return file.read() if length is None else file.read(int(length))
