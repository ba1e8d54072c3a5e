"""Admits what changes stock from outside: deliveries, corrections, transfers, counts and rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from schemas.inventory import (
    AdjustStock,
    CountStock,
    ExtendHold,
    Restock,
    SetStockRules,
    TransferStock,
)
from streams.admission.fields import (
    check_order_no,
    check_reason,
    check_trace,
    check_warehouse,
)
from streams.admission.identity import derive_trace_id
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

Entry = Restock | AdjustStock | TransferStock | CountStock | SetStockRules

R = TypeVar("R", bound=Entry)

MAX_ENTRY_QTY = 100_000_000
"""Units of one entry: 9e10 entries of 1e8 fit into 2^63, and no delivery has as many."""

MAX_REF_LENGTH = 128
"""Characters of a document's number, as of a client key."""

MAX_OPERATOR_LENGTH = 64
"""Characters of an operator's name or number."""

MAX_EXTENSION_MS = 366 * 24 * 3600 * 1000
"""A leap year, the longest that the inventory stage lets a hold live."""


def admit_entry(entry: R) -> R:
    """Return the entry, with a trace id.

    The sku need not have a price: goods arrive before they are listed. Raises InvalidIntent with
    every problem (BAD_ENTRY, BAD_TRACE), in the order: ref, shop, sku, warehouses, quantities,
    operator or reason, trace.
    """
    problems: list[Problem] = []
    if not 1 <= len(entry.ref) <= MAX_REF_LENGTH or not entry.ref.isprintable():
        detail = f"send the document's number: 1 to {MAX_REF_LENGTH} printable characters"
        _bad("ref", detail, problems)
    _check_sku(entry.shop_id, entry.sku_id, problems)
    for field, warehouse_id in _warehouses(entry):
        check_warehouse(warehouse_id, field, ProblemCode.BAD_ENTRY, problems)
    if isinstance(entry, TransferStock) and entry.from_warehouse_id == entry.to_warehouse_id:
        _bad("to_warehouse_id", "send another warehouse than the goods are in", problems)
    for field, quantity, least in _quantities(entry):
        if not least <= quantity <= MAX_ENTRY_QTY:
            _bad(field, f"{quantity} units; send {least} to {MAX_ENTRY_QTY}", problems)
    if isinstance(entry, AdjustStock):
        if entry.delta == 0 or abs(entry.delta) > MAX_ENTRY_QTY:
            detail = f"{entry.delta} units; send a change of at most {MAX_ENTRY_QTY} that is not 0"
            _bad("delta", detail, problems)
        check_reason(entry.reason, ProblemCode.BAD_ENTRY, problems)
    if isinstance(entry, TransferStock | CountStock | SetStockRules):
        _check_operator(entry.operator, problems)
    check_trace(entry.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if entry.trace_id:
        return entry
    name = f"{type(entry).__name__}/{entry.shop_id}/{entry.sku_id}/{entry.ref}"
    return replace(entry, trace_id=derive_trace_id(name))


def admit_extension(extension: ExtendHold) -> ExtendHold:
    """Return an operator's extension of a hold, with a trace id.

    Raises InvalidIntent with every problem (BAD_ORDER_NO, BAD_ENTRY, BAD_TRACE), in the order:
    order, hold, shop, sku, time, operator, trace.
    """
    problems: list[Problem] = []
    check_order_no(extension.order_no, problems)
    if not 1 <= len(extension.hold_id) <= MAX_REF_LENGTH or not extension.hold_id.isprintable():
        _bad("hold_id", "send the hold's id, as StockHeld carries it", problems)
    _check_sku(extension.shop_id, extension.sku_id, problems)
    if not 1 <= extension.ttl_ms <= MAX_EXTENSION_MS:
        detail = f"{extension.ttl_ms} ms; send 1 to {MAX_EXTENSION_MS}"
        _bad("ttl_ms", detail, problems)
    _check_operator(extension.operator, problems)
    check_trace(extension.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if extension.trace_id:
        return extension
    return replace(extension, trace_id=derive_trace_id(extension.order_no))


def _warehouses(entry: Entry) -> Iterator[tuple[str, str]]:
    if isinstance(entry, TransferStock):
        yield "from_warehouse_id", entry.from_warehouse_id
        yield "to_warehouse_id", entry.to_warehouse_id
    elif not isinstance(entry, SetStockRules):
        yield "warehouse_id", entry.warehouse_id


def _quantities(entry: Entry) -> Iterator[tuple[str, int, int]]:
    """Yield (field, quantity, the least that it may be)."""
    if isinstance(entry, Restock | TransferStock):
        yield "qty", entry.qty, 1
    elif isinstance(entry, CountStock):
        yield "counted", entry.counted, 0
    elif isinstance(entry, SetStockRules):
        yield "buyer_limit", entry.buyer_limit, 0
        yield "backorder_cap", entry.backorder_cap, 0


def _check_sku(shop_id: int, sku_id: int, problems: list[Problem]) -> None:
    if shop_id < 1:
        _bad("shop_id", "send the shop's id, 1 or more", problems)
    if sku_id < 1:
        _bad("sku_id", "send the sku's id, 1 or more", problems)


def _check_operator(operator: str, problems: list[Problem]) -> None:
    if not 1 <= len(operator) <= MAX_OPERATOR_LENGTH or not operator.isprintable():
        detail = f"say who does this: 1 to {MAX_OPERATOR_LENGTH} printable characters"
        _bad("operator", detail, problems)


def _bad(field: str, detail: str, problems: list[Problem]) -> None:
    problems.append(Problem(ProblemCode.BAD_ENTRY, field, detail))
