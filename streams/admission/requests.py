"""Admits what is asked of an order that exists: pay, cancel, ship, complete, refund, operate."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from schemas.order import (
    CancelOrder,
    CompleteOrder,
    OperateOrder,
    PayOrder,
    RefundOrder,
    ShipOrder,
    SkuUnits,
)
from streams.admission.fields import (
    check_channel,
    check_order_no,
    check_owner,
    check_reason,
    check_trace,
)
from streams.admission.identity import derive_trace_id
from streams.admission.placing import MAX_KEY_LENGTH, MAX_LINES, MAX_QTY
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

OrderRequest = PayOrder | CancelOrder | ShipOrder | CompleteOrder | RefundOrder | OperateOrder
R = TypeVar("R", bound=OrderRequest)

MAX_NAME_LENGTH = 64
"""Characters of a waybill's number, of a carrier's and of an operator's name: all are kept in facts
for good."""


def admit_request(request: R) -> R:
    """Return the request, with a trace id.

    Whether the order exists and is the client's own is for the orders stage to judge. Raises
    InvalidIntent with every problem, in the order: number, owner, what is special to it, trace.
    """
    problems: list[Problem] = []
    check_order_no(request.order_no, problems)
    if isinstance(request, ShipOrder | OperateOrder):
        if request.shop_id < 1:
            problems.append(
                Problem(ProblemCode.BAD_SHOP, "shop_id", "send the shop's id, 1 or more")
            )
    else:
        check_owner(request.shop_id, request.user_id, problems)
    _check_special(request, problems)
    check_trace(request.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if request.trace_id:
        return request
    return replace(request, trace_id=derive_trace_id(request.order_no))


def _check_special(request: OrderRequest, problems: list[Problem]) -> None:
    if isinstance(request, PayOrder):
        check_channel(request.channel, "channel", problems)
    elif isinstance(request, CancelOrder):
        check_reason(request.reason, ProblemCode.BAD_REASON, problems)
    elif isinstance(request, RefundOrder):
        check_reason(request.reason, ProblemCode.BAD_REASON, problems)
        _check_units(request.units, problems)
        key = request.refund_key
        if len(key) > MAX_KEY_LENGTH or not key.isprintable() or (request.units and not key):
            detail = (
                f"send 1 to {MAX_KEY_LENGTH} printable characters, new for each refund of the "
                "order; only a refund of everything may leave it empty"
            )
            problems.append(Problem(ProblemCode.BAD_KEY, "refund_key", detail))
    elif isinstance(request, ShipOrder):
        _check_name(request.waybill_no, ProblemCode.BAD_WAYBILL, "waybill_no", problems)
        if request.carrier:
            _check_name(request.carrier, ProblemCode.BAD_WAYBILL, "carrier", problems)
        _check_units(request.units, problems)
    elif isinstance(request, OperateOrder):
        _check_name(request.operator, ProblemCode.BAD_OPERATOR, "operator", problems)
        check_reason(request.reason, ProblemCode.BAD_REASON, problems)
        if not request.reason:
            detail = "say why: it is kept with your name"
            problems.append(Problem(ProblemCode.BAD_REASON, "reason", detail))


def _check_name(name: str, code: ProblemCode, field: str, problems: list[Problem]) -> None:
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        detail = f"send 1 to {MAX_NAME_LENGTH} printable characters"
        problems.append(Problem(code, field, detail))


def _check_units(units: tuple[SkuUnits, ...], problems: list[Problem]) -> None:
    if len(units) > MAX_LINES:
        detail = f"{len(units)} skus; an order has at most {MAX_LINES}"
        problems.append(Problem(ProblemCode.BAD_UNITS, "units", detail))
        return
    for index, part in enumerate(units):
        if part.sku_id < 1 or not 1 <= part.qty <= MAX_LINES * MAX_QTY:
            detail = f"{part.qty} units of sku {part.sku_id}; send at least 1 of a sku of the order"
            problems.append(Problem(ProblemCode.BAD_UNITS, f"units[{index}]", detail))
