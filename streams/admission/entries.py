"""Admits what changes stock from outside: deliveries and corrections."""

from __future__ import annotations

import re
from typing import TypeVar

from msgspec.structs import replace

from schemas.inventory import AdjustStock, Restock
from streams.admission.fields import check_reason, check_trace
from streams.admission.identity import derive_trace_id
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

R = TypeVar("R", bound=Restock | AdjustStock)

MAX_ENTRY_QTY = 100_000_000
"""Units of one entry: 9e10 entries of 1e8 fit into 2^63, and no delivery has as many."""

MAX_REF_LENGTH = 128
"""Characters of a document's number, as of a client key."""

_WAREHOUSE = re.compile("[A-Za-z0-9_.-]{1,32}")


def admit_entry(entry: R) -> R:
    """Return the entry, with a trace id.

    The sku need not have a price: goods arrive before they are listed. Raises InvalidIntent with
    every problem (BAD_ENTRY, BAD_TRACE), in the order: ref, shop, sku, warehouse, quantity, reason,
    trace.
    """
    problems: list[Problem] = []
    _check_names(entry, problems)
    if isinstance(entry, Restock) and not 1 <= entry.qty <= MAX_ENTRY_QTY:
        _bad("qty", f"{entry.qty} units; send 1 to {MAX_ENTRY_QTY}", problems)
    if isinstance(entry, AdjustStock):
        if entry.delta == 0 or abs(entry.delta) > MAX_ENTRY_QTY:
            detail = f"{entry.delta} units; send a change of at most {MAX_ENTRY_QTY} that is not 0"
            _bad("delta", detail, problems)
        check_reason(entry.reason, ProblemCode.BAD_ENTRY, problems)
    check_trace(entry.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if entry.trace_id:
        return entry
    name = f"{type(entry).__name__}/{entry.shop_id}/{entry.sku_id}/{entry.ref}"
    return replace(entry, trace_id=derive_trace_id(name))


def _check_names(entry: Restock | AdjustStock, problems: list[Problem]) -> None:
    if not 1 <= len(entry.ref) <= MAX_REF_LENGTH or not entry.ref.isprintable():
        detail = f"send the document's number: 1 to {MAX_REF_LENGTH} printable characters"
        _bad("ref", detail, problems)
    if entry.shop_id < 1:
        _bad("shop_id", "send the shop's id, 1 or more", problems)
    if entry.sku_id < 1:
        _bad("sku_id", "send the sku's id, 1 or more", problems)
    if not _WAREHOUSE.fullmatch(entry.warehouse_id):
        detail = "send the warehouse's id: 1 to 32 letters, digits, '_', '.' or '-'"
        _bad("warehouse_id", detail, problems)


def _bad(field: str, detail: str, problems: list[Problem]) -> None:
    problems.append(Problem(ProblemCode.BAD_ENTRY, field, detail))
