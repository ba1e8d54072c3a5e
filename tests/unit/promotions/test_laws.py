"""Whatever is asked, in any order: never over capacity, and everything is returned or spent."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.record import Record
from schemas.resource import (
    CapacityGranted,
    CouponClaimed,
    PromotionHeld,
    PromotionReleased,
    PromotionReturned,
    PromotionSpent,
)
from streams.promotions.state import Allowance
from streams.reservations.protocol import TTL_MAX_MS
from tests.unit.promotions.desk import (
    BUDGET,
    COUPON,
    SHOP,
    TTL_MS,
    USER,
    Desk,
    cancel,
    claim,
    confirm,
    grant,
    issue,
    return_,
    try_,
)

LIMIT = "limit:7/festival/full"
ORDERS = "ABCDEF"

resources = st.sampled_from((COUPON, BUDGET, LIMIT))
orders = st.sampled_from(ORDERS)


def _try(order_no: str, resource_id: str, amount: int, capacity: int) -> Record:
    """The same order asks for the same amount every time, as the orders stage does."""
    if resource_id == COUPON:
        return try_(order_no)
    if resource_id == BUDGET:
        return try_(order_no, BUDGET, 1 + ORDERS.index(order_no) * 50, capacity=200 * capacity)
    return try_(order_no, LIMIT, 1, capacity=capacity)


asks = st.one_of(
    st.builds(_try, orders, resources, st.integers(1, 300), st.integers(1, 2)),
    st.builds(confirm, orders, resources),
    st.builds(cancel, orders, resources),
    st.builds(return_, orders, resources, st.just(0)),
    st.builds(lambda delta, ref: grant(COUPON, delta, ref=ref), st.sampled_from((-1, 1)), orders),
    st.sampled_from((0, TTL_MS // 3, TTL_MS, TTL_MAX_MS)),
)


def _check(desk: Desk) -> None:
    granted: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for fact in desk.facts:
        match fact:
            case CapacityGranted(resource_id=name, delta_on_hand=delta):
                granted[name] += delta
            case PromotionHeld(resource_id=name, amount=amount):
                held[name] += amount
            case PromotionSpent(resource_id=name, amount=amount):
                held[name] -= amount
                spent[name] += amount
            case PromotionReleased(resource_id=name, amount=amount):
                held[name] -= amount
            case PromotionReturned(resource_id=name, amount=amount):
                spent[name] -= amount
        for name in granted:
            assert min(held[name], spent[name]) >= 0
            assert held[name] + spent[name] <= granted[name]
    for name in granted:
        assert desk.amounts(name) == (granted[name] - spent[name], held[name])


@given(st.lists(asks, max_size=40))
def test_no_interleaving_uses_more_than_was_granted_and_in_the_end_nothing_is_held(
    steps: list[Record | int],
) -> None:
    desk = Desk()
    for step in steps:
        if isinstance(step, int):
            desk.wait(step)
        else:
            desk.tell(step)
    _check(desk)

    desk.wait(TTL_MAX_MS)
    _check(desk)
    for name in (COUPON, BUDGET, LIMIT):
        found = desk.state.get(Allowance, name)
        assert found is None or found.held == 0


@given(st.lists(asks, max_size=30))
def test_told_everything_twice_nothing_moves_twice(steps: list[Record | int]) -> None:
    once, twice = Desk(), Desk()
    for step in steps:
        if isinstance(step, int):
            assert once.wait(step) == twice.wait(step)
        else:
            first = once.tell(step)
            assert twice.tell(step) == first
            version = {name: twice.state.get(Allowance, name) for name in (COUPON, BUDGET, LIMIT)}
            twice.tell(step)
            for name, before in version.items():
                assert twice.state.get(Allowance, name) == before


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("xyz")), max_size=30))
def test_no_user_claims_more_than_one_may_and_no_coupon_is_claimed_twice(
    claims: list[tuple[int, str]],
) -> None:
    desk = Desk()
    desk.tell(issue(qty=5, per_user=2))
    for user, key in claims:
        desk.tell(claim(key, USER + user))

    given_out = [fact for fact in desk.facts if isinstance(fact, CouponClaimed)]
    assert len({fact.coupon_id for fact in given_out}) == len(given_out) <= 5
    per_user = Counter(fact.user_id for fact in given_out)
    wanted = {USER + user: len({k for u, k in claims if u == user}) for user, _ in claims}
    assert all(n <= min(2, wanted[user]) for user, n in per_user.items())
    assert {fact.shop_id for fact in given_out} <= {SHOP}
