"""Turns the facts of the promotions stage into records for topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from schemas.record import Record
from schemas.resource import (
    CapacityGranted,
    CouponClaimed,
    CouponsIssued,
    PromotionEndRefused,
    PromotionEntryRefused,
    PromotionFenced,
    PromotionHeld,
    PromotionRefused,
    PromotionReleased,
    PromotionReturned,
    PromotionSpent,
    partition_key,
)
from schemas.topics import ORDER_COMMANDS, PROMOTION_EVENTS
from streams.kernel.stage import Output, View
from streams.promotions.facts import EntryForgotten, HoldForgotten, Repeated

_EVENTS = PROMOTION_EVENTS.name
_ORDERS = ORDER_COMMANDS.name

HoldFact: TypeAlias = (
    PromotionHeld
    | PromotionSpent
    | PromotionReleased
    | PromotionRefused
    | PromotionFenced
    | PromotionEndRefused
)
ResourceFact: TypeAlias = (
    CapacityGranted | CouponsIssued | CouponClaimed | PromotionReturned | PromotionEntryRefused
)


def react(_state: View, fact: Record) -> Sequence[Output]:
    """Return what ``fact`` makes known; raise KeyError for a fact that is not this stage's."""
    return REACTORS[type(fact)](fact)


def _to_all_and_the_order(fact: HoldFact) -> Sequence[Output]:
    return (
        Output(_EVENTS, partition_key(fact.resource_id), fact),
        Output(_ORDERS, fact.order_no, fact),
    )


def _to_all(fact: ResourceFact) -> Sequence[Output]:
    return (Output(_EVENTS, partition_key(fact.resource_id), fact),)


def _to_the_order(fact: Repeated) -> Sequence[Output]:
    return (Output(_ORDERS, fact.answer.order_no, fact.answer),)


def _to_nobody(_fact: Record) -> Sequence[Output]:
    return ()


REACTORS: dict[type[Record], Callable[[Any], Sequence[Output]]] = {
    PromotionHeld: _to_all_and_the_order,
    PromotionSpent: _to_all_and_the_order,
    PromotionReleased: _to_all_and_the_order,
    PromotionRefused: _to_all_and_the_order,
    PromotionFenced: _to_all_and_the_order,
    PromotionEndRefused: _to_all_and_the_order,
    CapacityGranted: _to_all,
    CouponsIssued: _to_all,
    CouponClaimed: _to_all,
    PromotionReturned: _to_all,
    PromotionEntryRefused: _to_all,
    Repeated: _to_the_order,
    HoldForgotten: _to_nobody,
    EntryForgotten: _to_nobody,
}
