"""Who buys, how and when: all that a price depends on besides cart, catalogue and pack."""

from __future__ import annotations

from typing import NamedTuple


class Member(NamedTuple):
    """A buyer as the shop knows it: level and growth value (0: none), orders paid before, tags."""

    level: int = 0
    growth: int = 0
    orders: int = 0
    tags: frozenset[str] = frozenset()


class Coupon(NamedTuple):
    """A coupon that the buyer presents; ``expires_at_ms`` 0: never."""

    code: str
    expires_at_ms: int = 0


GUEST = Member()


class Shopper(NamedTuple):
    """The buyer at ``now_ms`` (epoch ms). ``channel`` is where the cart is (app, web ...)."""

    now_ms: int
    user_id: int = 0
    member: Member = GUEST
    coupons: tuple[Coupon, ...] = ()
    channel: str = ""
    flow: str = "standard"
