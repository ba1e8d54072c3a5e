"""Facts of the promotions stage that stay private, and what movements of one resource leave."""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from schemas.record import Record
from schemas.resource import (
    CapacityGranted,
    CouponClaimed,
    CouponsIssued,
    PromotionFenced,
    PromotionHeld,
    PromotionReleased,
    PromotionReturned,
    PromotionSpent,
)
from streams.promotions.state import Allowance

HoldAnswer: TypeAlias = PromotionHeld | PromotionSpent | PromotionReleased | PromotionFenced
HoldMovement: TypeAlias = PromotionHeld | PromotionSpent | PromotionReleased | PromotionReturned
LotMovement: TypeAlias = CouponsIssued | CouponClaimed


class Repeated(Record, frozen=True):
    """A request was answered before: ``answer`` goes to the asker again, nothing moves.

    It is not public: readers of the facts would count the movement twice.
    """

    answer: HoldAnswer


class HoldForgotten(Record, frozen=True):
    """An ended hold is no longer remembered."""

    hold_id: str


class EntryForgotten(Record, frozen=True):
    """A grant, an issue or a claim is no longer remembered."""

    command: str
    resource_id: str
    ref: str


def granted(fact: CapacityGranted) -> Allowance:
    """Return the resource as a grant leaves it."""
    return Allowance(
        version=fact.version,
        on_hand=fact.on_hand,
        held=fact.held,
        resource_id=fact.resource_id,
        shop_id=fact.shop_id,
        granted=fact.granted,
        user_id=fact.user_id,
        expires_at_ms=fact.expires_at_ms,
        after_refund=fact.after_refund,
    )


def moved(resource: Allowance, fact: HoldMovement) -> Allowance:
    """Return the resource as the movement of a hold leaves it."""
    return replace(resource, version=fact.version, on_hand=fact.on_hand, held=fact.held)
