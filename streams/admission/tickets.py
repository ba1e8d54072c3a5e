"""Admits what operators decide about the tickets of payments."""

from __future__ import annotations

import re

from msgspec.structs import replace

from schemas.payment import ResolveTicket, TicketResolution
from streams.admission.fields import check_order_no, check_reason, check_trace
from streams.admission.identity import derive_trace_id
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

_OPERATOR = re.compile("[A-Za-z0-9_.@-]{1,64}")
_MAX_TICKET_LENGTH = 64


def admit_resolution(request: ResolveTicket) -> ResolveTicket:
    """Return the resolution, with a trace id.

    Whether there is such a ticket, and whether the resolution fits it, is for the payments stage to
    judge. Raises InvalidIntent with every problem, in the order: order number, shop, ticket,
    operator, resolution, note, trace.
    """
    problems: list[Problem] = []
    check_order_no(request.order_no, problems)
    if request.shop_id < 1:
        problems.append(Problem(ProblemCode.BAD_SHOP, "shop_id", "send the shop's id, 1 or more"))
    if not 1 <= len(request.ticket_no) <= _MAX_TICKET_LENGTH:
        _bad("ticket_no", "send the number that PaymentTicketOpened carries", problems)
    if not _OPERATOR.fullmatch(request.operator):
        detail = "send who decided: 1 to 64 letters, digits, '_', '.', '@' or '-'"
        _bad("operator", detail, problems)
    if request.resolution == TicketResolution.ANSWERED:
        _bad("resolution", "only the gateway answers; send RETRY, SETTLED or WRITTEN_OFF", problems)
    check_reason(request.note, ProblemCode.BAD_TICKET, problems, "note")
    check_trace(request.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if request.trace_id:
        return request
    return replace(request, trace_id=derive_trace_id(request.order_no))


def _bad(field: str, detail: str, problems: list[Problem]) -> None:
    problems.append(Problem(ProblemCode.BAD_TICKET, field, detail))
