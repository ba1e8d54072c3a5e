"""Folds the facts of the inventory stage into its state.

A movement carries the stock after it, so folding it is writing it down: nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

from msgspec.structs import replace

from schemas.inventory import (
    AdjustStock,
    BackorderConfirmed,
    BackorderReleased,
    BackorderServed,
    BuyerCounted,
    CountStock,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    ReleaseCause,
    Restock,
    ReturnStock,
    SetStockRules,
    Share,
    StockAdjusted,
    StockBackordered,
    StockCounted,
    StockDeducted,
    StockEntryRefused,
    StockHeld,
    StockReceived,
    StockRefused,
    StockReleased,
    StockReturned,
    StockRulesSet,
    StockTransferred,
    TransferStock,
)
from schemas.record import Record
from streams.inventory.facts import (
    EntryForgotten,
    HoldForgotten,
    Movement,
    Repeated,
    stock_after,
)
from streams.inventory.state import (
    ENTRY_RETENTION_MS,
    Backorder,
    BuyerUnits,
    HoldPlan,
    Sku,
    StockEntry,
    StockHold,
    backorder_key,
    buyer_key,
    entry_key,
    stock_key,
)
from streams.kernel.errors import StageDefect
from streams.kernel.stage import State
from streams.reservations.phases import Phase
from streams.reservations.records import RETENTION_MS, ended, prolonged

_CONFIRMED, _CANCELLED, _EXPIRED = Phase.CONFIRMED, Phase.CANCELLED, Phase.EXPIRED
_HELD, _FENCED = Phase.HELD, Phase.FENCED


def evolve(state: State, fact: Record, now_ms: int) -> None:
    """Fold one fact into the state; raise KeyError for a fact that is not this stage's."""
    EVOLVERS[type(fact)](state, fact, now_ms)


# --- holds ---------------------------------------------------------------------------------------


def _held(state: State, fact: StockHeld, _now_ms: int) -> None:
    resource_id = intern(str(fact.sku_id))  # one text for all holds of the sku
    _move(state, resource_id, fact)
    hold_id, qty, plan = fact.hold_id, fact.qty, None
    why = fact.allocated
    if why is not None:
        known = state.get(StockHold, hold_id)
        taken = known.plan.shares if known is not None and known.plan is not None else ()
        plan = HoldPlan(why, (*taken, Share(fact.warehouse_id, qty)))
        qty = why.asked
    state.put(
        hold_id,
        StockHold(
            hold_id=hold_id,
            resource_id=resource_id,
            owner=fact.order_no,
            amount=qty,
            spent=0,
            phase=_HELD,
            due_ms=fact.expires_at_ms,
            version=fact.version,
            on_hand=fact.on_hand,
            held=fact.held,
            trace_id=fact.trace_id,
            warehouse_id=fact.warehouse_id,
            shop_id=fact.shop_id,
            plan=plan,
        ),
    )


def _deducted(state: State, fact: StockDeducted, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    hold = _end(state, fact, _CONFIRMED, fact.qty, now_ms)
    if hold.plan is not None:
        _confirm_planned(state, hold, hold.plan)


def _promise_confirmed(state: State, fact: BackorderConfirmed, now_ms: int) -> None:
    hold = _hold(state, fact.hold_id)
    hold = ended(hold, _CONFIRMED, 0, hold.version, hold.on_hand, hold.held, now_ms)
    if hold.plan is not None:
        _confirm_planned(state, hold, hold.plan)


def _confirm_planned(state: State, hold: StockHold, plan: HoldPlan) -> None:
    """Keep a confirmed hold, for as long as it is owed anything without a time of forgetting."""
    due_ms = 0 if plan.backordered else hold.due_ms
    state.put(hold.hold_id, replace(hold, spent=hold.amount, due_ms=due_ms))


def _released(state: State, fact: StockReleased, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    _end(state, fact, _end_of(fact.cause), 0, now_ms)


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


def _hold_forgotten(state: State, fact: HoldForgotten, _now_ms: int) -> None:
    state.delete(StockHold, fact.hold_id)


# --- promised units and buyers -------------------------------------------------------------------


def _backordered(state: State, fact: StockBackordered, _now_ms: int) -> None:
    sku = _sku(state, fact.sku_id)
    place = sku.backlog_next
    state.put(str(fact.sku_id), replace(sku, backordered=fact.backordered, backlog_next=place + 1))
    state.put(backorder_key(fact.sku_id, place), Backorder(fact.hold_id))
    hold = state.get(StockHold, fact.hold_id)
    if hold is None:
        hold = StockHold(
            hold_id=fact.hold_id,
            resource_id=str(fact.sku_id),
            owner=fact.order_no,
            amount=fact.asked,
            spent=0,
            phase=_HELD,
            due_ms=fact.expires_at_ms,
            version=0,
            on_hand=0,
            held=0,
            trace_id=fact.trace_id,
            warehouse_id="",
            shop_id=fact.shop_id,
        )
    plan = hold.plan or HoldPlan(None, ())
    plan = replace(plan, backordered=fact.qty, place=place)
    state.put(fact.hold_id, replace(hold, plan=plan))


def _served(state: State, fact: BackorderServed, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    hold = _hold(state, fact.hold_id)
    plan = hold.plan or HoldPlan(None, ())
    left = plan.backordered - fact.qty
    due_ms = now_ms + RETENTION_MS if fact.owed and not left else hold.due_ms
    state.put(
        fact.hold_id,
        replace(
            hold,
            due_ms=due_ms,
            version=fact.version,
            on_hand=fact.on_hand,
            held=fact.held,
            warehouse_id=fact.warehouse_id,
            plan=replace(plan, shares=_with_share(plan.shares, fact), backordered=left),
        ),
    )
    if not left:
        state.delete(Backorder, backorder_key(fact.sku_id, plan.place))
    # Whoever queued before is served or gave up: the next look starts here.
    first = plan.place if left else plan.place + 1
    sku = _sku(state, fact.sku_id)
    state.put(str(fact.sku_id), replace(sku, backordered=fact.backordered, backlog_first=first))


def _with_share(shares: tuple[Share, ...], fact: BackorderServed) -> tuple[Share, ...]:
    """Return ``shares`` with the units served: one share a warehouse, the last moved at the end."""
    here = sum(share.qty for share in shares if share.warehouse_id == fact.warehouse_id)
    others = tuple(share for share in shares if share.warehouse_id != fact.warehouse_id)
    return (*others, Share(fact.warehouse_id, here + fact.qty))


def _promise_released(state: State, fact: BackorderReleased, now_ms: int) -> None:
    sku = _sku(state, fact.sku_id)
    first = sku.backlog_first if fact.backordered else sku.backlog_next
    state.put(str(fact.sku_id), replace(sku, backordered=fact.backordered, backlog_first=first))
    hold = _hold(state, fact.hold_id)
    plan = hold.plan or HoldPlan(None, ())
    state.delete(Backorder, backorder_key(fact.sku_id, plan.place))
    if hold.phase == _HELD:
        phase = _end_of(fact.cause)
        hold = ended(hold, phase, 0, hold.version, hold.on_hand, hold.held, now_ms)
    due_ms = hold.due_ms or now_ms + RETENTION_MS
    state.put(fact.hold_id, replace(hold, due_ms=due_ms, plan=replace(plan, backordered=0)))


def _buyer_counted(state: State, fact: BuyerCounted, _now_ms: int) -> None:
    key = buyer_key(fact.sku_id, fact.user_id)
    if fact.units:
        state.put(key, BuyerUnits(fact.units))
    else:
        state.delete(BuyerUnits, key)
    hold = _hold(state, fact.hold_id)
    plan = hold.plan or HoldPlan(None, (Share(hold.warehouse_id, hold.amount),))
    user_id = fact.user_id if fact.delta > 0 else 0  # once given back it counts no more
    state.put(fact.hold_id, replace(hold, plan=replace(plan, user_id=user_id)))


# --- entries -------------------------------------------------------------------------------------


def _received(state: State, fact: StockReceived, now_ms: int) -> None:
    _move(state, _begin(state, fact), fact)
    _enter(state, Restock, fact, fact.delta_on_hand, now_ms)


def _adjusted(state: State, fact: StockAdjusted, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    _enter(state, AdjustStock, fact, fact.delta_on_hand, now_ms)


def _counted(state: State, fact: StockCounted, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    _enter(state, CountStock, fact, fact.on_hand, now_ms)


def _transferred(state: State, fact: StockTransferred, now_ms: int) -> None:
    _move(state, _begin(state, fact), fact)
    if fact.delta_on_hand < 0:
        _enter(state, TransferStock, fact, -fact.delta_on_hand, now_ms, fact.other_warehouse_id)


def _returned(state: State, fact: StockReturned, now_ms: int) -> None:
    _move(state, str(fact.sku_id), fact)
    key = entry_key(ReturnStock.__name__, fact.sku_id, fact.hold_id)
    due_ms = now_ms + ENTRY_RETENTION_MS
    entry = StockEntry(ReturnStock.__name__, fact.hold_id, fact.sku_id, "", 0, due_ms)
    state.put(key, entry)


def _rules_set(state: State, fact: StockRulesSet, now_ms: int) -> None:
    key = str(fact.sku_id)
    sku = state.get(Sku, key) or Sku(fact.sku_id, fact.shop_id, ())
    limit, cap = fact.buyer_limit, fact.backorder_cap
    state.put(key, replace(sku, buyer_limit=limit, backorder_cap=cap))
    state.put(
        entry_key(SetStockRules.__name__, fact.sku_id, fact.ref),
        StockEntry(
            command=SetStockRules.__name__,
            ref=fact.ref,
            sku_id=fact.sku_id,
            warehouse_id="",
            delta=limit,
            due_ms=now_ms + ENTRY_RETENTION_MS,
            other=str(cap),
        ),
    )


def _entry_forgotten(state: State, fact: EntryForgotten, _now_ms: int) -> None:
    state.delete(StockEntry, entry_key(fact.command, fact.sku_id, fact.ref))


def _nothing(_state: State, _fact: Record, _now_ms: int) -> None:
    """Change nothing: a refusal, or an answer given again."""


def _begin(state: State, fact: StockReceived | StockTransferred) -> str:
    """Let the sku be known in the warehouse that ``fact`` brings it to; return its key."""
    resource_id = str(fact.sku_id)
    sku = state.get(Sku, resource_id)
    if sku is None:
        state.put(resource_id, Sku(fact.sku_id, fact.shop_id, (fact.warehouse_id,)))
    elif fact.warehouse_id not in sku.warehouses:
        warehouses = tuple(sorted((*sku.warehouses, fact.warehouse_id)))
        state.put(resource_id, replace(sku, warehouses=warehouses))
    return resource_id


def _move(state: State, resource_id: str, fact: Movement) -> None:
    state.put(stock_key(resource_id, fact.warehouse_id), stock_after(fact))


def _end(
    state: State, fact: StockDeducted | StockReleased, phase: Phase, spent: int, now_ms: int
) -> StockHold:
    hold = _hold(state, fact.hold_id)
    hold = ended(hold, phase, spent, fact.version, fact.on_hand, fact.held, now_ms)
    state.put(fact.hold_id, hold)
    return hold


def _end_of(cause: ReleaseCause) -> Phase:
    return _EXPIRED if cause == ReleaseCause.EXPIRED else _CANCELLED


def _hold(state: State, hold_id: str) -> StockHold:
    hold = state.get(StockHold, hold_id)
    if hold is None:
        raise StageDefect(f"a fact moves hold {hold_id}, which is not there")
    return hold


def _sku(state: State, sku_id: int) -> Sku:
    sku = state.get(Sku, str(sku_id))
    if sku is None:
        raise StageDefect(f"a fact moves sku {sku_id}, which is not there")
    return sku


def _enter(
    state: State,
    command: type[Record],
    fact: StockReceived | StockAdjusted | StockCounted | StockTransferred,
    qty: int,
    now_ms: int,
    other: str = "",
) -> None:
    name = command.__name__
    state.put(
        entry_key(name, fact.sku_id, fact.ref),
        StockEntry(
            command=name,
            ref=fact.ref,
            sku_id=fact.sku_id,
            warehouse_id=fact.warehouse_id,
            delta=qty,
            due_ms=now_ms + ENTRY_RETENTION_MS,
            other=other,
        ),
    )


EVOLVERS: dict[type[Record], Callable[[State, Any, int], None]] = {
    StockHeld: _held,
    StockDeducted: _deducted,
    StockReleased: _released,
    StockReturned: _returned,
    StockReceived: _received,
    StockAdjusted: _adjusted,
    StockTransferred: _transferred,
    StockCounted: _counted,
    StockBackordered: _backordered,
    BackorderServed: _served,
    BackorderConfirmed: _promise_confirmed,
    BackorderReleased: _promise_released,
    BuyerCounted: _buyer_counted,
    StockRulesSet: _rules_set,
    HoldExtended: _extended,
    HoldFenced: _fenced,
    HoldForgotten: _hold_forgotten,
    EntryForgotten: _entry_forgotten,
    StockRefused: _nothing,
    HoldEndRefused: _nothing,
    StockEntryRefused: _nothing,
    Repeated: _nothing,
}
