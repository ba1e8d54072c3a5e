"""Facts of the inventory stage that stay private, and what all movements have in common."""

from __future__ import annotations

from typing import TypeAlias

from schemas.inventory import (
    BackorderConfirmed,
    BackorderReleased,
    BackorderServed,
    HoldExtended,
    HoldFenced,
    StockAdjusted,
    StockBackordered,
    StockCounted,
    StockDeducted,
    StockHeld,
    StockReceived,
    StockReleased,
    StockReturned,
    StockTransferred,
)
from schemas.record import Record
from streams.inventory.state import Stock

HoldAnswer: TypeAlias = (
    StockHeld
    | StockDeducted
    | StockReleased
    | StockBackordered
    | BackorderConfirmed
    | BackorderReleased
    | HoldExtended
    | HoldFenced
)
Movement: TypeAlias = (
    StockHeld
    | StockDeducted
    | StockReleased
    | StockReturned
    | StockReceived
    | StockAdjusted
    | StockTransferred
    | StockCounted
    | BackorderServed
)


class Repeated(Record, frozen=True):
    """A request was answered before: ``answer`` goes to the asker again, nothing moves.

    It is not public: readers of the facts would count the movement twice.
    """

    answer: HoldAnswer


class HoldForgotten(Record, frozen=True):
    """An ended hold is no longer remembered."""

    hold_id: str


class EntryForgotten(Record, frozen=True):
    """A change of stock is no longer remembered."""

    command: str
    sku_id: int
    ref: str


def stock_after(fact: Movement) -> Stock:
    """Return the stock of the warehouse that ``fact`` moved, as the fact says it is."""
    return Stock(
        version=fact.version,
        on_hand=fact.on_hand,
        held=fact.held,
        sku_id=fact.sku_id,
        warehouse_id=fact.warehouse_id,
    )
