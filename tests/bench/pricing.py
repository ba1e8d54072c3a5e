"""What pricing costs: ``python -m tests.bench.pricing [--seed N]``.

A pack of 200 rules (120 of single skus, 30 of categories, a member price, 16 of full reductions, 16
of coupons, points, freight and gifts), priced for carts of 20 lines with 3 coupons, and for orders
of one and two lines as the demo's are. Prints times of a call, and carts a second: of this thread's
time on one core, so that other processes disturb it less.
"""

from __future__ import annotations

import argparse
import gc
import random
import time

from schemas.order import CartLine
from schemas.promotion import (
    AmountOff,
    Base,
    Effect,
    FixedPrice,
    FreeFreight,
    Gift,
    Level,
    NthItem,
    PercentOff,
    PointsMultiplier,
    Rule,
    RulePack,
)
from streams.pricing import Cart, Coupon, ListPrice, Member, Shopper, compile_pack, price

SKUS = 1_000
CATEGORIES = 20
CARTS = 1_000
_REPEATS = 5  # the best counts: what a cart costs, less what its neighbours on the machine do
_NOW_MS = 1_790_000_000_000


class Prices:
    """Prices of a thousand skus, whatever the shop."""

    def __init__(self, draw: random.Random) -> None:
        self._prices = {
            sku_id: ListPrice(draw.randrange(500, 50_000), "CNY", f"c{sku_id % CATEGORIES}")
            for sku_id in range(1, SKUS + 1)
        }

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        """Return the price of a sku."""
        return self._prices.get(sku_id)


def pack_of_200(draw: random.Random) -> RulePack:
    """Return a pack as a shop's before a festival."""
    rules: list[Rule] = []
    for n in range(120):
        effect = draw.choice(
            (
                Effect(percent_off=PercentOff(draw.randrange(500, 4_000))),
                Effect(amount_off=AmountOff(draw.randrange(100, 400))),
                Effect(fixed_price=FixedPrice(draw.randrange(400, 20_000))),
                Effect(nth_item=NthItem(2, 5_000)),
            )
        )
        skus = ", ".join(str(draw.randrange(1, SKUS + 1)) for _ in range(10))
        rules.append(
            Rule(f"sku-{n}", Level.ITEM, effect, items=f"item.sku_id in ({skus})", group="sale")
        )
    rules.append(
        Rule("member", Level.ITEM, Effect(percent_off=PercentOff(500)), when="member.level >= 1")
    )
    rules += [
        Rule(
            f"category-{n}",
            Level.ITEM,
            Effect(percent_off=PercentOff(300 + n)),
            items=f"item.category == 'c{n % CATEGORIES}' and item.unit_price_fen >= 1_000",
            group="sale",
        )
        for n in range(30)
    ]
    for n in range(16):
        category = n % 4
        items = "" if n < 3 else f"item.category in ('c{category}', 'c{category + 4}')"
        effect = Effect(amount_off=AmountOff(1_000 + 100 * n, 10_000 + 1_000 * n, 5))
        group = "full" if n < 3 else f"full-{category}"
        rules.append(Rule(f"full-{n}", Level.ORDER, effect, items=items, group=group))
    rules += [
        Rule(
            f"coupon-{n}",
            Level.COUPON,
            Effect(amount_off=AmountOff(500 + n)),
            coupon=f"C{n:02}-*",
            when=f"cart.fen >= {1_000 * n}",
            group="shop-coupon" if n % 2 else "platform-coupon",
            budget_fen=10**9,
            per_user=1,
        )
        for n in range(16)
    ]
    for n in range(5):
        effect = Effect(points_multiplier=PointsMultiplier(15_000 + n))
        rules.append(Rule(f"points-{n}", Level.POINTS, effect, group="points"))
        free = Effect(free_freight=FreeFreight())
        when = f"cart.fen >= {9_900 + n * 1_000}"
        rules.append(Rule(f"freight-{n}", Level.FREIGHT, free, when=when, group="freight"))
    rules += [
        Rule(
            f"gift-{n}",
            Level.GIFT,
            Effect(gift=Gift(n + 1)),
            when=f"cart.fen >= {n * 20_000}",
            base=Base.ORIGINAL,
            group="gift",
        )
        for n in range(7)
    ]
    return RulePack("bench", 1, tuple(rules), floor_bp=1_000, fen_per_point=100)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    draw = random.Random(parser.parse_args().seed)
    prices, pack = Prices(draw), pack_of_200(draw)
    started = time.perf_counter()
    compiled = compile_pack(pack)
    print(f"{len(pack.rules)} rules compiled in {(time.perf_counter() - started) * 1e3:.1f} ms")
    gc.freeze()
    for name, least, most, coupons in (("20 lines", 20, 20, 3), ("1-2 lines", 1, 2, 1)):
        shopper = Shopper(
            _NOW_MS,
            5,
            Member(2),
            tuple(Coupon(f"C{n:02}-{n}") for n in (1, 2, 3)[:coupons]),
        )
        carts = [
            Cart(
                1,
                "CNY",
                tuple(
                    CartLine(draw.randrange(1, SKUS + 1), draw.randrange(1, 4), 0)
                    for _ in range(draw.randint(least, most))
                ),
                1_000,
            )
            for _ in range(CARTS)
        ]
        for cart in carts[:200]:
            price(cart, prices, compiled, shopper)
        times = []
        for cart in carts:
            best = float("inf")
            for _ in range(_REPEATS):
                started = time.thread_time()
                price(cart, prices, compiled, shopper)
                best = min(best, time.thread_time() - started)
            times.append(best)
        times.sort()
        mean = sum(times) / len(times)
        p50, p99 = times[CARTS // 2], times[CARTS * 99 // 100]
        print(
            f"{name:<10} P50 {p50 * 1e3:.3f} ms   P99 {p99 * 1e3:.3f} ms"
            f"   max {times[-1] * 1e3:.3f} ms   {1 / mean:,.0f} carts/s"
        )


if __name__ == "__main__":
    main()
