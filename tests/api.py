"""The front door under test: API processes, and clients with tokens of the development issuer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2

from api.auth import Scope
from api.issuer import DevelopmentIssuer
from deploy.stack import Endpoints
from tests.pipeline import Process

_START_LIMIT_S = 60.0


class Api(Process):
    """API processes at one port; ``home`` has the issuer's key and the spool."""

    def __init__(self, stack: Endpoints, home: Path, *arguments: str, **env: str) -> None:
        super().__init__(stack, "api", "--port", "0", *arguments, ORDERSTREAM_HOME=str(home), **env)
        self.issuer = DevelopmentIssuer(home)
        self.url = ""

    def wait_until_serving(self, processes: int = 1) -> None:
        """Wait until all processes serve, and follow the facts."""
        deadline_s = time.monotonic() + _START_LIMIT_S
        while len(self.events("serving")) < processes or not self._is_ready():
            assert self.exit_code is None, f"the API ended: {self.output()[-3000:]}"
            assert time.monotonic() < deadline_s, f"it does not serve: {self.output()[-3000:]}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        self.url = self.events("serving")[0]["url"]
        parts = httpx2.get(f"{self.url}/health", trust_env=False).json()["parts"]
        return bool(parts["facts"] == "up")

    def client(self, shop: int, user: int, scopes: Iterable[Scope] = (Scope.CUSTOMER,)) -> Client:
        """Return a client with a token."""
        return Client(self.url, self.issuer.token(shop, user, scopes, hours=1))


class Client:
    """Speaks HTTP as one user."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=30)

    def post(self, path: str, body: Any, key: str = "", **headers: str) -> httpx2.Response:
        """POST a body below the API's prefix, with an idempotency key if there is one."""
        more = {"X-Idempotency-Key": key} if key else {}
        return self.http.post(f"/api/v2{path}", json=body, headers={**more, **headers})

    def get(self, path: str) -> httpx2.Response:
        """GET below the API's prefix."""
        return self.http.get(f"/api/v2{path}")
