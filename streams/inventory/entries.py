"""Judges what changes stock from outside: deliveries, corrections, transfers, counts, and rules."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.inventory import (
    AdjustStock,
    CountStock,
    Restock,
    SetStockRules,
    StockAdjusted,
    StockCounted,
    StockEntryRefused,
    StockReason,
    StockReceived,
    StockRulesSet,
    StockTransferred,
    TransferStock,
)
from schemas.record import Record
from streams.inventory import answers
from streams.inventory.backlog import served
from streams.inventory.facts import Movement
from streams.inventory.state import Sku, Stock, StockEntry, entry_key, stock_key
from streams.kernel.stage import View
from streams.reservations.phases import Reason
from streams.reservations.protocol import (
    AMOUNT_MAX,
    Changed,
    Refused,
    change_capacity,
    set_capacity,
)

Facts = Sequence[Record]
Entry = Restock | AdjustStock | TransferStock | CountStock | SetStockRules


def restock(state: View, message: Restock, _now_ms: int) -> Facts:
    """Guards: an empty id; a quantity that is not positive; then those of ``_known``.

    A sku or a warehouse that is not known yet begins here.
    """
    if message.qty <= 0:
        raise answers.out_of_range(message)
    known = _known(state, message, message.warehouse_id, message.qty)
    if known is not None:
        return known
    stock = _stock(state, message, message.warehouse_id)
    change = change_capacity(stock, message.qty)
    if isinstance(change, Refused):
        return (_refused(message, message.warehouse_id, change),)
    fact = StockReceived(
        sku_id=message.sku_id,
        warehouse_id=message.warehouse_id,
        version=change.version,
        shop_id=message.shop_id,
        ref=message.ref,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )
    return _and_served(state, fact)


def adjust_stock(state: View, message: AdjustStock, _now_ms: int) -> Facts:
    """Guards: an empty id; a delta of 0; those of ``_known``; UNKNOWN_SKU; BELOW_HELD."""
    if message.delta == 0:
        raise answers.out_of_range(message)
    known = _known(state, message, message.warehouse_id, message.delta)
    if known is not None:
        return known
    stock = _stock(state, message, message.warehouse_id)
    change = change_capacity(stock, message.delta) if stock is not None else _NOWHERE
    if isinstance(change, Refused):
        return (_refused(message, message.warehouse_id, change),)
    fact = StockAdjusted(
        sku_id=message.sku_id,
        warehouse_id=message.warehouse_id,
        version=change.version,
        shop_id=message.shop_id,
        ref=message.ref,
        reason=message.reason,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )
    return _and_served(state, fact)


def count_stock(state: View, message: CountStock, _now_ms: int) -> Facts:
    """Guards: an empty id; a negative count; those of ``_known``; UNKNOWN_SKU; BELOW_HELD.

    A count below what is held is refused, not booked down to it: some order has to give up its
    units first, and that is for people to decide.
    """
    if message.counted < 0:
        raise answers.out_of_range(message)
    known = _known(state, message, message.warehouse_id, message.counted)
    if known is not None:
        return known
    stock = _stock(state, message, message.warehouse_id)
    change = set_capacity(stock, message.counted) if stock is not None else _NOWHERE
    if isinstance(change, Refused):
        return (_refused(message, message.warehouse_id, change),)
    fact = StockCounted(
        sku_id=message.sku_id,
        warehouse_id=message.warehouse_id,
        version=change.version,
        shop_id=message.shop_id,
        ref=message.ref,
        operator=message.operator,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )
    return _and_served(state, fact)


def transfer_stock(state: View, message: TransferStock, _now_ms: int) -> Facts:
    """Guards: an empty id; a quantity that is not positive, or to where it is; those of ``_known``.

    Then UNKNOWN_SKU; INSUFFICIENT. A warehouse that never had the sku begins here. Nobody is served
    by a transfer: while units are promised none is available to be moved.
    """
    source, target = message.from_warehouse_id, message.to_warehouse_id
    if message.qty <= 0 or source == target:
        raise answers.out_of_range(message)
    known = _known(state, message, source, message.qty, target)
    if known is not None:
        return known
    stock = _stock(state, message, source)
    taken = change_capacity(stock, -message.qty) if stock is not None else _NOWHERE
    if isinstance(taken, Refused) and taken.reason is Reason.BELOW_HELD:
        taken = Refused(Reason.INSUFFICIENT, taken.available)
    if isinstance(taken, Refused):
        return (_refused(message, source, taken),)
    brought = change_capacity(_stock(state, message, target), message.qty)
    if isinstance(brought, Refused):
        return (_refused(message, target, brought),)
    return (
        _side(message, source, target, taken),
        _side(message, target, source, brought),
    )


def set_stock_rules(state: View, message: SetStockRules, _now_ms: int) -> Facts:
    """Guards: an empty id; a limit or cap that is negative or too large; those of ``_known``.

    What is held, bought and promised by then stays: the rules are those of the holds to come. A sku
    that is not known yet begins here.
    """
    limit, cap = message.buyer_limit, message.backorder_cap
    if not 0 <= limit <= AMOUNT_MAX or not 0 <= cap <= AMOUNT_MAX:
        raise answers.out_of_range(message)
    known = _known(state, message, "", limit, str(cap))
    if known is not None:
        return known
    return (
        StockRulesSet(
            sku_id=message.sku_id,
            shop_id=message.shop_id,
            ref=message.ref,
            buyer_limit=limit,
            backorder_cap=cap,
            operator=message.operator,
            trace_id=message.trace_id,
        ),
    )


def _known(
    state: View, message: Entry, warehouse_id: str, qty: int, other: str = ""
) -> Facts | None:
    """Return the facts that answer an entry without a look at the stock; None: look at it.

    Guards: an empty id; a repeat (no fact), or CONFLICT with another body; UNKNOWN_SKU (the sku is
    another shop's).
    """
    everywhere = isinstance(message, SetStockRules)
    if not message.ref or not (warehouse_id or everywhere):
        raise answers.without_id(message)
    if isinstance(message, TransferStock) and not other:
        raise answers.without_id(message)
    entry = state.get(StockEntry, entry_key(type(message).__name__, message.sku_id, message.ref))
    if entry is not None:
        if (entry.warehouse_id, entry.delta, entry.other) == (warehouse_id, qty, other):
            return ()
        return (_refused(message, warehouse_id, Refused(Reason.CONFLICT)),)
    sku = state.get(Sku, str(message.sku_id))
    if sku is not None and sku.shop_id != message.shop_id:
        return (_refused(message, warehouse_id, _NOWHERE),)
    return None


def _stock(state: View, message: Entry, warehouse_id: str) -> Stock | None:
    return state.get(Stock, stock_key(message.sku_id, warehouse_id))


def _and_served(state: View, fact: Movement) -> Facts:
    return (fact, *served(state, state.get(Sku, str(fact.sku_id)), (fact,)))


def _side(
    message: TransferStock, warehouse_id: str, other_warehouse_id: str, change: Changed
) -> StockTransferred:
    return StockTransferred(
        sku_id=message.sku_id,
        warehouse_id=warehouse_id,
        version=change.version,
        shop_id=message.shop_id,
        ref=message.ref,
        other_warehouse_id=other_warehouse_id,
        operator=message.operator,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )


def _refused(message: Entry, warehouse_id: str, refusal: Refused) -> StockEntryRefused:
    reason: StockReason = answers.stock_reason(message, refusal)
    return StockEntryRefused(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        warehouse_id=warehouse_id,
        ref=message.ref,
        command=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
        available=refusal.available,
    )


_NOWHERE = Refused(Reason.UNKNOWN_RESOURCE)
