"""Admits what a client asks of an order that exists: pay, cancel, complete, refund."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from schemas.order import CancelOrder, CompleteOrder, PayOrder, RefundOrder
from streams.admission.fields import (
    check_channel,
    check_order_no,
    check_owner,
    check_reason,
    check_trace,
)
from streams.admission.identity import derive_trace_id
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

R = TypeVar("R", bound=PayOrder | CancelOrder | CompleteOrder | RefundOrder)


def admit_request(request: R) -> R:
    """Return the request, with a trace id.

    Whether the order exists and is the client's own is for the orders stage to judge. Raises
    InvalidIntent with every problem, in the order: number, owner, channel or reason, trace.
    """
    problems: list[Problem] = []
    check_order_no(request.order_no, problems)
    check_owner(request.shop_id, request.user_id, problems)
    if isinstance(request, PayOrder):
        check_channel(request.channel, "channel", problems)
    elif isinstance(request, CancelOrder | RefundOrder):
        check_reason(request.reason, ProblemCode.BAD_REASON, problems)
    check_trace(request.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if request.trace_id:
        return request
    return replace(request, trace_id=derive_trace_id(request.order_no))
