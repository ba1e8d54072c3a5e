"""The facts about holds; the same function makes the first answer and every repeated one."""

from __future__ import annotations

from schemas.inventory import ReleaseCause
from schemas.record import Record
from schemas.resource import (
    CancelPromotion,
    ConfirmPromotion,
    PromotionEndRefused,
    PromotionFenced,
    PromotionHeld,
    PromotionReason,
    PromotionRefused,
    PromotionReleased,
    PromotionReturned,
    PromotionSpent,
    ReturnPromotion,
    TryPromotion,
)
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.promotions.state import PromotionHold
from streams.reservations.phases import Reason
from streams.reservations.protocol import Changed, Held, Refused, Released, Spent

End = ConfirmPromotion | CancelPromotion | ReturnPromotion

REASONS = {
    Reason.CONFLICT: PromotionReason.CONFLICT,
    Reason.FENCED: PromotionReason.FENCED,
    Reason.ALREADY_CONFIRMED: PromotionReason.ALREADY_CONFIRMED,
    Reason.ALREADY_CANCELLED: PromotionReason.ALREADY_CANCELLED,
    Reason.HOLD_EXPIRED: PromotionReason.HOLD_EXPIRED,
    Reason.UNKNOWN_HOLD: PromotionReason.UNKNOWN_HOLD,
    Reason.UNKNOWN_RESOURCE: PromotionReason.UNKNOWN_RESOURCE,
    Reason.INSUFFICIENT: PromotionReason.INSUFFICIENT,
    Reason.BELOW_HELD: PromotionReason.BELOW_HELD,
}


def held(message: TryPromotion, movement: Held) -> PromotionHeld:
    """Return that the amount is held."""
    return PromotionHeld(
        resource_id=message.resource_id,
        version=movement.version,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        user_id=message.user_id,
        amount=message.amount,
        expires_at_ms=movement.expires_at_ms,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
    )


def spent(message: ConfirmPromotion, movement: Spent) -> PromotionSpent:
    """Return that what was held is used up."""
    return PromotionSpent(
        resource_id=message.resource_id,
        version=movement.version,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        amount=movement.spent,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
    )


def released(
    hold: PromotionHold, movement: Released, cause: ReleaseCause, trace_id: str
) -> PromotionReleased:
    """Return that what was held is to be had again."""
    return PromotionReleased(
        resource_id=hold.resource_id,
        version=movement.version,
        shop_id=hold.shop_id,
        hold_id=hold.hold_id,
        order_no=hold.owner,
        amount=hold.amount,
        cause=cause,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=trace_id,
    )


def returned(message: ReturnPromotion, movement: Changed) -> PromotionReturned:
    """Return that what was used up is to be had again."""
    return PromotionReturned(
        resource_id=message.resource_id,
        version=movement.version,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        amount=movement.delta_on_hand,
        reason=message.reason,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
    )


def fenced(message: CancelPromotion | ReturnPromotion) -> PromotionFenced:
    """Return that there was nothing to cancel, nor will be."""
    return PromotionFenced(
        resource_id=message.resource_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        trace_id=message.trace_id,
    )


# --- refusals ------------------------------------------------------------------------------------


def refused(message: TryPromotion, reason: PromotionReason, available: int = 0) -> PromotionRefused:
    """Return that the try is refused."""
    return PromotionRefused(
        resource_id=message.resource_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        requested=message.amount,
        available=available,
        reason=reason,
        trace_id=message.trace_id,
    )


def end_refused(message: End, reason: PromotionReason) -> PromotionEndRefused:
    """Return that the end is refused."""
    return PromotionEndRefused(
        resource_id=message.resource_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        command=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
    )


def reason_of(message: Record, refusal: Refused) -> PromotionReason:
    """Return the public name of a refusal; raise InvalidMessage for what is not a refusal here."""
    reason = REASONS.get(refusal.reason)
    if reason is None:
        raise out_of_range(message)
    return reason


def end_reason(message: End, outcome: object) -> PromotionReason:
    """Return why an end is refused; raise StageDefect when ``outcome`` is no refusal."""
    if not isinstance(outcome, Refused) or outcome.reason is Reason.UNKNOWN_RESOURCE:
        raise inconsistent(message.hold_id)
    return reason_of(message, outcome)


def without_id(message: Record) -> InvalidMessage:
    """Return the error of a message that does not say what it is about."""
    return InvalidMessage("EMPTY_ID", f"{type(message).__name__} leaves an id empty")


def out_of_range(message: Record) -> InvalidMessage:
    """Return the error of a message whose numbers make no sense."""
    return InvalidMessage(
        "OUT_OF_RANGE",
        f"{type(message).__name__} has an amount or a time-to-live that is not positive, a delta "
        "of 0, or one of them beyond its maximum",
    )


def inconsistent(hold_id: str) -> StageDefect:
    """Return the defect of a hold that contradicts the resource it was taken from."""
    return StageDefect(f"hold {hold_id} does not fit the resource that it was taken from")
