"""Callbacks of payment gateways: stored first, then verified, then handed to the payments inbox.

The order of things, for each callback:

1. the bytes and the headers that prove them are appended to ``payment.callbacks``;
2. when that is safe the gateway's adapter verifies them;
3. the report is appended to ``payment.commands``;
4. when that is safe the gateway is told that it need not call again.

Whatever fails before is answered with an error, and gateways call again on errors. A repeat makes
another report, and the payments stage judges repeats.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated

import structlog
from litestar import Request, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Response

from api.gateways.port import Answer, Gateway, Rejected
from api.openapi import problems
from api.problems import Code, Refused
from api.sender import Outcome
from api.spool import Outgoing
from schemas.codec import Codec
from schemas.payment import GatewayReport
from schemas.topics import PAYMENT_CALLBACKS, PAYMENT_COMMANDS

BODY_LIMIT_BYTES = 64 * 1024  # the longest, UnionPay's with a certificate in it, has about 5 KB
_KEY_BYTES = 8
_ROUTE = "POST /payments/callbacks"

Send = Callable[[Sequence[Outgoing]], Awaitable[Outcome]]
"""Brings records to safety: ``Sender.send``."""

if TYPE_CHECKING:
    from api.services import Services

log = structlog.get_logger()


class Callbacks:
    """Takes callbacks for the gateways that are set up. ``now_ms`` is the clock (epoch ms)."""

    def __init__(
        self,
        gateways: Mapping[str, Gateway],
        codec: Codec,
        send: Send,
        now_ms: Callable[[], int],
    ) -> None:
        self._gateways = dict(gateways)
        self._codec = codec
        self._send = send
        self._now_ms = now_ms

    async def take(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return what the gateway ``name`` is answered; names of ``headers`` are lower case.

        Raises Refused for a gateway that is not set up, and what ``send`` raises when the callback
        is not safe: then the gateway calls again.
        """
        gateway = self._gateways.get(name)
        if gateway is None:
            raise Refused(Code.NOT_FOUND, "this gateway is not set up here")
        await self._send((_evidence(gateway, headers, body),))
        verdict = gateway.verify(headers, body, self._now_ms())
        if isinstance(verdict, Rejected):
            log.warning(
                "callback_refused", gateway=name, reason=verdict.reason, detail=verdict.detail
            )
            return gateway.refused
        await self._send((self._report(verdict),))
        return gateway.accepted

    def _report(self, report: GatewayReport) -> Outgoing:
        headers: tuple[tuple[str, bytes], ...] = ()
        if report.trace_id:
            span_id = random.getrandbits(64) or 1
            headers = (("traceparent", f"00-{report.trace_id}-{span_id:016x}-01".encode()),)
        key, value = report.order_no.encode(), self._codec.encode(report)
        return Outgoing(PAYMENT_COMMANDS.name, key, value, headers)


def _evidence(gateway: Gateway, headers: Mapping[str, str], body: bytes) -> Outgoing:
    """Return the raw record. Headers that prove nothing may hold secrets, and stay out."""
    kept = [(h, headers[h].encode("latin-1")) for h in sorted(gateway.headers) if h in headers]
    key = blake2b(body, digest_size=_KEY_BYTES).hexdigest().encode()
    said = (("gateway", gateway.name.encode()), *kept)
    return Outgoing(PAYMENT_CALLBACKS.name, key, body, said)


_ANSWERS = {
    status: ResponseSpec(
        str, generate_examples=False, media_type="text/plain", description=description
    )
    for status, description in (
        (200, "Taken, or refused, in the words of the gateway's own protocol."),
        (204, "Taken."),
        (400, "Refused: it does not prove itself."),
        (401, "Refused: it does not prove itself."),
    )
}
"""What gateways are answered, each as its own protocol wants it."""


@post(
    "/payments/callbacks/{gateway:str}",
    opt={"public": True},
    request_max_body_size=BODY_LIMIT_BYTES,
    operation_id="take_callback",
    summary="Take a payment gateway's callback",
    tags=["payments"],
    status_code=200,
    responses={
        **_ANSWERS,
        **problems(Code.NOT_FOUND, Code.TOO_LARGE, Code.RATE_LIMITED, Code.UNAVAILABLE),
    },
)
async def take_callback(
    request: Request[object, object, State],
    gateway: Annotated[str, Parameter(description="The gateway, as it is called here.")],
    state: State,
) -> Response[bytes]:
    """Store, verify and hand on what a payment gateway says.

    No token is asked for: the gateway's signature says who calls. The answer is what the gateway's
    protocol wants.
    """
    services: Services = state.services
    caller = request.client.host if request.client else ""
    await services.limits.admit_caller(caller, _ROUTE)
    answer = await services.callbacks.take(gateway, request.headers, await request.body())
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


ROUTES: tuple[HTTPRouteHandler, ...] = (take_callback,)
