"""A receiver of webhooks: a real HTTP server that answers as it is told and notes what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from standardwebhooks import Webhook


class Got(NamedTuple):
    """A message as it came, and what it was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def order_no(self) -> str:
        return str(self.told["data"]["order_no"])

    @property
    def version(self) -> int:
        return int(self.told["data"]["version"])

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


Answer = Callable[["Receiver", str, bytes], int]


class Receiver:
    """Answers with ``answer``'s status; ``got`` is everything so far, in its order."""

    def __init__(self, answer: Answer) -> None:
        self.got: list[Got] = []
        receiver = self
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    status = answer(receiver, self.path, body)
                    headers = {k.lower(): v for k, v in self.headers.items()}
                    receiver.got.append(Got(self.path, headers, body, status))
                self.send_response(status)
                if status == 307:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def taken(self, path: str) -> list[Got]:
        """Return what was answered with 2xx, each message once."""
        once: dict[str, Got] = {}
        for got in self.got:
            if got.path == path and got.status < 300:
                once.setdefault(got.headers["webhook-id"], got)
        return list(once.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def verify(secret: str, got: Got) -> None:
    """Believe a message as a receiver does; raises WebhookVerificationError."""
    Webhook(secret).verify(got.body, got.headers)
