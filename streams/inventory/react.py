"""Turns the facts of the inventory stage into records for topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from schemas.inventory import (
    BackorderConfirmed,
    BackorderReleased,
    BackorderServed,
    BuyerCounted,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
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
)
from schemas.record import Record
from schemas.topics import INVENTORY_EVENTS, ORDER_COMMANDS
from streams.inventory.facts import EntryForgotten, HoldForgotten, Repeated
from streams.kernel.stage import Output, View

_EVENTS = INVENTORY_EVENTS.name
_ORDERS = ORDER_COMMANDS.name

HoldFact: TypeAlias = (
    StockHeld
    | StockDeducted
    | StockReleased
    | StockRefused
    | StockBackordered
    | BackorderConfirmed
    | BackorderReleased
    | HoldExtended
    | HoldFenced
    | HoldEndRefused
)
StockFact: TypeAlias = (
    StockReturned
    | StockReceived
    | StockAdjusted
    | StockTransferred
    | StockCounted
    | BackorderServed
    | BuyerCounted
    | StockRulesSet
    | StockEntryRefused
)


def react(_state: View, fact: Record) -> Sequence[Output]:
    """Return what ``fact`` makes known; raise KeyError for a fact that is not this stage's."""
    return REACTORS[type(fact)](fact)


def _to_all_and_the_order(fact: HoldFact) -> Sequence[Output]:
    return (
        Output(_EVENTS, str(fact.sku_id), fact),
        Output(_ORDERS, fact.order_no, fact),
    )


def _to_all(fact: StockFact) -> Sequence[Output]:
    return (Output(_EVENTS, str(fact.sku_id), fact),)


def _to_the_order(fact: Repeated) -> Sequence[Output]:
    return (Output(_ORDERS, fact.answer.order_no, fact.answer),)


def _to_nobody(_fact: Record) -> Sequence[Output]:
    return ()


REACTORS: dict[type[Record], Callable[[Any], Sequence[Output]]] = {
    StockHeld: _to_all_and_the_order,
    StockDeducted: _to_all_and_the_order,
    StockReleased: _to_all_and_the_order,
    StockRefused: _to_all_and_the_order,
    StockBackordered: _to_all_and_the_order,
    BackorderConfirmed: _to_all_and_the_order,
    BackorderReleased: _to_all_and_the_order,
    HoldExtended: _to_all_and_the_order,
    HoldFenced: _to_all_and_the_order,
    HoldEndRefused: _to_all_and_the_order,
    StockReturned: _to_all,
    StockReceived: _to_all,
    StockAdjusted: _to_all,
    StockTransferred: _to_all,
    StockCounted: _to_all,
    BackorderServed: _to_all,
    BuyerCounted: _to_all,
    StockRulesSet: _to_all,
    StockEntryRefused: _to_all,
    Repeated: _to_the_order,
    HoldForgotten: _to_nobody,
    EntryForgotten: _to_nobody,
}
