"""A stand-in for StarRocks that keeps the rules of Stream Load over real HTTP.

Its frontend redirects to its backend and never reads a body; the backend wants the credentials
again. A label is loaded once. Of rows with one key that of the greatest merge condition stands.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sinks.warehouse.tables import TABLES

USER, PASSWORD = "loader", "s3cret"
_KEYS = {table.name: table.full_key for table in TABLES}
_CREDENTIALS = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class StandIn:
    """Tables by name, rows by key; ``faults`` are answers to give, one a load, instead of success.

    ``publish timeout``: it is committed all the same. ``fail``: nothing is. ``lost``: it is, and
    the answer never comes. ``running``: the label is known and its load not done.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, dict[str, Any]]] = {table.name: {} for table in TABLES}
        self.labels: dict[str, str] = {}
        self.loads: list[dict[str, str]] = []
        self.faults: list[str] = []
        self.lock = threading.Lock()
        self.backend: tuple[str, int] = ("127.0.0.1", 0)
        self.frontend: tuple[str, int] = ("127.0.0.1", 0)

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.frontend[1]}/shop"

    def load(self, table: str, headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
        """Return the answer to a load, None to give none."""
        with self.lock:
            self.loads.append({"table": table, **headers})
            label, fault = headers["label"], self.faults.pop(0) if self.faults else ""
            if self.labels.get(label) == "VISIBLE":
                return {"Status": "Label Already Exists", "ExistingJobStatus": "FINISHED"}
            if fault == "running":
                self.labels[label] = "PREPARE"
                return {"Status": "Label Already Exists", "ExistingJobStatus": "RUNNING"}
            if fault == "fail":
                return {"Status": "Fail", "Message": "too many versions", "NumberFilteredRows": 0}
            rows = json.loads(body)
            if any(row.get(name) is None for row in rows for name in _KEYS[table]):
                return {
                    "Status": "Fail",
                    "Message": "too many filtered rows",
                    "NumberFilteredRows": 1,
                }
            self._merge(table, headers["merge_condition"], rows)
            self.labels[label] = "VISIBLE"
            if fault == "lost":
                return None
            return {"Status": "Publish Timeout" if fault == "publish timeout" else "Success"}

    def _merge(self, table: str, condition: str, rows: list[dict[str, Any]]) -> None:
        stored = self.tables[table]
        for row in rows:
            key = tuple(row[name] for name in _KEYS[table])
            before = stored.get(key)
            if before is None or int(row[condition]) >= int(before[condition]):
                stored[key] = row


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: StandIn
    is_frontend = False

    def do_PUT(self) -> None:
        if not self._may():
            return
        if self.headers.get("Expect") != "100-continue":
            self._json(200, {"Status": "FAILED", "Message": "There is no 100-continue header"})
            return
        if self.is_frontend:
            self.send_response(307)
            host, port = self.store.backend
            self.send_header("Location", f"http://{host}:{port}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.close_connection = True  # what comes now is no request
            return
        self.send_response_only(100)
        self.end_headers()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        table = urlsplit(self.path).path.split("/")[3]
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.store.load(table, headers, body)
        if answer is None:
            self.close_connection = True
            return
        self._json(200, answer)

    def do_GET(self) -> None:
        if self._may():
            (label,) = parse_qs(urlsplit(self.path).query)["label"]
            self._json(200, {"state": self.store.labels.get(label, "UNKNOWN")})

    def handle_expect_100(self) -> bool:
        return True  # the method decides

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def _may(self) -> bool:
        if self.headers.get("Authorization") == _CREDENTIALS:
            return True
        self._json(401, {"Status": "FAILED", "Message": "Access denied"})
        return False

    def _json(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Run one for the length of the `with`."""
    store = StandIn()
    servers = []
    for is_frontend in (False, True):
        handler = type("Handler", (_Handler,), {"store": store, "is_frontend": is_frontend})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    store.backend, store.frontend = (("127.0.0.1", server.server_address[1]) for server in servers)
    try:
        yield store
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
