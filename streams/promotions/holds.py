"""Judges what is asked of a hold: the rules of ``reservations.protocol``, over promotions."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.inventory import ReleaseCause
from schemas.record import Record
from schemas.resource import (
    AfterRefund,
    CancelPromotion,
    CapacityGranted,
    ConfirmPromotion,
    PromotionReason,
    ReturnPromotion,
    TryPromotion,
)
from streams.kernel.stage import View
from streams.promotions import answers
from streams.promotions.facts import Repeated, granted
from streams.promotions.state import Allowance, PromotionHold
from streams.reservations.phases import REPEAT, Phase
from streams.reservations.protocol import (
    AMOUNT_MAX,
    Fenced,
    Held,
    Refused,
    Released,
    Spent,
    cancel_hold,
    change_capacity,
    confirm_hold,
    expire_hold,
    try_hold,
)

Facts = Sequence[Record]


def try_(state: View, message: TryPromotion, now_ms: int) -> Facts:
    """Guards: an empty id; a capacity out of range; of a known hold those of ``try_hold``.

    Of a new one: UNKNOWN_RESOURCE (or another shop's); NOT_YOURS; OVER; those of ``try_hold``. What
    the rule says there is, and was not granted yet, is granted first, also to a try that fails.
    """
    if not message.hold_id or not message.order_no or not message.resource_id:
        raise answers.without_id(message)
    if not 0 <= message.capacity <= AMOUNT_MAX:
        raise answers.out_of_range(message)
    hold = state.get(PromotionHold, message.hold_id)
    resource: Allowance | None = None
    grants: Facts = ()
    if hold is None:
        resource = state.get(Allowance, message.resource_id)
        bar = _bar(resource, message, now_ms)
        if bar is not None:
            return (answers.refused(message, bar),)
        grant = _still_to_grant(resource, message)
        if grant is not None:
            grants, resource = (grant,), granted(grant)
    outcome = try_hold(
        hold,
        resource,
        resource_id=message.resource_id,
        owner=message.order_no,
        amount=message.amount,
        ttl_ms=message.ttl_ms,
        now_ms=now_ms,
    )
    if isinstance(outcome, Held):
        return (*grants, answers.held(message, outcome))
    if isinstance(outcome, Refused):
        reason = answers.reason_of(message, outcome)
        return (*grants, answers.refused(message, reason, outcome.available))
    if hold is None:
        raise answers.inconsistent(message.hold_id)
    first = Held(hold.version, hold.on_hand, hold.held, 0, hold.amount, hold.due_ms)
    return (Repeated(answers.held(message, first)),)


def _bar(resource: Allowance | None, message: TryPromotion, now_ms: int) -> PromotionReason | None:
    """Return why this order may have nothing of the resource, however much there is."""
    if resource is None:
        return None
    if resource.shop_id != message.shop_id:
        return PromotionReason.UNKNOWN_RESOURCE
    if resource.user_id not in (0, message.user_id):
        return PromotionReason.NOT_YOURS
    if 0 < resource.expires_at_ms <= now_ms:
        return PromotionReason.OVER
    return None


def _still_to_grant(resource: Allowance | None, message: TryPromotion) -> CapacityGranted | None:
    """Return the grant of what the rule says there is, less what was granted before."""
    delta = message.capacity - (0 if resource is None else resource.granted)
    change = change_capacity(resource, delta) if delta > 0 else None
    if change is None or isinstance(change, Refused):
        return None
    return CapacityGranted(
        resource_id=message.resource_id,
        version=change.version,
        shop_id=message.shop_id,
        ref="",
        operator="",
        granted=message.capacity,
        user_id=0 if resource is None else resource.user_id,
        expires_at_ms=0 if resource is None else resource.expires_at_ms,
        after_refund=AfterRefund.RETURNED if resource is None else resource.after_refund,
        on_hand=change.on_hand,
        held=change.held,
        delta_on_hand=change.delta_on_hand,
        delta_held=change.delta_held,
        trace_id=message.trace_id,
    )


def confirm(state: View, message: ConfirmPromotion, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``confirm_hold``."""
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    hold = state.get(PromotionHold, message.hold_id)
    outcome = confirm_hold(
        hold,
        state.get(Allowance, message.resource_id),
        resource_id=message.resource_id,
        owner=message.order_no,
        now_ms=now_ms,
    )
    if isinstance(outcome, Spent):
        return (answers.spent(message, outcome),)
    if outcome is REPEAT and hold is not None:
        first = Spent(hold.version, hold.on_hand, hold.held, -hold.spent, -hold.amount)
        return (Repeated(answers.spent(message, first)),)
    return (answers.end_refused(message, answers.end_reason(message, outcome)),)


def cancel(state: View, message: CancelPromotion | ReturnPromotion, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``cancel_hold``."""
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    hold = state.get(PromotionHold, message.hold_id)
    outcome = cancel_hold(
        hold,
        state.get(Allowance, message.resource_id),
        resource_id=message.resource_id,
        owner=message.order_no,
        now_ms=now_ms,
    )
    if isinstance(outcome, Fenced):
        return (answers.fenced(message),)
    if hold is not None and isinstance(outcome, Released):
        return (answers.released(hold, outcome, ReleaseCause.CANCELLED, message.trace_id),)
    if hold is not None and outcome is REPEAT:
        if hold.phase == Phase.FENCED:
            return (Repeated(answers.fenced(message)),)
        first = Released(hold.version, hold.on_hand, hold.held, 0, -hold.amount)
        again = answers.released(hold, first, ReleaseCause.CANCELLED, message.trace_id)
        return (Repeated(again),)
    return (answers.end_refused(message, answers.end_reason(message, outcome)),)


def return_(state: View, message: ReturnPromotion, now_ms: int) -> Facts:
    """Bring back what the hold used up, or give back what it holds.

    Guards: an empty id; an amount out of range; a hold that is not confirmed: as ``cancel``; a
    repeat; CONFLICT with the try; UNKNOWN_RESOURCE; KEPT_SPENT.

    An order is mostly refunded long after its hold is forgotten: then its word stands for what was
    used up.
    """
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    if not 0 <= message.amount <= AMOUNT_MAX:
        raise answers.out_of_range(message)
    hold = state.get(PromotionHold, message.hold_id)
    if message.amount == 0 if hold is None else hold.phase != Phase.CONFIRMED:
        return cancel(state, message, now_ms)
    if hold is not None:
        if hold.owner != message.order_no or hold.resource_id != message.resource_id:
            return (answers.end_refused(message, PromotionReason.CONFLICT),)
        if hold.returned:
            return ()
    resource = state.get(Allowance, message.resource_id)
    if resource is None or resource.shop_id != message.shop_id:
        return (answers.end_refused(message, PromotionReason.UNKNOWN_RESOURCE),)
    if resource.after_refund is AfterRefund.SPENT:
        return (answers.end_refused(message, PromotionReason.KEPT_SPENT),)
    change = change_capacity(resource, message.amount if hold is None else hold.spent)
    if isinstance(change, Refused):
        raise answers.out_of_range(message)
    return (answers.returned(message, change),)


def expire(state: View, hold: PromotionHold, now_ms: int) -> Facts:
    """Give the hold back because its time has come."""
    outcome = expire_hold(hold, state.get(Allowance, hold.resource_id), now_ms=now_ms)
    if isinstance(outcome, Released):
        return (answers.released(hold, outcome, ReleaseCause.EXPIRED, hold.trace_id),)
    raise answers.inconsistent(hold.hold_id)
