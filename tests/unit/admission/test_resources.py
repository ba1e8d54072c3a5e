"""Grants, issues and claims of promotions are admitted to the key of what they are about."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.record import Record
from schemas.resource import ClaimCoupon, GrantCapacity, IssueCoupons
from schemas.topics import PROMOTION_COMMANDS
from streams.admission import admit
from streams.admission.problems import InvalidIntent
from streams.kernel.stage import Output
from tests.unit.admission.test_promoting import NOW_MS, Prices

TRACE = "5" * 32
GRANT = GrantCapacity("doc-1", 7, "coupon:7/GOLD-1", 1, "li", trace_id=TRACE)
ISSUE = IssueCoupons("doc-1", 7, "WELCOME", 100, 1, "li", trace_id=TRACE)
CLAIM = ClaimCoupon("k", 7, 1_001, "WELCOME", TRACE)


@pytest.mark.parametrize(
    ("intent", "key"),
    [(GRANT, "lot:7/GOLD"), (ISSUE, "lot:7/WELCOME"), (CLAIM, "lot:7/WELCOME")],
)
def test_what_is_sound_is_passed_on_as_it_is(intent: Record, key: str) -> None:
    assert admit(intent, Prices(), NOW_MS) == Output(PROMOTION_COMMANDS.name, key, intent)


def test_a_trace_id_is_derived_when_there_is_none() -> None:
    first, again = (admit(replace(CLAIM, trace_id=""), Prices(), NOW_MS) for _ in range(2))
    assert first == again
    assert len(first.message.trace_id) == 32  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("intent", "field"),
    [
        (replace(GRANT, resource_id="coupon:8/GOLD-1"), "resource_id"),  # another shop's
        (replace(GRANT, resource_id="lot:7/GOLD"), "resource_id"),
        (replace(GRANT, delta=0), "delta"),
        (replace(GRANT, user_id=-1), "user_id"),
        (replace(GRANT, operator=""), "operator"),
        (replace(GRANT, ref=""), "ref"),
        (replace(ISSUE, lot="a/b"), "lot"),
        (replace(ISSUE, qty=0), "qty"),
        (replace(ISSUE, per_user=0), "per_user"),
        (replace(ISSUE, expires_at_ms=-1), "expires_at_ms"),
        (replace(CLAIM, claim_key=""), "claim_key"),
        (replace(CLAIM, user_id=0), "user_id"),
        (replace(CLAIM, shop_id=0), "shop_id"),
        (replace(CLAIM, trace_id="x"), "trace_id"),
    ],
)
def test_what_is_wrong_is_named(intent: Record, field: str) -> None:
    with pytest.raises(InvalidIntent) as caught:
        admit(intent, Prices(), NOW_MS)
    assert field in [problem.field for problem in caught.value.problems]
