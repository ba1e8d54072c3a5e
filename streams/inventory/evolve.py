"""Folds the facts of the inventory stage into its state.

A movement carries the stock after it, so folding it is writing it down: nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

import msgspec

from schemas.inventory import (
    AdjustStock,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    ReleaseCause,
    Restock,
    StockAdjusted,
    StockDeducted,
    StockEntryRefused,
    StockHeld,
    StockReceived,
    StockRefused,
    StockReleased,
)
from schemas.record import Record
from streams.inventory.facts import EntryForgotten, HoldForgotten, Repeated
from streams.inventory.state import (
    ENTRY_RETENTION_MS,
    Sku,
    Stock,
    StockEntry,
    StockHold,
    entry_key,
    stock_key,
)
from streams.kernel.errors import StageDefect
from streams.kernel.stage import State
from streams.reservations.phases import Phase
from streams.reservations.records import RETENTION_MS, ended, prolonged

_CONFIRMED, _CANCELLED, _EXPIRED = Phase.CONFIRMED, Phase.CANCELLED, Phase.EXPIRED
_RESTOCK, _ADJUST = Restock.__name__, AdjustStock.__name__
_HELD, _FENCED = Phase.HELD, Phase.FENCED


def evolve(state: State, fact: Record, now_ms: int) -> None:
    """Fold one fact into the state; raise KeyError for a fact that is not this stage's."""
    EVOLVERS[type(fact)](state, fact, now_ms)


def _held(state: State, fact: StockHeld, _now_ms: int) -> None:
    resource_id = intern(str(fact.sku_id))  # one text for all holds of the sku
    _move(state, resource_id, fact)
    hold_id = fact.hold_id
    state.put(
        hold_id,
        StockHold(
            hold_id=hold_id,
            resource_id=resource_id,
            owner=fact.order_no,
            amount=fact.qty,
            spent=0,
            phase=_HELD,
            due_ms=fact.expires_at_ms,
            version=fact.version,
            on_hand=fact.on_hand,
            held=fact.held,
            trace_id=fact.trace_id,
            warehouse_id=fact.warehouse_id,
            shop_id=fact.shop_id,
        ),
    )


def _deducted(state: State, fact: StockDeducted, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    _end(state, fact, _CONFIRMED, fact.qty, now_ms)


def _released(state: State, fact: StockReleased, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    phase = _EXPIRED if fact.cause == ReleaseCause.EXPIRED else _CANCELLED
    _end(state, fact, phase, 0, now_ms)


def _extended(state: State, fact: HoldExtended, _now_ms: int) -> None:
    state.put(fact.hold_id, prolonged(_hold(state, fact.hold_id), fact.expires_at_ms))


def _fenced(state: State, fact: HoldFenced, now_ms: int) -> None:
    state.put(
        fact.hold_id,
        StockHold(
            hold_id=fact.hold_id,
            resource_id=str(fact.sku_id),
            owner=fact.order_no,
            amount=0,
            spent=0,
            phase=_FENCED,
            due_ms=now_ms + RETENTION_MS,
            version=0,
            on_hand=0,
            held=0,
            trace_id="",
            warehouse_id="",
            shop_id=fact.shop_id,
        ),
    )


def _received(state: State, fact: StockReceived, now_ms: int) -> None:
    resource_id = str(fact.sku_id)
    sku = state.get(Sku, resource_id)
    if sku is None:
        state.put(resource_id, Sku(fact.sku_id, fact.shop_id, (fact.warehouse_id,)))
    elif fact.warehouse_id not in sku.warehouses:
        warehouses = tuple(sorted((*sku.warehouses, fact.warehouse_id)))
        state.put(resource_id, msgspec.structs.replace(sku, warehouses=warehouses))
    _move(state, resource_id, fact)
    _enter(state, _RESTOCK, fact, now_ms)


def _adjusted(state: State, fact: StockAdjusted, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    _enter(state, _ADJUST, fact, now_ms)


def _hold_forgotten(state: State, fact: HoldForgotten, _now_ms: int) -> None:
    state.delete(StockHold, fact.hold_id)


def _entry_forgotten(state: State, fact: EntryForgotten, _now_ms: int) -> None:
    state.delete(StockEntry, entry_key(fact.command, fact.sku_id, fact.ref))


def _nothing(_state: State, _fact: Record, _now_ms: int) -> None:
    """Change nothing: a refusal, or an answer given again."""


def _move(
    state: State,
    resource_id: str,
    fact: StockHeld | StockDeducted | StockReleased | StockReceived | StockAdjusted,
) -> None:
    warehouse_id = fact.warehouse_id
    stock = Stock(
        version=fact.version,
        on_hand=fact.on_hand,
        held=fact.held,
        sku_id=fact.sku_id,
        warehouse_id=warehouse_id,
    )
    state.put(stock_key(resource_id, warehouse_id), stock)


def _end(
    state: State, fact: StockDeducted | StockReleased, phase: Phase, spent: int, now_ms: int
) -> None:
    hold = _hold(state, fact.hold_id)
    state.put(
        fact.hold_id,
        ended(hold, phase, spent, fact.version, fact.on_hand, fact.held, now_ms),
    )


def _hold(state: State, hold_id: str) -> StockHold:
    hold = state.get(StockHold, hold_id)
    if hold is None:
        raise StageDefect(f"a fact moves hold {hold_id}, which is not there")
    return hold


def _enter(state: State, command: str, fact: StockReceived | StockAdjusted, now_ms: int) -> None:
    state.put(
        entry_key(command, fact.sku_id, fact.ref),
        StockEntry(
            command=command,
            ref=fact.ref,
            sku_id=fact.sku_id,
            warehouse_id=fact.warehouse_id,
            delta=fact.delta_on_hand,
            due_ms=now_ms + ENTRY_RETENTION_MS,
        ),
    )


EVOLVERS: dict[type[Record], Callable[[State, Any, int], None]] = {
    StockHeld: _held,
    StockDeducted: _deducted,
    StockReleased: _released,
    StockReceived: _received,
    StockAdjusted: _adjusted,
    HoldExtended: _extended,
    HoldFenced: _fenced,
    HoldForgotten: _hold_forgotten,
    EntryForgotten: _entry_forgotten,
    StockRefused: _nothing,
    HoldEndRefused: _nothing,
    StockEntryRefused: _nothing,
    Repeated: _nothing,
}
