"""Which function judges which message and which timer of the promotions stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.record import Record
from schemas.resource import (
    CancelPromotion,
    ClaimCoupon,
    ConfirmPromotion,
    GrantCapacity,
    IssueCoupons,
    ReturnPromotion,
    TryPromotion,
)
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.kernel.stage import View
from streams.promotions import entries, holds
from streams.promotions.facts import EntryForgotten, HoldForgotten
from streams.promotions.state import Entry, PromotionHold
from streams.reservations.phases import Phase

Facts = Sequence[Record]


def decide(state: View, message: Record, now_ms: int) -> Facts:
    """Judge one message of the inbox; return the facts, in order (none: a repeated entry).

    Raises InvalidMessage for an unknown kind of message, an empty id, and amounts and times that
    are not positive or too large.
    """
    judge = DECIDERS.get(type(message))
    if judge is None:
        raise InvalidMessage(
            "UNKNOWN_MESSAGE", f"{type(message).__name__} is not for the promotions stage"
        )
    return judge(state, message, now_ms)


def wake(state: View, record: Record, now_ms: int) -> Facts:
    """Judge a record whose time has come: an expired hold, or a memory that may go."""
    if isinstance(record, PromotionHold):
        if record.phase != Phase.HELD:
            return (HoldForgotten(record.hold_id),)
        return holds.expire(state, record, now_ms)
    if isinstance(record, Entry):
        return (EntryForgotten(record.command, record.resource_id, record.ref),)
    raise StageDefect(f"{type(record).__name__} has no timer")


DECIDERS: dict[type[Record], Callable[[View, Any, int], Facts]] = {
    TryPromotion: holds.try_,
    ConfirmPromotion: holds.confirm,
    CancelPromotion: holds.cancel,
    ReturnPromotion: holds.return_,
    GrantCapacity: entries.grant,
    IssueCoupons: entries.issue,
    ClaimCoupon: entries.claim,
}
