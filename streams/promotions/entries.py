"""Judges what operators grant and issue, and what users claim."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.record import Record
from schemas.resource import (
    LOT,
    CapacityGranted,
    ClaimCoupon,
    CouponClaimed,
    CouponsIssued,
    GrantCapacity,
    IssueCoupons,
    PromotionEntryRefused,
    PromotionReason,
    lot_id,
)
from streams.kernel.errors import InvalidMessage
from streams.kernel.stage import View
from streams.promotions import answers
from streams.promotions.state import (
    Allowance,
    Claims,
    Entry,
    Lot,
    claims_key,
    coupon_id,
    entry_key,
)
from streams.reservations.protocol import AMOUNT_MAX, Refused, change_capacity

Facts = Sequence[Record]
AnyEntry = GrantCapacity | IssueCoupons | ClaimCoupon


def grant(state: View, message: GrantCapacity, _now_ms: int) -> Facts:
    """Guards: an empty id; a delta of 0, or of a lot; those of ``_known``; UNKNOWN_RESOURCE.

    Then BELOW_HELD. A resource that is not known yet begins here, unless the delta is negative.
    """
    resource_id, delta = message.resource_id, message.delta
    if not resource_id or not message.ref:
        raise answers.without_id(message)
    if resource_id.startswith(LOT):
        raise InvalidMessage("NOT_A_LOT", f"{resource_id}: coupons of a lot are issued")
    known = _known(state, message, resource_id, message.ref, body_of(message))
    if known is not None:
        return known
    resource = state.get(Allowance, resource_id)
    if (resource is None and delta < 0) or (
        resource is not None and resource.shop_id != message.shop_id
    ):
        return (_refused(message, resource_id, PromotionReason.UNKNOWN_RESOURCE),)
    change = change_capacity(resource, delta)
    if isinstance(change, Refused):
        reason = answers.reason_of(message, change)
        return (_refused(message, resource_id, reason, change.available),)
    fact = CapacityGranted(
        resource_id=resource_id,
        version=change.version,
        shop_id=message.shop_id,
        ref=message.ref,
        operator=message.operator,
        granted=(0 if resource is None else resource.granted) + max(delta, 0),
        user_id=message.user_id,
        expires_at_ms=message.expires_at_ms,
        after_refund=message.after_refund,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )
    return (fact,)


def issue(state: View, message: IssueCoupons, _now_ms: int) -> Facts:
    """Guards: an empty id; a quantity or a limit that is not positive; those of ``_known``."""
    if not message.lot or not message.ref:
        raise answers.without_id(message)
    if message.qty <= 0 or not 0 < message.per_user <= AMOUNT_MAX:
        raise answers.out_of_range(message)
    resource_id = lot_id(message.shop_id, message.lot)
    known = _known(state, message, resource_id, message.ref, body_of(message))
    if known is not None:
        return known
    change = change_capacity(state.get(Lot, resource_id), message.qty)
    if isinstance(change, Refused):
        raise answers.out_of_range(message)
    fact = CouponsIssued(
        resource_id=resource_id,
        version=change.version,
        shop_id=message.shop_id,
        ref=message.ref,
        operator=message.operator,
        per_user=message.per_user,
        expires_at_ms=message.expires_at_ms,
        after_refund=message.after_refund,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )
    return (fact,)


def claim(state: View, message: ClaimCoupon, now_ms: int) -> Facts:
    """Guards: an empty id; those of ``_known``; UNKNOWN_RESOURCE; OVER; CLAIM_LIMIT.

    Then INSUFFICIENT.
    """
    if not message.lot or not message.claim_key or message.user_id < 1:
        raise answers.without_id(message)
    resource_id = lot_id(message.shop_id, message.lot)
    ref = claim_ref(message.user_id, message.claim_key)
    known = _known(state, message, resource_id, ref, "")
    if known is not None:
        return known
    lot = state.get(Lot, resource_id)
    if lot is None:
        return (_refused(message, resource_id, PromotionReason.UNKNOWN_RESOURCE),)
    if 0 < lot.expires_at_ms <= now_ms:
        return (_refused(message, resource_id, PromotionReason.OVER),)
    claims = state.get(Claims, claims_key(resource_id, message.user_id))
    claimed = 1 if claims is None else claims.count + 1
    if claimed > lot.per_user:
        return (_refused(message, resource_id, PromotionReason.CLAIM_LIMIT),)
    change = change_capacity(lot, -1)
    if isinstance(change, Refused):
        return (_refused(message, resource_id, PromotionReason.INSUFFICIENT),)
    fact = CouponClaimed(
        resource_id=resource_id,
        version=change.version,
        shop_id=message.shop_id,
        claim_key=message.claim_key,
        user_id=message.user_id,
        coupon_id=_next_coupon(state, lot),
        claimed=claimed,
        per_user=lot.per_user,
        expires_at_ms=lot.expires_at_ms,
        after_refund=lot.after_refund,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )
    return (fact,)


def _next_coupon(state: View, lot: Lot) -> str:
    """Return the next number of the lot that an operator has not granted by hand."""
    number = lot.last_no + 1
    while state.get(Allowance, coupon_id(lot.resource_id, number)) is not None:
        number += 1
    return coupon_id(lot.resource_id, number)


def body_of(entry: GrantCapacity | IssueCoupons | CapacityGranted | CouponsIssued) -> str:
    """Return what an entry asks for, as it is remembered."""
    terms = f"{entry.expires_at_ms}/{entry.after_refund}"
    if isinstance(entry, GrantCapacity):
        return f"{entry.delta}/{entry.user_id}/{terms}"
    if isinstance(entry, CapacityGranted):
        return f"{entry.delta_on_hand}/{entry.user_id}/{terms}"
    if isinstance(entry, IssueCoupons):
        return f"{entry.qty}/{entry.per_user}/{terms}"
    return f"{entry.delta_on_hand}/{entry.per_user}/{terms}"


def claim_ref(user_id: int, claim_key: str) -> str:
    """Return under which ref a claim is remembered: users choose their keys by themselves."""
    return f"{user_id}/{claim_key}"


def _known(state: View, message: AnyEntry, resource_id: str, ref: str, body: str) -> Facts | None:
    """Return the facts that answer a repeat (none), or CONFLICT with another body; None: new."""
    entry = state.get(Entry, entry_key(type(message).__name__, resource_id, ref))
    if entry is None:
        return None
    if entry.body == body:
        return ()
    return (_refused(message, resource_id, PromotionReason.CONFLICT),)


def _refused(
    message: AnyEntry, resource_id: str, reason: PromotionReason, available: int = 0
) -> PromotionEntryRefused:
    return PromotionEntryRefused(
        resource_id=resource_id,
        shop_id=message.shop_id,
        user_id=message.user_id if isinstance(message, ClaimCoupon) else 0,
        ref=message.claim_key if isinstance(message, ClaimCoupon) else message.ref,
        command=type(message).__name__,
        reason=reason,
        available=available,
        trace_id=message.trace_id,
    )
