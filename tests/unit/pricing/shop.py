"""A shop for the tests of promotions: its prices, and short ways to say rules and carts."""

from __future__ import annotations

from schemas.order import CartLine
from schemas.promotion import (
    AmountOff,
    Effect,
    FixedPrice,
    FreeFreight,
    Gift,
    NthItem,
    PercentOff,
    Rule,
    RulePack,
)
from streams.pricing import (
    Cart,
    Coupon,
    ListPrice,
    Member,
    PricedCart,
    Promotions,
    Shopper,
    compile_pack,
    price,
)
from streams.pricing.outcome import Outcome

SHOP = 7
NOW_MS = 1_790_000_000_000  # Monday, 2026-09-21 22:13 in Beijing
GUEST = Member()
SHOPPER = Shopper(NOW_MS, user_id=5)


class Prices:
    """Prices of one shop by sku."""

    def __init__(self, prices: dict[int, ListPrice]) -> None:
        self._prices = prices

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return self._prices.get(sku_id) if shop_id == SHOP else None


PRICES = Prices(
    {
        1: ListPrice(10_000, "CNY", "shoes"),
        2: ListPrice(5_000, "CNY", "hats"),
        3: ListPrice(999, "CNY", "hats"),
    }
)


def off(fen: int, every_fen: int = 0, times: int = 0) -> Effect:
    return Effect(amount_off=AmountOff(fen, every_fen, times))


def percent(bp: int, up_to_fen: int = 0) -> Effect:
    return Effect(percent_off=PercentOff(bp, up_to_fen))


def fixed(fen: int, units: int = 1) -> Effect:
    return Effect(fixed_price=FixedPrice(fen, units))


def nth(n: int, bp: int) -> Effect:
    return Effect(nth_item=NthItem(n, bp))


def gift(sku_id: int, qty: int = 1) -> Effect:
    return Effect(gift=Gift(sku_id, qty))


FREE_FREIGHT = Effect(free_freight=FreeFreight())


def pack(*rules: Rule, floor_bp: int | None = None, fen_per_point: int = 0) -> RulePack:
    return RulePack(
        "spring", SHOP, rules, version=1, floor_bp=floor_bp, fen_per_point=fen_per_point
    )


def priced(
    rules: RulePack,
    *wanted: tuple[int, int],
    coupons: tuple[str | Coupon, ...] = (),
    member: Member = GUEST,
    freight_fen: int = 0,
    shopper: Shopper = SHOPPER,
    prices: Prices = PRICES,
) -> PricedCart:
    """Price a cart of (sku, qty)."""
    lines = tuple(CartLine(sku_id, qty, 0) for sku_id, qty in wanted)
    shown = tuple(Coupon(one) if isinstance(one, str) else one for one in coupons)
    buyer = shopper._replace(coupons=shown, member=member)
    cart = price(Cart(SHOP, "CNY", lines, freight_fen), prices, compile_pack(rules), buyer)
    assert isinstance(cart, PricedCart)
    return cart


def told(cart: PricedCart) -> Promotions:
    assert cart.promotions is not None
    return cart.promotions


def outcome(cart: PricedCart, rule_id: str) -> Outcome:
    (found,) = (one for one in told(cart).outcomes if one.rule_id == rule_id)
    return found
