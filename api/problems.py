"""Errors as clients see them: problem details (RFC 9457) with ``code`` and ``trace_id``.

The one place that knows HTTP statuses. Everywhere else an error is a code and what is to be said
about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from api.spool import SpoolFull
from api.trace import Headers, new_trace, trace_of
from streams.admission import InvalidIntent, ProblemCode

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:orderstream:problem:"


class Code:
    """Codes of the API's own; those of admission and of the stages keep their names."""

    INVALID_REQUEST: Final = "INVALID_REQUEST"  # ``errors`` names every bad field
    MALFORMED_JSON: Final = "MALFORMED_JSON"
    UNSUPPORTED_MEDIA_TYPE: Final = "UNSUPPORTED_MEDIA_TYPE"
    TOO_LARGE: Final = "TOO_LARGE"
    UNAUTHENTICATED: Final = "UNAUTHENTICATED"
    FORBIDDEN: Final = "FORBIDDEN"
    NOT_FOUND: Final = "NOT_FOUND"
    METHOD_NOT_ALLOWED: Final = "METHOD_NOT_ALLOWED"
    IN_PROGRESS: Final = "IN_PROGRESS"  # the same request is being judged
    INVENTORY_SHORTAGE: Final = "INVENTORY_SHORTAGE"
    PROMOTION_UNAVAILABLE: Final = "PROMOTION_UNAVAILABLE"
    RATE_LIMITED: Final = "RATE_LIMITED"
    UNAVAILABLE: Final = "UNAVAILABLE"  # neither Kafka nor the spool takes it
    INTERNAL: Final = "INTERNAL"


STATUSES: Final[Mapping[str, int]] = {
    Code.INVALID_REQUEST: 400,
    Code.MALFORMED_JSON: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    "UNKNOWN_ORDER": 404,
    "UNKNOWN_SKU": 404,
    "TICKET_NOT_OPEN": 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    "IDEMPOTENCY_CONFLICT": 422,
    "AMEND_CONFLICT": 422,
    "REFUND_CONFLICT": 422,
    "WAYBILL_CONFLICT": 422,
    Code.RATE_LIMITED: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}
"""Status of each code; what is not here is a conflict with how things stand: 409."""

_CONFLICT: Final = 409


class FieldError(msgspec.Struct, frozen=True):
    """One bad field: where it is, what is wrong with it and what to send instead."""

    field: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every error."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    trace_id: str
    errors: tuple[FieldError, ...] = ()


class Refused(Exception):
    """A request is answered with an error.

    ``code`` is a stable upper-case name for machines, ``detail`` one sentence for people that says
    what to do. ``more`` are further members of the problem's body, and ``headers`` of the response.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        trace_id: str = "",
        **more: Any,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.trace_id = trace_id
        self.more = more


def status_of(code: str) -> int:
    """Return the HTTP status of a code."""
    return STATUSES.get(code, _CONFLICT)


def body_of(refused: Refused, trace_id: str) -> dict[str, Any]:
    """Return the problem's body; ``trace_id`` is the request's, if the error has none."""
    problem = Problem(
        type=f"{_TYPE}{refused.code.lower().replace('_', '-')}",
        title=refused.code.replace("_", " ").capitalize(),
        status=status_of(refused.code),
        code=refused.code,
        detail=refused.detail,
        trace_id=refused.trace_id or trace_id,
        errors=refused.errors,
    )
    body: dict[str, Any] = msgspec.to_builtins(problem)
    return {**body, **refused.more}


def of_intent(error: InvalidIntent) -> Refused:
    """Return the error that a refused intent is: every bad field, by the names of the request.

    A request that is right but for prices that have changed since is a conflict, not a mistake.
    """
    errors = tuple(
        FieldError(_FIELDS.get(one.field, one.field), one.code, one.detail)
        for one in error.problems
    )
    if all(one.code == ProblemCode.PRICE_CHANGED for one in error.problems):
        detail = "prices have changed; show the buyer the new ones and place the order anew"
        return Refused(ProblemCode.PRICE_CHANGED, detail, errors=errors)
    return invalid(errors)


def invalid(errors: Sequence[FieldError]) -> Refused:
    """Return the refusal of a request with bad fields."""
    noun = "field is" if len(errors) == 1 else "fields are"
    return Refused(Code.INVALID_REQUEST, f"{len(errors)} {noun} not right", errors=errors)


_KEY_HEADER = "X-Idempotency-Key"
_FIELDS = dict.fromkeys(("client_key", "amend_key", "refund_key"), _KEY_HEADER)


# --- for the framework ---------------------------------------------------------------------------


def told_to(headers: Headers, refused: Refused) -> dict[str, Any]:
    """Return the body that tells a client of an error; ``headers`` are its request's."""
    return body_of(refused, refused.trace_id or trace_of(headers) or new_trace())


def refusal_of(error: Exception, path: str) -> Refused:
    """Return what a client is told of ``error``; a defect is logged, and no word of it told."""
    match error:
        case Refused():
            return error
        case InvalidIntent():
            return of_intent(error)
        case SpoolFull():
            detail = "this cannot be taken at the moment; try again"
            return Refused(Code.UNAVAILABLE, detail, headers={"Retry-After": "5"})
        case _:
            log.error("request_failed", path=path, exc_info=error)
            return Refused(Code.INTERNAL, _INTERNAL)


def respond(request: Request[Any, Any, Any], refused: Refused) -> Response[dict[str, Any]]:
    """Return the response that tells a client of an error."""
    return Response(
        told_to(request.scope["headers"], refused),
        status_code=status_of(refused.code),
        headers=refused.headers,
        media_type=MEDIA_TYPE,
    )


def _other(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    return respond(request, refusal_of(error, request.scope["path"]))


def _framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """Tell of what the framework found: no such route, a bad parameter, too large a body."""
    headers = dict(error.headers or {})
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        errors = [
            FieldError(str(one.get("key", "")), "INVALID", str(one.get("message", "")))
            for one in error.extra
            if isinstance(one, dict)
        ]
        return respond(request, invalid(errors))
    code = _CODES.get(error.status_code, Code.INVALID_REQUEST)
    if code == Code.INTERNAL:
        log.error("request_failed", path=request.scope["path"], why=repr(error))
        return respond(request, Refused(code, _INTERNAL))
    return respond(request, Refused(code, str(error.detail), headers=headers))


_INTERNAL = "something went wrong here; try again, and name the trace_id if it stays"
_CODES: Final[Mapping[int, str]] = {
    401: Code.UNAUTHENTICATED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
    429: Code.RATE_LIMITED,
    500: Code.INTERNAL,
    503: Code.UNAVAILABLE,
}
"""What the framework's own errors are called."""

HANDLERS: Final[Mapping[int | type[Exception], Any]] = {
    Refused: respond,
    InvalidIntent: _other,
    SpoolFull: _other,
    HTTPException: _framework,
    Exception: _other,
}
"""Exception -> how a client is told of it."""
