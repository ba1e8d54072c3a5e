"""What operators grant and issue, and users claim, counts once and within its limits."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.record import Record
from schemas.resource import (
    AfterRefund,
    CouponClaimed,
    PromotionEntryRefused,
    PromotionReason,
)
from streams.promotions.facts import EntryForgotten
from streams.promotions.state import ENTRY_RETENTION_MS
from tests.unit.promotions.desk import (
    COUPON,
    SHOP,
    START_MS,
    TRACE,
    USER,
    WELCOME,
    Desk,
    claim,
    confirm,
    grant,
    held,
    issue,
    try_,
)


def claimed(number: int, left: int, *, key: str = "k", user_id: int = USER) -> CouponClaimed:
    return CouponClaimed(
        resource_id=WELCOME,
        version=number + 1,
        shop_id=SHOP,
        claim_key=key,
        user_id=user_id,
        coupon_id=f"coupon:7/WELCOME-{number}",
        claimed=1,
        per_user=1,
        expires_at_ms=START_MS + 3_600_000,
        after_refund=AfterRefund.RETURNED,
        on_hand=left,
        held=0,
        delta_on_hand=-1,
        delta_held=0,
        trace_id=TRACE,
    )


def refused(
    command: Record,
    reason: PromotionReason,
    resource_id: str = WELCOME,
    *,
    ref: str = "k",
    user_id: int = USER,
    available: int = 0,
) -> list[PromotionEntryRefused]:
    name = type(command).__name__
    return [PromotionEntryRefused(resource_id, SHOP, user_id, ref, name, reason, available, TRACE)]


def test_a_claimed_coupon_is_its_users_and_works_once() -> None:
    desk = Desk()
    desk.tell(issue())

    assert desk.tell(claim()) == [claimed(1, 9)]
    coupon = "coupon:7/WELCOME-1"
    stranger = desk.tell(try_("A", coupon, user_id=USER + 1))[0]
    assert stranger.reason is PromotionReason.NOT_YOURS  # type: ignore[attr-defined]
    assert desk.tell(try_("B", coupon)) == [held("B", coupon)]
    desk.tell(confirm("B", coupon))
    assert desk.amounts(coupon) == (0, 0)


def test_a_claim_that_comes_again_has_no_effect() -> None:
    desk = Desk()
    desk.tell(issue(), claim())

    assert desk.tell(claim()) == []


def test_nobody_claims_more_of_a_lot_than_one_user_may() -> None:
    desk = Desk()
    desk.tell(issue(), claim())

    again = claim("another key")
    limit = refused(again, PromotionReason.CLAIM_LIMIT, ref="another key")
    assert desk.tell(again) == limit
    assert desk.tell(claim(user_id=USER + 1)) == [claimed(2, 8, user_id=USER + 1)]


def test_of_an_empty_lot_nothing_is_claimed_until_more_is_issued() -> None:
    desk = Desk()
    desk.tell(issue(qty=1), claim())
    late = claim(user_id=USER + 1)

    assert desk.tell(late) == refused(late, PromotionReason.INSUFFICIENT, user_id=USER + 1)
    desk.tell(issue(qty=1, ref="doc-2"))
    after = replace(claimed(2, 0, user_id=USER + 1), version=4)
    assert desk.tell(late) == [after]


def test_of_a_lot_that_is_unknown_or_over_nothing_is_claimed() -> None:
    desk = Desk()
    assert desk.tell(claim()) == refused(claim(), PromotionReason.UNKNOWN_RESOURCE)
    desk.tell(issue())
    desk.wait(3_600_000)

    assert desk.tell(claim()) == refused(claim(), PromotionReason.OVER)


def test_a_number_that_an_operator_granted_by_hand_is_left_out() -> None:
    desk = Desk()
    desk.tell(issue(), grant("coupon:7/WELCOME-1"))

    assert desk.tell(claim()) == [replace(claimed(2, 9), version=2)]


def test_a_grant_counts_once_for_a_day_and_conflicts_with_another_body() -> None:
    desk = Desk()
    desk.tell(grant(delta=2))

    assert desk.tell(grant(delta=2)) == []
    other = grant(delta=3)
    conflict = refused(other, PromotionReason.CONFLICT, COUPON, ref="doc-1", user_id=0)
    assert desk.tell(other) == conflict
    assert desk.wait(ENTRY_RETENTION_MS) == [EntryForgotten("GrantCapacity", COUPON, "doc-1")]


def test_less_than_is_held_is_not_left() -> None:
    desk = Desk()
    desk.tell(grant(delta=3), try_("A"))
    less = grant(delta=-3, ref="doc-2")

    below = refused(less, PromotionReason.BELOW_HELD, COUPON, ref="doc-2", user_id=0, available=2)
    assert desk.tell(less) == below
    assert desk.amounts(COUPON) == (3, 1)
