"""Everybody wants the same coupon, or the same budget, at once, and workers die meanwhile.

``python -m tests.unit.promotions.test_crowds`` plays both in full: 5,000 and 100,000 orders.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable

import pytest

from schemas.resource import PromotionSpent
from tests.unit.promotions.desk import COUPON
from tests.unit.promotions.shop import OFF_FEN, Shop, use

BUDGET, QUOTA = "budget:7/fest/full", "quota:7/fest/full"
COUPON_ORDERS, BUDGET_ORDERS, USES = 5_000, 100_000, 1_000
_BATCH = 500
_FULL = (5_000, 60)  # records a turn, turns a crash: a takeover loads 100,000 holds again


def one_coupon(orders: int, seed: int, pace: tuple[int, int] = (_BATCH, 8)) -> Shop:
    """Let ``orders`` orders have one coupon of a single use."""
    shop = Shop()
    shop.grant(COUPON)
    shop.host.run()
    for number in range(orders):
        shop.place(f"O{number:06}", use(COUPON))
    _play(shop, seed, pace)
    return shop


def one_budget(orders: int, uses: int, seed: int, pace: tuple[int, int] = (_BATCH, 8)) -> Shop:
    """Let ``orders`` orders, some of the same users, have a budget of ``uses`` uses, one a user."""
    shop, dice = Shop(), random.Random(seed)
    users = max(1, orders * 9 // 10)
    _wave(shop, [1 + dice.randrange(users) for _ in range(orders)], uses)
    _play(shop, seed, pace)
    # What an order gave back that was rejected for its user's limit is for those who come later.
    while len(shop.used(QUOTA)) < uses:
        users += uses
        _wave(shop, range(users - uses + 1, users + 1), uses)
        _play(shop, seed, pace)
    return shop


def _wave(shop: Shop, users: Iterable[int], uses: int) -> None:
    for number, user_id in enumerate(users, len(shop.orders)):
        shop.place(
            f"O{number:06}",
            use(BUDGET, OFF_FEN, OFF_FEN * uses),
            use(QUOTA, 1, uses),
            use(f"limit:7/fest/full/{user_id}", 1, 1),
            user_id=user_id,
        )


def _play(shop: Shop, seed: int, pace: tuple[int, int]) -> None:
    shop.run_with_crashes(random.Random(seed), *pace)
    shop.gateway_answers()


def _ends(shop: Shop) -> Counter[str]:
    return Counter(shop.statuses().values())


def check_coupon(shop: Shop) -> None:
    orders = len(shop.orders)
    assert len(shop.used(COUPON)) == 1
    assert _ends(shop) == {"OrderConfirmed": 1, "OrderRejected": orders - 1}
    assert shop.verdict().violations == ()


def check_budget(shop: Shop, uses: int) -> None:
    spent = [fact for fact in shop.facts() if isinstance(fact, PromotionSpent)]
    limits = Counter(f.resource_id for f in spent if f.resource_id.startswith("limit:"))
    assert sum(f.amount for f in spent if f.resource_id == BUDGET) == OFF_FEN * uses
    assert len(shop.used(QUOTA)) == uses == _ends(shop)["OrderConfirmed"]
    assert len(limits) == uses
    assert set(limits.values()) == {1}
    assert shop.verdict().violations == ()


@pytest.mark.parametrize("seed", range(3))
def test_of_many_orders_with_one_coupon_exactly_one_has_it(seed: int) -> None:
    check_coupon(one_coupon(60, seed))


def test_a_budget_of_many_uses_is_used_to_the_fen_and_by_no_user_twice() -> None:
    check_budget(one_budget(150, 20, seed=1), uses=20)


def _timed(name: str, started_s: float, shop: Shop) -> Shop:
    print(name, dict(_ends(shop)), f"{time.monotonic() - started_s:.1f} s", flush=True)
    return shop


if __name__ == "__main__":
    check_coupon(_timed("coupon", time.monotonic(), one_coupon(COUPON_ORDERS, 1, _FULL)))
    check_budget(
        _timed("budget", time.monotonic(), one_budget(BUDGET_ORDERS, USES, 1, _FULL)), USES
    )
