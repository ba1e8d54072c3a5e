"""The short way answers as the framework does: both are asked the same, and their answers compared.

Kafka is away, so what is taken goes to the spool, and the answer is 202.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog
from litestar.types import ASGIApp

from api.app import PREFIX, build
from api.auth import Principal, Scope
from api.express import Express
from api.problems import Code, Refused
from api.services import Services
from tests.unit.api.facts import BUYER, PRICE_FEN, SHOP, SKU, TRACE
from tests.unit.api.parts import services

ORDERS = f"{PREFIX}/orders"
PAYMENTS = f"{ORDERS}/C8Q1ET4KW8P0J0HP/payments"
JSON = (b"content-type", b"application/json")
KEY = (b"x-idempotency-key", b"k1")
TOKEN = (b"authorization", b"Bearer good")
PARENT = (b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())
LINE = {"sku_id": SKU, "qty": 1, "unit_price_fen": PRICE_FEN}
CART: dict[str, Any] = {"lines": [LINE], "total_fen": PRICE_FEN}
PAY = {"channel": "sim"}


class Told(NamedTuple):
    status: int
    headers: frozenset[tuple[bytes, bytes]]
    body: Any


class OneToken:
    """Knows one token."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        if headers.get("authorization") != "Bearer good":
            challenge = {"www-authenticate": "Bearer"}
            raise Refused(Code.UNAUTHENTICATED, "send a token", headers=challenge)
        return Principal(SHOP, BUYER, frozenset({Scope.CUSTOMER}), str(BUYER), 1e12)


def parts() -> Services:
    found = services()
    found.authenticator = OneToken()
    return found


async def asked(app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Told:
    sent: list[Any] = []
    arriving = [
        {"type": "http.request", "body": body[:7], "more_body": True},
        {"type": "http.request", "body": body[7:], "more_body": False},
    ]

    async def receive() -> Any:
        return arriving.pop(0) if arriving else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"content-length", b"%d" % len(body)), PARENT, *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    start, *rest = sent
    content = b"".join(message.get("body", b"") for message in rest)
    return Told(start["status"], frozenset(start["headers"]), msgspec.json.decode(content))


class Ways:
    """Both ways to the same parts, on one event loop."""

    def __init__(self, runner: asyncio.Runner, own: Services) -> None:
        self._runner = runner
        self._short = Express(own, _nowhere, PREFIX)
        self._framework = build(own)

    def short(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Told:
        return self._runner.run(asked(self._short, path, headers, body))

    def framework(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Told:
        return self._runner.run(asked(self._framework, path, headers, body))


@contextmanager
def both() -> Iterator[Ways]:
    own = parts()
    with asyncio.Runner() as runner:
        runner.run(own.sender.__aenter__())
        yield Ways(runner, own)
        runner.run(own.sender.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    with both() as found:
        yield found


async def _nowhere(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("this is for the short way")


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else msgspec.json.encode(body)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        pytest.param(ORDERS, [TOKEN, JSON, KEY], CART, 202, id="placed"),
        pytest.param(PAYMENTS, [TOKEN, JSON], PAY, 202, id="paid"),
        pytest.param(ORDERS, [JSON, KEY], CART, 401, id="no token"),
        pytest.param(
            ORDERS, [(b"authorization", b"x"), TOKEN, JSON, KEY], CART, 401, id="2 tokens"
        ),
        pytest.param(ORDERS, [TOKEN, KEY], CART, 415, id="no media type"),
        pytest.param(ORDERS, [TOKEN, (b"content-type", b"a/b"), KEY], CART, 415, id="another type"),
        pytest.param(ORDERS, [TOKEN, JSON, KEY], b'{"lines"', 400, id="no JSON"),
        pytest.param(ORDERS, [TOKEN, JSON, KEY], {**CART, "x": 1}, 400, id="unknown field"),
        pytest.param(ORDERS, [TOKEN, JSON], CART, 400, id="no key"),
        pytest.param(ORDERS, [TOKEN, JSON, KEY], {**CART, "user_id": 9}, 403, id="another's"),
        pytest.param(ORDERS, [TOKEN, JSON, KEY], {**CART, "total_fen": 1}, 409, id="price"),
        pytest.param(PAYMENTS, [TOKEN, JSON], {"channel": "a b"}, 400, id="bad channel"),
    ],
)
def test_the_short_way_answers_as_the_framework(
    ways: Ways, path: str, headers: list[tuple[bytes, bytes]], body: Any, status: int
) -> None:
    short = ways.short(path, headers, encoded(body))

    assert _but_for_rates(short) == _but_for_rates(ways.framework(path, headers, encoded(body)))
    assert short.status == status


def _but_for_rates(told: Told) -> Told:
    """Without how many requests are left: each takes one."""
    return told._replace(headers=frozenset(one for one in told.headers if one[0] != b"ratelimit"))


def test_a_customer_who_asks_too_often_is_refused_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSTREAM_API_WRITE_RATE", "1/3600")
    with both() as ways:
        assert ways.short(PAYMENTS, [TOKEN, JSON], encoded(PAY)).status == 202
        short = ways.short(PAYMENTS, [TOKEN, JSON], encoded(PAY))
        assert short == ways.framework(PAYMENTS, [TOKEN, JSON], encoded(PAY))
    assert short.status == 429


def test_a_defect_is_told_alike_and_not_what_it_is(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("api.asking.admit", broken)
    with structlog.testing.capture_logs() as logged:
        short = ways.short(PAYMENTS, [TOKEN, JSON], encoded(PAY))
        framework = ways.framework(PAYMENTS, [TOKEN, JSON], encoded(PAY))

    assert _but_for_rates(short) == _but_for_rates(framework)
    assert (short.status, short.body["code"]) == (500, "INTERNAL")
    assert "secret" not in str(short.body)
    assert [one["event"] for one in logged] == ["request_failed", "request_failed"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (ORDERS, [TOKEN, JSON, KEY, (b"origin", b"https://shop.example")]),
        (ORDERS, [TOKEN, JSON, KEY, (b"transfer-encoding", b"chunked")]),
        (ORDERS, [TOKEN, JSON, KEY, (b"content-length", b"99999999")]),
        (ORDERS, [TOKEN, JSON, KEY, (b"content-length", b"9" * 5_000)]),
        (ORDERS, [TOKEN, JSON, KEY, (b"content-length", "²".encode())]),
        (ORDERS, [TOKEN, JSON, KEY, (b"content-length", b"0")]),
        (f"{ORDERS}/", [TOKEN, JSON, KEY]),
        (f"{ORDERS}//payments", [TOKEN, JSON]),
        (f"{ORDERS}/short/payments", [TOKEN, JSON]),
        (f"{ORDERS}/C8Q1ET4KW8P0J0HP\n/payments", [TOKEN, JSON]),
        (f"{ORDERS}/C8Q1ET4KW8P0J0HP/cancel", [TOKEN, JSON]),
    ],
)
def test_what_is_out_of_the_ordinary_is_for_the_framework(
    path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    taken: list[str] = []

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        taken.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    asyncio.run(asked(Express(parts(), framework, PREFIX), path, headers, encoded(CART)))
    assert taken == [path]
