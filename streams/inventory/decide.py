"""Which function judges which message and which timer of the inventory stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.inventory import (
    AdjustStock,
    CancelHold,
    ConfirmHold,
    CountStock,
    ExtendHold,
    Restock,
    ReturnStock,
    SetStockRules,
    TransferStock,
    TryHold,
)
from schemas.record import Record
from streams.inventory import entries, holds, returns
from streams.inventory.facts import EntryForgotten, HoldForgotten
from streams.inventory.state import StockEntry, StockHold
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.kernel.stage import View
from streams.reservations.phases import Phase

Facts = Sequence[Record]


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
        return holds.expire(state, record, now_ms)
    if isinstance(record, StockEntry):
        return (EntryForgotten(record.command, record.sku_id, record.ref),)
    raise StageDefect(f"{type(record).__name__} has no timer")


DECIDERS: dict[type[Record], Callable[[View, Any, int], Facts]] = {
    TryHold: holds.try_,
    ConfirmHold: holds.confirm,
    CancelHold: holds.cancel,
    ExtendHold: holds.extend,
    ReturnStock: returns.return_stock,
    Restock: entries.restock,
    AdjustStock: entries.adjust_stock,
    TransferStock: entries.transfer_stock,
    CountStock: entries.count_stock,
    SetStockRules: entries.set_stock_rules,
}
