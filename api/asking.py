"""What handlers share: whose it is, its key and its limits, and how a command is asked and told.

A handler says what is asked for, and what an answer becomes; the rest of its life is here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Request, Response

from api.answering import refused
from api.auth import Principal, check_acts_for
from api.decisions import Unanswered
from api.follower import OrderFact
from api.problems import Code, FieldError, Refused, invalid
from api.requests import Body, OwnBody, ShopBody
from api.responses import Accepted
from api.services import Services
from api.trace import Headers, header, trace_of
from schemas.order import OrderRefused
from schemas.record import Record
from streams.admission import admit, derive_trace_id
from streams.kernel.stage import Output

KEY_HEADER = "X-Idempotency-Key"
_KEY_NAMES = (b"x-idempotency-key", b"idempotency-key")
_RETRY_S = 1
_STATUS_DIGITS = 3

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Answer(NamedTuple):
    """What a request is told: ``body`` is a struct, or JSON already (``msgspec.Raw``)."""

    status: int
    body: Any
    headers: Mapping[str, str] = _NO_HEADERS


def told(answer: Answer) -> Response[Any]:
    """Return an answer as the framework's response."""
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def owner_of(principal: Principal, body: OwnBody) -> tuple[int, int]:
    """Return (shop, user) of what is asked for; raise Refused (FORBIDDEN) for another's."""
    shop_id, user_id = body.shop_id or principal.shop_id, body.user_id or principal.user_id
    check_acts_for(principal, shop_id, user_id)
    return shop_id, user_id


def shop_of(principal: Principal, body: ShopBody) -> int:
    """Return the shop of what is asked for; raise Refused (FORBIDDEN) for another's."""
    shop_id = body.shop_id or principal.shop_id
    check_acts_for(principal, shop_id, principal.user_id)
    return shop_id


def key_of(headers: Headers) -> str:
    """Return the key that the client gave its request; raise Refused (INVALID_REQUEST)."""
    for name in _KEY_NAMES:
        key = header(headers, name)
        if key:
            return key
    detail = "send a key of your own, new for each request that is not a repeat"
    raise invalid([FieldError(KEY_HEADER, "REQUIRED", detail)])


def trace(request: Request[Any, Any, Any]) -> str:
    """Return the trace id that the request brings; "" when it brings none."""
    return trace_of(request.scope["headers"])


async def limited(
    services: Services, principal: Principal, route: str, *, writes: bool
) -> dict[str, str]:
    """Charge a request without a key; return the headers of its response."""
    admission = await services.limits.admit(principal, route, writes=writes)
    return admission.headers


async def once(
    services: Services,
    principal: Principal,
    route: str,
    key: str,
    asked: tuple[str, Body],
    run: Callable[[], Awaitable[Answer]],
    skus: Sequence[int] = (),
) -> Answer:
    """Charge a request with a key, and ``run`` it unless it was answered before.

    ``asked`` is what it is about (an order's number, or "") and its body. An answer that is final
    is remembered; without the memory the stream gives the same.
    """
    fingerprint = hashlib.sha256(asked[0].encode() + b" " + _encode(asked[1])).digest()
    admission = await services.limits.admit(
        principal, route, writes=True, skus=skus, key=key, fingerprint=fingerprint
    )
    if admission.answer is not None:
        status, body = admission.answer[:_STATUS_DIGITS], admission.answer[_STATUS_DIGITS:]
        return Answer(int(status), msgspec.Raw(body), admission.headers)
    answer = await run()
    if answer.status == 202:
        if admission.is_repeat:
            raise in_progress()
        return answer._replace(headers={**answer.headers, **admission.headers})
    encoded = _encode(answer.body)
    await services.limits.remember(admission, b"%d%b" % (answer.status, encoded))
    return Answer(answer.status, msgspec.Raw(encoded), {**answer.headers, **admission.headers})


def admitted(services: Services, intent: Record) -> Output:
    """Return the command that an intent leads to; raise InvalidIntent."""
    return admit(intent, services.prices, now_ms(), services.packs)


async def ask(services: Services, output: Output) -> OrderFact | Unanswered:
    """Hand an admitted command to its stage and return what answers it.

    Raises Refused for what the orders stage refuses, and when nobody can take the command.
    """
    answer = await services.decisions.ask(output)
    if isinstance(answer, Unanswered):
        services.metrics.unanswered.inc()
        if answer.is_repeat:
            raise in_progress()
        return answer
    if answer.kind is OrderRefused:
        record = answer.record
        if isinstance(record, OrderRefused):
            raise refused(record)
    return answer


def in_progress() -> Refused:
    """Return the answer to a repeat of what is still being judged."""
    detail = "the same request is being judged; ask again"
    return Refused(Code.IN_PROGRESS, detail, headers={"Retry-After": str(_RETRY_S)})


def accepted(order_no: str, trace_id: str) -> Answer:
    """Return the answer to a command that is safe, and not answered yet."""
    url = f"/api/v2/orders/{order_no}"
    body = Accepted(order_no, "ACCEPTED", url, trace_id or derive_trace_id(order_no))
    return Answer(202, body, {"Location": url})
