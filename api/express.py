"""The short way of the two hot requests: to place an order, and to pay it.

The framework costs a request several times what is done for it (docs/adr/0006-front-door.md). So
these two go from the server to the very functions that its routes call. Everything else goes to the
framework, and of these two whatever is out of the ordinary: a page of another origin, a body that
is empty, too long or without a length, a number that no order has. A client cannot tell the ways
apart: the test asks both.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from api import orders
from api.asking import Answer
from api.auth import Principal
from api.decoding import check_media_type, decode
from api.headers import OF_DATA
from api.problems import MEDIA_TYPE, refusal_of, status_of, told_to
from api.requests import PayOrderBody, PlaceOrderBody
from api.services import Services
from api.trace import Headers

_JSON: Final = b"application/json"
_PROBLEM: Final = MEDIA_TYPE.encode()
_LENGTH_DIGITS: Final = 9

_is_order_no = re.compile(orders.ORDER_NO).fullmatch
_encode = msgspec.json.Encoder().encode


class _Way(NamedTuple):
    """Where a request goes: ``template`` is the path as metrics name it."""

    template: str
    decoder: msgspec.json.Decoder[Any]
    take: Callable[..., Awaitable[Answer]]


class _Gone(Exception):
    """The client went away before its request was whole."""


class Express:
    """An application that takes the hot requests itself and gives all others to ``others``."""

    def __init__(self, services: Services, others: ASGIApp, prefix: str) -> None:
        self._services = services
        self._others = others
        self._orders = f"{prefix}/orders"
        self._place = _Way(self._orders, msgspec.json.Decoder(PlaceOrderBody), orders.place)
        self._pay = _Way(
            f"{self._orders}/{{order_no}}/payments", msgspec.json.Decoder(PayOrderBody), orders.pay
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        way = self._way(scope)
        if way is None:
            await self._others(scope, receive, send)
            return
        template, decoder, take = way
        scope["path_template"] = template
        headers: Headers = scope["headers"]
        kind = _JSON
        try:
            named = _first_of(headers)
            who = await self._who(named)
            content = await _body(receive)
            check_media_type(_text(named.get(b"content-type")))
            answer = await take(self._services, who, headers, decode(decoder, content))
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the client is told
            refused = refusal_of(error, scope["path"])
            answer = Answer(status_of(refused.code), told_to(headers, refused), refused.headers)
            kind = _PROBLEM
        await _send(send, answer, kind)

    def _way(self, scope: Scope) -> _Way | None:
        """Return the way of a hot and ordinary request; None: the framework's."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            return None
        path: str = scope["path"]
        if not path.startswith(self._orders) or not self._is_ordinary(scope["headers"]):
            return None
        if len(path) == len(self._orders):
            return self._place
        match path[len(self._orders) :].split("/"):
            case ["", order_no, "payments"] if _is_order_no(order_no):
                return self._pay._replace(take=partial(self._pay.take, order_no=order_no))
        return None

    def _is_ordinary(self, headers: Headers) -> bool:
        named = dict(headers)
        length = named.get(b"content-length", b"")
        return (
            length.isdigit()
            and len(length) <= _LENGTH_DIGITS
            and 0 < int(length) <= self._services.settings.body_limit_bytes
            and b"origin" not in named
            and b"transfer-encoding" not in named
        )

    async def _who(self, named: Mapping[bytes, bytes]) -> Principal:
        token = _text(named.get(b"authorization"))
        told = {} if token is None else {"authorization": token}
        return await self._services.authenticator.authenticate(told)


def _first_of(headers: Headers) -> dict[bytes, bytes]:
    """Return the headers by name; of several the first counts, as everywhere."""
    return dict(reversed(list(headers)))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


async def _body(receive: Receive) -> bytes:
    """Return the body, which is no longer than its length said; raise _Gone."""
    content = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        content += message.get("body", b"")
        if not message.get("more_body"):
            return content


async def _send(send: Send, answer: Answer, media_type: bytes) -> None:
    body = _encode(answer.body)
    headers = [
        (b"content-type", media_type),
        (b"content-length", b"%d" % len(body)),
        *OF_DATA,
        *[(name.lower().encode(), value.encode()) for name, value in answer.headers.items()],
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
