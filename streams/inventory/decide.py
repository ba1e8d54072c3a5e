"""Judges the messages and timers of the inventory stage.

The rules of holds are those of ``streams.reservations.protocol``; here are the rules of stock:
which sku, which shop, which warehouse, and what the answer looks like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.inventory import (
    AdjustStock,
    CancelHold,
    ConfirmHold,
    ExtendHold,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    ReleaseCause,
    Restock,
    StockAdjusted,
    StockDeducted,
    StockEntryRefused,
    StockHeld,
    StockReason,
    StockReceived,
    StockRefused,
    StockReleased,
    TryHold,
)
from schemas.record import Record
from streams.inventory.allocation import allocate
from streams.inventory.facts import EntryForgotten, HoldForgotten, Repeated
from streams.inventory.state import Sku, Stock, StockEntry, StockHold, entry_key, stock_key
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.kernel.stage import View
from streams.reservations.phases import REPEAT, Phase, Reason
from streams.reservations.protocol import (
    Changed,
    Extended,
    Fenced,
    Held,
    Refused,
    Released,
    Spent,
    cancel_hold,
    change_capacity,
    confirm_hold,
    expire_hold,
    extend_hold,
    try_hold,
)

Facts = Sequence[Record]

STOCK_REASONS = {
    Reason.CONFLICT: StockReason.CONFLICT,
    Reason.FENCED: StockReason.FENCED,
    Reason.ALREADY_CONFIRMED: StockReason.ALREADY_CONFIRMED,
    Reason.ALREADY_CANCELLED: StockReason.ALREADY_CANCELLED,
    Reason.HOLD_EXPIRED: StockReason.HOLD_EXPIRED,
    Reason.UNKNOWN_HOLD: StockReason.UNKNOWN_HOLD,
    Reason.UNKNOWN_RESOURCE: StockReason.UNKNOWN_SKU,
    Reason.INSUFFICIENT: StockReason.INSUFFICIENT,
    Reason.BELOW_HELD: StockReason.BELOW_HELD,
}


def decide(state: View, message: Record, now_ms: int) -> Facts:
    """Judge one message of the inbox; return the facts, in order (none: a repeated entry).

    Raises InvalidMessage for an unknown kind of message, an empty id, and quantities and times that
    are not positive or too large.
    """
    judge = DECIDERS.get(type(message))
    if judge is None:
        raise InvalidMessage(
            "UNKNOWN_MESSAGE", f"{type(message).__name__} is not for the inventory stage"
        )
    return judge(state, message, now_ms)


def wake(state: View, record: Record, now_ms: int) -> Facts:
    """Judge a record whose time has come: an expired hold, or a memory that may go."""
    if isinstance(record, StockHold):
        if record.phase != Phase.HELD:
            return (HoldForgotten(record.hold_id),)
        return _expire(state, record, now_ms)
    if isinstance(record, StockEntry):
        return (EntryForgotten(record.command, record.sku_id, record.ref),)
    raise StageDefect(f"{type(record).__name__} has no timer")


# --- holds ---------------------------------------------------------------------------------------


def _try_hold(state: View, message: TryHold, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``try_hold``, where no sku of this shop is UNKNOWN_SKU."""
    hold_id, order_no = message.hold_id, message.order_no
    if not hold_id or not order_no:
        raise _without_id(message)
    resource_id = str(message.sku_id)
    hold = state.get(StockHold, hold_id)
    stock = None
    if hold is None:
        stock = allocate(_stocks(state, resource_id, message.shop_id), message.qty).stock
    outcome = try_hold(
        hold,
        stock,
        resource_id=resource_id,
        owner=order_no,
        amount=message.qty,
        ttl_ms=message.ttl_ms,
        now_ms=now_ms,
    )
    if isinstance(outcome, Held) and stock is not None:
        return (_held(message, stock.warehouse_id, outcome),)
    if outcome is REPEAT and hold is not None:
        first = Held(hold.version, hold.on_hand, hold.held, 0, hold.amount, hold.due_ms)
        return (Repeated(_held(message, hold.warehouse_id, first)),)
    if isinstance(outcome, Refused):
        return (
            StockRefused(
                sku_id=message.sku_id,
                shop_id=message.shop_id,
                hold_id=hold_id,
                order_no=order_no,
                requested=message.qty,
                available=outcome.available,
                reason=_stock_reason(message, outcome),
                trace_id=message.trace_id,
            ),
        )
    raise _inconsistent(hold_id)


def _confirm_hold(state: View, message: ConfirmHold, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``confirm_hold``."""
    if not message.hold_id or not message.order_no:
        raise _without_id(message)
    hold = state.get(StockHold, message.hold_id)
    outcome = confirm_hold(
        hold,
        _stock_of(state, hold),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        now_ms=now_ms,
    )
    if hold is not None:
        if isinstance(outcome, Spent):
            return (_deducted(message, hold, outcome),)
        if outcome is REPEAT:
            first = Spent(hold.version, hold.on_hand, hold.held, -hold.spent, -hold.amount)
            return (Repeated(_deducted(message, hold, first)),)
    return (_end_refused(message, outcome),)


def _cancel_hold(state: View, message: CancelHold, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``cancel_hold``."""
    if not message.hold_id or not message.order_no:
        raise _without_id(message)
    hold = state.get(StockHold, message.hold_id)
    outcome = cancel_hold(
        hold,
        _stock_of(state, hold),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        now_ms=now_ms,
    )
    if isinstance(outcome, Fenced):
        return (_fenced(message),)
    if hold is not None:
        trace_id = message.trace_id
        if isinstance(outcome, Released):
            return (_released(hold, outcome, ReleaseCause.CANCELLED, trace_id),)
        if outcome is REPEAT and hold.phase == Phase.FENCED:
            return (Repeated(_fenced(message)),)
        if outcome is REPEAT:
            first = Released(hold.version, hold.on_hand, hold.held, 0, -hold.amount)
            return (Repeated(_released(hold, first, ReleaseCause.CANCELLED, trace_id)),)
    return (_end_refused(message, outcome),)


def _extend_hold(state: View, message: ExtendHold, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``extend_hold``."""
    if not message.hold_id or not message.order_no:
        raise _without_id(message)
    hold = state.get(StockHold, message.hold_id)
    outcome = extend_hold(
        hold,
        resource_id=str(message.sku_id),
        owner=message.order_no,
        ttl_ms=message.ttl_ms,
        now_ms=now_ms,
    )
    if isinstance(outcome, Extended):
        return (_extended(message, outcome.expires_at_ms),)
    if outcome is REPEAT and hold is not None:
        return (Repeated(_extended(message, hold.due_ms)),)
    return (_end_refused(message, outcome),)


def _expire(state: View, hold: StockHold, now_ms: int) -> Facts:
    outcome = expire_hold(hold, _stock_of(state, hold), now_ms=now_ms)
    if isinstance(outcome, Released):
        return (_released(hold, outcome, ReleaseCause.EXPIRED, hold.trace_id),)
    raise _inconsistent(hold.hold_id)


# --- entries -------------------------------------------------------------------------------------


def _restock(state: View, message: Restock, _now_ms: int) -> Facts:
    """Guards: an empty id; a quantity that is not positive; then those of ``_judge_entry``.

    A sku or a warehouse that is not known yet begins here.
    """
    if message.qty <= 0:
        raise _out_of_range(message)
    change = _judge_entry(state, message, message.qty)
    if not isinstance(change, Changed):
        return change
    return (
        StockReceived(
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
        ),
    )


def _adjust_stock(state: View, message: AdjustStock, _now_ms: int) -> Facts:
    """Guards: an empty id; a delta of 0; then those of ``_judge_entry``."""
    if message.delta == 0:
        raise _out_of_range(message)
    change = _judge_entry(state, message, message.delta)
    if not isinstance(change, Changed):
        return change
    return (
        StockAdjusted(
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
        ),
    )


def _judge_entry(state: View, message: Restock | AdjustStock, delta: int) -> Changed | Facts:
    """Return the change of stock, or the facts that answer instead (none: it counted before).

    Guards: CONFLICT (same ref, other warehouse or quantity) or a repeat; UNKNOWN_SKU (the sku is
    another shop's, or the warehouse of a correction never had it); beyond range; BELOW_HELD.
    """
    if not message.ref or not message.warehouse_id:
        raise _without_id(message)
    sku_id, warehouse_id = message.sku_id, message.warehouse_id
    entry = state.get(StockEntry, entry_key(type(message).__name__, sku_id, message.ref))
    if entry is not None:
        if entry.warehouse_id == warehouse_id and entry.delta == delta:
            return ()
        return (_entry_refused(message, StockReason.CONFLICT),)
    sku = state.get(Sku, str(sku_id))
    stock = state.get(Stock, stock_key(sku_id, warehouse_id))
    if sku is not None and sku.shop_id != message.shop_id:
        return (_entry_refused(message, StockReason.UNKNOWN_SKU),)
    if stock is None and isinstance(message, AdjustStock):
        return (_entry_refused(message, StockReason.UNKNOWN_SKU),)
    change = change_capacity(stock, delta)
    if isinstance(change, Refused):
        return (_entry_refused(message, _stock_reason(message, change)),)
    return change


# --- reads ---------------------------------------------------------------------------------------


def _stocks(state: View, resource_id: str, shop_id: int) -> list[Stock]:
    """Return the sku's stocks in the order of its warehouses; none for another shop's sku."""
    sku = state.get(Sku, resource_id)
    if sku is None or sku.shop_id != shop_id:
        return []
    stocks = []
    for warehouse_id in sku.warehouses:
        stock = state.get(Stock, stock_key(resource_id, warehouse_id))
        if stock is not None:
            stocks.append(stock)
    return stocks


def _stock_of(state: View, hold: StockHold | None) -> Stock | None:
    if hold is None:
        return None
    return state.get(Stock, stock_key(hold.resource_id, hold.warehouse_id))


# --- answers: the same function makes the first and every repeated one ---------------------------


def _held(message: TryHold, warehouse_id: str, movement: Held) -> StockHeld:
    return StockHeld(
        sku_id=message.sku_id,
        warehouse_id=warehouse_id,
        version=movement.version,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=message.qty,
        expires_at_ms=movement.expires_at_ms,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
    )


def _deducted(message: ConfirmHold, hold: StockHold, movement: Spent) -> StockDeducted:
    return StockDeducted(
        sku_id=message.sku_id,
        warehouse_id=hold.warehouse_id,
        version=movement.version,
        shop_id=hold.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=movement.spent,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
    )


def _released(
    hold: StockHold, movement: Released, cause: ReleaseCause, trace_id: str
) -> StockReleased:
    return StockReleased(
        sku_id=int(hold.resource_id),
        warehouse_id=hold.warehouse_id,
        version=movement.version,
        shop_id=hold.shop_id,
        hold_id=hold.hold_id,
        order_no=hold.owner,
        qty=hold.amount,
        cause=cause,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=trace_id,
    )


def _extended(message: ExtendHold, expires_at_ms: int) -> HoldExtended:
    return HoldExtended(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        expires_at_ms=expires_at_ms,
        trace_id=message.trace_id,
    )


def _fenced(message: CancelHold) -> HoldFenced:
    return HoldFenced(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        trace_id=message.trace_id,
    )


# --- refusals ------------------------------------------------------------------------------------


def _end_refused(message: ConfirmHold | CancelHold | ExtendHold, outcome: object) -> HoldEndRefused:
    if not isinstance(outcome, Refused) or outcome.reason == Reason.UNKNOWN_RESOURCE:
        raise _inconsistent(message.hold_id)
    return HoldEndRefused(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        command=type(message).__name__,
        reason=_stock_reason(message, outcome),
        trace_id=message.trace_id,
    )


def _entry_refused(message: Restock | AdjustStock, reason: StockReason) -> StockEntryRefused:
    return StockEntryRefused(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        warehouse_id=message.warehouse_id,
        ref=message.ref,
        command=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
    )


def _stock_reason(message: Record, refused: Refused) -> StockReason:
    """Return the public name of a refusal; raise InvalidMessage for what is not a refusal here."""
    reason = STOCK_REASONS.get(refused.reason)
    if reason is None:
        raise _out_of_range(message)
    return reason


def _without_id(message: Record) -> InvalidMessage:
    return InvalidMessage("EMPTY_ID", f"{type(message).__name__} leaves an id empty")


def _out_of_range(message: Record) -> InvalidMessage:
    return InvalidMessage(
        "OUT_OF_RANGE",
        f"{type(message).__name__} has a quantity or a time-to-live that is not positive, a delta "
        "of 0, or one of them beyond its maximum",
    )


def _inconsistent(hold_id: str) -> StageDefect:
    return StageDefect(f"hold {hold_id} does not fit the stock that it was taken from")


DECIDERS: dict[type[Record], Callable[[View, Any, int], Facts]] = {
    TryHold: _try_hold,
    ConfirmHold: _confirm_hold,
    CancelHold: _cancel_hold,
    ExtendHold: _extend_hold,
    Restock: _restock,
    AdjustStock: _adjust_stock,
}
