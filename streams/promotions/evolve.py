"""Folds the facts of the promotions stage into its state.

A movement carries the resource after it, so folding it is writing it down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from schemas.inventory import ReleaseCause
from schemas.record import Record
from schemas.resource import (
    CapacityGranted,
    ClaimCoupon,
    CouponClaimed,
    CouponsIssued,
    GrantCapacity,
    IssueCoupons,
    PromotionEndRefused,
    PromotionEntryRefused,
    PromotionFenced,
    PromotionHeld,
    PromotionRefused,
    PromotionReleased,
    PromotionReturned,
    PromotionSpent,
)
from streams.kernel.errors import StageDefect
from streams.kernel.stage import State
from streams.promotions.entries import body_of, claim_ref
from streams.promotions.facts import (
    EntryForgotten,
    HoldForgotten,
    HoldMovement,
    Repeated,
    granted,
    moved,
)
from streams.promotions.state import (
    ENTRY_RETENTION_MS,
    Allowance,
    Claims,
    Entry,
    Lot,
    PromotionHold,
    claims_key,
    coupon_no,
    entry_key,
)
from streams.reservations.phases import Phase
from streams.reservations.records import RETENTION_MS, ended

_HELD, _CONFIRMED, _FENCED = Phase.HELD, Phase.CONFIRMED, Phase.FENCED
_CANCELLED, _EXPIRED = Phase.CANCELLED, Phase.EXPIRED


def evolve(state: State, fact: Record, now_ms: int) -> None:
    """Fold one fact into the state; raise KeyError for a fact that is not this stage's."""
    EVOLVERS[type(fact)](state, fact, now_ms)


# --- holds ---------------------------------------------------------------------------------------


def _held(state: State, fact: PromotionHeld, _now_ms: int) -> None:
    resource_id = _move(state, fact)
    state.put(
        fact.hold_id,
        PromotionHold(
            hold_id=fact.hold_id,
            resource_id=resource_id,
            owner=fact.order_no,
            amount=fact.amount,
            spent=0,
            phase=_HELD,
            due_ms=fact.expires_at_ms,
            version=fact.version,
            on_hand=fact.on_hand,
            held=fact.held,
            trace_id=fact.trace_id,
            shop_id=fact.shop_id,
        ),
    )


def _spent(state: State, fact: PromotionSpent, now_ms: int) -> None:
    _move(state, fact)
    _end(state, fact, _CONFIRMED, fact.amount, now_ms)


def _released(state: State, fact: PromotionReleased, now_ms: int) -> None:
    _move(state, fact)
    phase = _EXPIRED if fact.cause == ReleaseCause.EXPIRED else _CANCELLED
    _end(state, fact, phase, 0, now_ms)


def _returned(state: State, fact: PromotionReturned, now_ms: int) -> None:
    """Remember that it came back, also of a hold that was forgotten: it comes back once."""
    _move(state, fact)
    due_ms = now_ms + RETENTION_MS
    hold = state.get(PromotionHold, fact.hold_id)
    if hold is None:
        hold = _ended_hold(fact, _CONFIRMED, fact.amount, due_ms)
    state.put(fact.hold_id, replace(hold, returned=True, due_ms=due_ms))


def _fenced(state: State, fact: PromotionFenced, now_ms: int) -> None:
    state.put(fact.hold_id, _ended_hold(fact, _FENCED, 0, now_ms + RETENTION_MS))


def _ended_hold(
    fact: PromotionFenced | PromotionReturned, phase: Phase, amount: int, due_ms: int
) -> PromotionHold:
    return PromotionHold(
        hold_id=fact.hold_id,
        resource_id=fact.resource_id,
        owner=fact.order_no,
        amount=amount,
        spent=amount,
        phase=phase,
        due_ms=due_ms,
        version=0,
        on_hand=0,
        held=0,
        trace_id="",
        shop_id=fact.shop_id,
    )


def _hold_forgotten(state: State, fact: HoldForgotten, _now_ms: int) -> None:
    state.delete(PromotionHold, fact.hold_id)


# --- grants and coupons --------------------------------------------------------------------------


def _granted(state: State, fact: CapacityGranted, now_ms: int) -> None:
    state.put(fact.resource_id, granted(fact))
    if fact.ref:  # else an order's rule named it
        _enter(state, GrantCapacity, fact.resource_id, fact.ref, body_of(fact), now_ms)


def _issued(state: State, fact: CouponsIssued, now_ms: int) -> None:
    lot = state.get(Lot, fact.resource_id)
    state.put(
        fact.resource_id,
        Lot(
            version=fact.version,
            on_hand=fact.on_hand,
            held=fact.held,
            resource_id=fact.resource_id,
            shop_id=fact.shop_id,
            last_no=0 if lot is None else lot.last_no,
            per_user=fact.per_user,
            expires_at_ms=fact.expires_at_ms,
            after_refund=fact.after_refund,
        ),
    )
    _enter(state, IssueCoupons, fact.resource_id, fact.ref, body_of(fact), now_ms)


def _claimed(state: State, fact: CouponClaimed, now_ms: int) -> None:
    lot = state.get(Lot, fact.resource_id)
    if lot is None:
        raise StageDefect(f"a coupon is claimed of {fact.resource_id}, which is not there")
    last_no = coupon_no(fact.coupon_id)
    state.put(
        fact.resource_id,
        replace(lot, version=fact.version, on_hand=fact.on_hand, held=fact.held, last_no=last_no),
    )
    state.put(claims_key(fact.resource_id, fact.user_id), Claims(fact.claimed))
    state.put(
        fact.coupon_id,
        Allowance(
            version=1,
            on_hand=1,
            held=0,
            resource_id=fact.coupon_id,
            shop_id=fact.shop_id,
            granted=1,
            user_id=fact.user_id,
            expires_at_ms=fact.expires_at_ms,
            after_refund=fact.after_refund,
        ),
    )
    ref = claim_ref(fact.user_id, fact.claim_key)
    _enter(state, ClaimCoupon, fact.resource_id, ref, "", now_ms)


def _entry_forgotten(state: State, fact: EntryForgotten, _now_ms: int) -> None:
    state.delete(Entry, entry_key(fact.command, fact.resource_id, fact.ref))


def _nothing(_state: State, _fact: Record, _now_ms: int) -> None:
    """Change nothing: a refusal, or an answer given again."""


def _move(state: State, fact: HoldMovement) -> str:
    """Write the movement down; return the one text that all records of the resource share."""
    resource = state.get(Allowance, fact.resource_id)
    if resource is None:
        raise StageDefect(f"a fact moves {fact.resource_id}, which is not there")
    state.put(resource.resource_id, moved(resource, fact))
    return resource.resource_id


def _end(
    state: State, fact: PromotionSpent | PromotionReleased, phase: Phase, spent: int, now_ms: int
) -> None:
    hold = state.get(PromotionHold, fact.hold_id)
    if hold is None:
        raise StageDefect(f"a fact ends hold {fact.hold_id}, which is not there")
    state.put(
        fact.hold_id, ended(hold, phase, spent, fact.version, fact.on_hand, fact.held, now_ms)
    )


def _enter(
    state: State, command: type[Record], resource_id: str, ref: str, body: str, now_ms: int
) -> None:
    name = command.__name__
    entry = Entry(name, resource_id, ref, body, now_ms + ENTRY_RETENTION_MS)
    state.put(entry_key(name, resource_id, ref), entry)


EVOLVERS: dict[type[Record], Callable[[State, Any, int], None]] = {
    CapacityGranted: _granted,
    CouponsIssued: _issued,
    CouponClaimed: _claimed,
    PromotionHeld: _held,
    PromotionSpent: _spent,
    PromotionReleased: _released,
    PromotionReturned: _returned,
    PromotionFenced: _fenced,
    HoldForgotten: _hold_forgotten,
    EntryForgotten: _entry_forgotten,
    PromotionRefused: _nothing,
    PromotionEndRefused: _nothing,
    PromotionEntryRefused: _nothing,
    Repeated: _nothing,
}
