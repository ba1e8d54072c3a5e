"""Messages of the promotions stage: coupons, budgets, quotas and limits, which can all run out.

A **resource** is a coupon (``coupon:SHOP/CODE``), a campaign's budget in fen (``budget:...``), its
quota of uses (``quota:...``), or what one user may have of it (``limit:.../USER``). A **movement**
(CapacityGranted, CouponsIssued, CouponClaimed, PromotionHeld, PromotionSpent, PromotionReleased,
PromotionReturned) says what changed of one: ``on_hand`` and ``held`` are the amounts after it,
``delta_on_hand`` and ``delta_held`` the change, and ``version`` is 1, 2, 3 ... per resource without
a gap. Coupons come in lots: a lot (``lot:SHOP/NAME``) is a resource, too, of the coupons that
nobody has claimed yet. Times are epoch milliseconds UTC.

The reply to whoever asked is the fact itself, sent to the asker's inbox too.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.inventory import ReleaseCause
from schemas.record import Record

COUPON, LOT = "coupon:", "lot:"


def partition_key(resource_id: str) -> str:
    """Return the key of all records about a resource.

    A coupon's is that of its lot, whose name is its code before the last ``-``: then claims, limits
    of claims and uses are judged in one place.
    """
    if resource_id.startswith(COUPON):
        lot, dash, _ = resource_id.removeprefix(COUPON).rpartition("-")
        return f"{LOT}{lot}" if dash else resource_id
    return resource_id


def lot_id(shop_id: int, lot: str) -> str:
    """Return the resource id of a lot, which is its key."""
    return f"{LOT}{shop_id}/{lot}"


class AfterRefund(StrEnum):
    """What becomes of what a refunded order had used up."""

    RETURNED = "RETURNED"  # it may be used again
    SPENT = "SPENT"


# --- commands (promotion.commands); those after ReturnPromotion are accepted on promotion.intents


class TryPromotion(Record, frozen=True):
    """Hold ``amount`` of a resource for ``ttl_ms``; answered by PromotionHeld or PromotionRefused.

    ``capacity`` is how much there is at all, as the rule says; a resource that has been granted
    less than that is granted the rest first. 0: the resource is there or it is not.
    """

    hold_id: str
    order_no: str
    shop_id: int
    user_id: int
    resource_id: str
    amount: int
    capacity: int
    ttl_ms: int
    trace_id: str


class ConfirmPromotion(Record, frozen=True):
    """The order is paid; answered by PromotionSpent or PromotionEndRefused."""

    hold_id: str
    order_no: str
    shop_id: int
    resource_id: str
    trace_id: str


class CancelPromotion(Record, frozen=True):
    """Give it back; answered by PromotionReleased, PromotionFenced or PromotionEndRefused."""

    hold_id: str
    order_no: str
    shop_id: int
    resource_id: str
    reason: str
    trace_id: str


class ReturnPromotion(Record, frozen=True):
    """Undo a hold whatever became of it: its order gave the money back.

    ``amount`` is what the order knows to be spent (0: it does not know). It counts only if the hold
    is forgotten.
    """

    hold_id: str
    order_no: str
    shop_id: int
    resource_id: str
    amount: int
    reason: str
    trace_id: str


class GrantCapacity(Record, frozen=True):
    """Define a resource, or let there be ``delta`` more (negative: less) of it.

    ``ref`` names the document: the same ref never counts twice. ``user_id``: nobody else may use it
    (0: anybody); ``expires_at_ms``: nobody may later (0: no end). Both, and ``after_refund``,
    replace what was said before.
    """

    ref: str
    shop_id: int
    resource_id: str
    delta: int
    operator: str
    user_id: int = 0
    expires_at_ms: int = 0
    after_refund: AfterRefund = AfterRefund.RETURNED
    trace_id: str = ""


class IssueCoupons(Record, frozen=True):
    """Let there be ``qty`` more coupons to claim of a lot; one user may claim ``per_user`` of it.

    The rest is said of every coupon of the lot that is claimed from now on.
    """

    ref: str
    shop_id: int
    lot: str
    qty: int
    per_user: int
    operator: str
    expires_at_ms: int = 0
    after_refund: AfterRefund = AfterRefund.RETURNED
    trace_id: str = ""


class ClaimCoupon(Record, frozen=True):
    """A user wants a coupon of a lot. ``claim_key`` names the claim: a repeat has no effect."""

    claim_key: str
    shop_id: int
    user_id: int
    lot: str
    trace_id: str = ""


# --- facts (promotion.events) --------------------------------------------------------------------


class CapacityGranted(Record, frozen=True):
    """There is ``delta_on_hand`` more of the resource.

    ``granted`` is what it was given in all, whatever was taken back. ``ref`` and ``operator`` are
    empty when the rule of an order named a capacity that was not there yet.
    """

    resource_id: str
    version: int
    shop_id: int
    ref: str
    operator: str
    granted: int
    user_id: int
    expires_at_ms: int
    after_refund: AfterRefund
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class CouponsIssued(Record, frozen=True):
    """The lot has ``delta_on_hand`` more coupons to claim."""

    resource_id: str
    version: int
    shop_id: int
    ref: str
    operator: str
    per_user: int
    expires_at_ms: int
    after_refund: AfterRefund
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class CouponClaimed(Record, frozen=True):
    """A coupon left its lot (the movement) and is the user's: a resource of 1 at version 1.

    It is the ``claimed``-th that the user has of the lot, of ``per_user``.
    """

    resource_id: str
    version: int
    shop_id: int
    claim_key: str
    user_id: int
    coupon_id: str
    claimed: int
    per_user: int
    expires_at_ms: int
    after_refund: AfterRefund
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class PromotionHeld(Record, frozen=True):
    """``amount`` is set aside for the order until ``expires_at_ms``."""

    resource_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    user_id: int
    amount: int
    expires_at_ms: int
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class PromotionSpent(Record, frozen=True):
    """What was held is used up."""

    resource_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    amount: int
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class PromotionReleased(Record, frozen=True):
    """What was held is to be had again."""

    resource_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    amount: int
    cause: ReleaseCause
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class PromotionReturned(Record, frozen=True):
    """What was used up is to be had again: its order gave the money back."""

    resource_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    amount: int
    reason: str
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class PromotionReason(StrEnum):
    """Why something was refused."""

    INSUFFICIENT = "INSUFFICIENT"
    UNKNOWN_RESOURCE = "UNKNOWN_RESOURCE"
    NOT_YOURS = "NOT_YOURS"  # it is another user's
    OVER = "OVER"  # its time is over
    CLAIM_LIMIT = "CLAIM_LIMIT"  # the user has claimed as many of the lot as one user may
    KEPT_SPENT = "KEPT_SPENT"  # a refund does not bring it back
    FENCED = "FENCED"  # the cancel came before the try
    CONFLICT = "CONFLICT"  # same id, other body
    HOLD_EXPIRED = "HOLD_EXPIRED"
    ALREADY_CONFIRMED = "ALREADY_CONFIRMED"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    UNKNOWN_HOLD = "UNKNOWN_HOLD"
    BELOW_HELD = "BELOW_HELD"  # less would be left than is held


class PromotionRefused(Record, frozen=True):
    """A try was refused. ``available`` is what could have been held."""

    resource_id: str
    shop_id: int
    hold_id: str
    order_no: str
    requested: int
    available: int
    reason: PromotionReason
    trace_id: str


class PromotionFenced(Record, frozen=True):
    """A cancel came before its try: a late try will be refused, nothing was held."""

    resource_id: str
    shop_id: int
    hold_id: str
    order_no: str
    trace_id: str


class PromotionEndRefused(Record, frozen=True):
    """A confirm, cancel or return was refused: the hold had ended otherwise or never was."""

    resource_id: str
    shop_id: int
    hold_id: str
    order_no: str
    command: str
    reason: PromotionReason
    trace_id: str


class PromotionEntryRefused(Record, frozen=True):
    """A grant, an issue or a claim was refused; ``user_id``: the claimer's. ``ref``: or its key.

    ``available`` is what could be taken away (INSUFFICIENT and BELOW_HELD only).
    """

    resource_id: str
    shop_id: int
    user_id: int
    ref: str
    command: str
    reason: PromotionReason
    available: int
    trace_id: str
