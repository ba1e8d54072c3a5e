"""What became of the rules of a pack for one cart."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What a rule has to say."""

    APPLIED = "APPLIED"
    REFUSED = "REFUSED"  # ``reason`` says why
    NEEDS = "NEEDS"  # it would apply with more in the cart


class RefusalReason(StrEnum):
    """Why a rule does not apply."""

    CONDITION = "CONDITION"  # a term does not hold; ``detail`` is the term
    OUTRANKED = "OUTRANKED"  # it may not stand with the rule in ``detail``, which gives more
    REQUIRES = "REQUIRES"  # the rule in ``detail`` does not apply
    AT_FLOOR = "AT_FLOOR"  # nothing is left that may be taken off
    NO_DISCOUNT = "NO_DISCOUNT"  # it takes nothing off this cart
    NOT_YET = "NOT_YET"  # of a coupon: its rule is not effective yet
    OVER = "OVER"  # of a coupon: its rule is no longer effective
    COUPON_EXPIRED = "COUPON_EXPIRED"
    COUPON_NOT_NEEDED = "COUPON_NOT_NEEDED"  # the price is no lower with it, or as low with another
    COUPON_UNKNOWN = "COUPON_UNKNOWN"  # no rule of the pack takes it
    NO_SUCH_GOODS = "NO_SUCH_GOODS"  # of a coupon: its rule is about goods that are not in the cart


class Need(NamedTuple):
    """What is missing: ``amount`` more of ``unit`` (fen, units or kinds).

    Of the rule's goods when ``of_items``, else of anything in the shop.
    """

    unit: str
    amount: int
    of_items: bool


class Outcome(NamedTuple):
    """What one rule did. ``coupon`` is the code that it is about, empty without one."""

    rule_id: str
    verdict: Verdict
    discount_fen: int = 0
    reason: RefusalReason | None = None
    detail: str = ""
    needs: tuple[Need, ...] = ()
    coupon: str = ""


class ClaimKind(StrEnum):
    """What can run out."""

    COUPON = "COUPON"
    BUDGET = "BUDGET"
    QUOTA = "QUOTA"
    PER_USER = "PER_USER"


class Claim(NamedTuple):
    """``amount`` of a resource that the order has to hold, of which there is ``capacity`` at all.

    A resource outlives the versions of its pack: a budget is not refilled by publishing.
    """

    kind: ClaimKind
    resource_id: str
    amount: int
    capacity: int


class GiftUnits(NamedTuple):
    """``qty`` units of a sku that the rule adds for nothing."""

    rule_id: str
    sku_id: int
    qty: int


class Promotions(NamedTuple):
    """What the version of a pack made of a cart.

    ``outcomes`` has every rule that concerns the cart, in the order of their turns, then coupons
    that nothing came of. ``points`` are earned; ``deposit_fen`` is to be paid first, of the total.
    ``exhaustive`` is False when the search for the best price stopped at its bound.
    """

    pack_id: str
    version: int
    outcomes: tuple[Outcome, ...]
    claims: tuple[Claim, ...]
    gifts: tuple[GiftUnits, ...]
    points: int
    deposit_fen: int
    exhaustive: bool
