"""The application as a whole, asked without a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec
import pytest

from api.app import OUTSIDE, PREFIX, ROUTES, build
from api.auth import Principal
from api.problems import Code, Refused
from tests.unit.api.parts import services


class Nobody:
    """Takes nobody in."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        raise Refused(Code.UNAUTHENTICATED, "send a token")


def ask(app: Any, method: str, path: str) -> tuple[int, bytes]:
    """Return (status, body) of a request without a body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, path)
        for one in cast(list[Any], ROUTES)
        if not one.opt.get("public")
        for method in one.http_methods
        for path in one.paths
    ],
)
def test_no_route_is_for_who_has_no_token(method: str, path: str) -> None:
    parts = services()
    parts.authenticator = Nobody()
    concrete = re.sub(r"\{\w+:int\}", "1", re.sub(r"\{\w+:str\}", "0" * 16, path))

    status, body = ask(build(parts), method, f"{PREFIX}{concrete}")
    assert (status, msgspec.json.decode(body)["code"]) == (401, "UNAUTHENTICATED")


def test_probes_and_pages_are_for_everybody() -> None:
    parts = services()
    parts.authenticator = Nobody()
    app = build(parts)
    paths = [path for one in cast(list[Any], OUTSIDE) for path in one.paths]
    named = {"{version:str}": "0", "{name:str}": "app.js"}
    for path in paths:
        concrete = re.sub(r"\{\w+:str\}", lambda found: named[found[0]], path)
        assert ask(app, "GET", concrete)[0] == (307 if path == "/" else 200), path
