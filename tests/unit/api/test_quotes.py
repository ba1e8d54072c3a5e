"""A quote names the pack and tells of every rule, in words too."""

from __future__ import annotations

from api import answering
from api.responses import MissingAmount, Quote, QuotedRule
from schemas.order import AppliedRule, CartLine, PricedLine
from schemas.promotion import AmountOff, Effect, Level, PercentOff, Rule, RulePack
from streams.pricing import Cart, ListPrice, PricedCart, Shelf, Shopper, price

SHOP, NOW_MS = 7, 1_790_000_000_000
PACK = RulePack(
    "autumn",
    SHOP,
    (
        Rule("sale", Level.ITEM, Effect(percent_off=PercentOff(1_000))),
        Rule("full", Level.ORDER, Effect(amount_off=AmountOff(100)), when="cart.fen >= 2_900"),
        Rule("app", Level.ORDER, Effect(amount_off=AmountOff(5)), when="channel == 'app'"),
    ),
    version=2,
    floor_bp=1_000,
)


class Prices:
    """Everything costs 10.00."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return ListPrice(1_000, "CNY")


def test_a_quote_tells_what_becomes_of_every_rule() -> None:
    shelf = Shelf()
    shelf.put(PACK, NOW_MS)
    cart = Cart(SHOP, "CNY", (CartLine(1, 1, 0),))
    priced = price(cart, Prices(), shelf.in_force(SHOP, NOW_MS), Shopper(NOW_MS))
    assert isinstance(priced, PricedCart)
    app = "channel == 'app'"
    assert answering.quote(priced) == Quote(
        "CNY",
        900,
        (PricedLine(1, 1, 1_000, 100, 900),),
        (AppliedRule("sale", 100),),
        "autumn@2",
        (
            QuotedRule("sale", "APPLIED", 100, "sale: 1.00 off"),
            QuotedRule("app", "REFUSED", 0, f"app: does not hold: {app}", "CONDITION"),
            QuotedRule(
                "full",
                "NEEDS",
                0,
                "full: spend 20.00 more",
                needs=(MissingAmount("fen", 2_000, of_items=False),),
            ),
        ),
    )
