"""What the promotions stage keeps. Amounts are units or fen of a resource, times epoch ms UTC."""

from __future__ import annotations

from schemas.record import Record
from schemas.resource import COUPON, LOT, AfterRefund
from streams.reservations.records import Hold, Resource

# A grant, an issue or a claim counts once within the window in which every client of the platform
# may repeat a request (architecture.md, idempotency towards clients): 24 h.
ENTRY_RETENTION_MS = 24 * 3600 * 1000


class Allowance(Resource, frozen=True):
    """A coupon, budget, quota or limit. Key: ``resource_id``.

    ``granted`` is the capacity that it was given in all, whatever an operator took back: a rule
    that names no more brings nothing. ``user_id``: whose it is (0: anybody's).
    """

    resource_id: str
    shop_id: int
    granted: int
    user_id: int
    expires_at_ms: int
    after_refund: AfterRefund


class Lot(Resource, frozen=True):
    """Coupons that nobody has claimed: ``on_hand``, none of them ever held. Key: ``resource_id``.

    ``last_no`` is the number of the coupon that was claimed last.
    """

    resource_id: str
    shop_id: int
    last_no: int
    per_user: int
    expires_at_ms: int
    after_refund: AfterRefund


class Claims(Record, frozen=True):
    """How many coupons of a lot a user has claimed. Key: ``claims_key``."""

    count: int


class PromotionHold(Hold, frozen=True):
    """A part of a resource for an order (``owner`` is its number). Key: the hold id.

    ``returned``: it was used up, and came back because the order was refunded.
    """

    shop_id: int
    returned: bool = False


class Entry(Record, frozen=True):
    """The memory of a grant, an issue or a claim, so that it counts once. Key: ``entry_key``.

    ``body`` is what it asked for: the same ref with another body is a conflict.
    """

    command: str
    resource_id: str
    ref: str
    body: str
    due_ms: int


def coupon_id(lot: str, number: int) -> str:
    """Return the resource id of the coupon with that number of the lot with that resource id."""
    return f"{COUPON}{lot.removeprefix(LOT)}-{number}"


def coupon_no(coupon: str) -> int:
    """Return the number of a coupon in its lot."""
    return int(coupon.rpartition("-")[2])


def claims_key(lot: str, user_id: int) -> str:
    """Return the key of a Claims of the lot with that resource id."""
    return f"{lot}/{user_id}"


def entry_key(command: str, resource_id: str, ref: str) -> str:
    """Return the key of an Entry: each kind of command is numbered apart, per resource."""
    return f"{command}/{resource_id}/{ref}"
