"""Orders under a published pack: its price, pinned, or the new one to confirm."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.order import AppliedRule, CartLine, PlaceOrder, PlaceOrderIntent, PricedLine
from schemas.promotion import AmountOff, Effect, Level, PercentOff, Rule, RulePack
from streams.admission import InvalidIntent, admit
from streams.pricing import ListPrice, Shelf

SHOP, NOW_MS = 7, 1_790_000_000_000
SALE = Rule("sale", Level.ITEM, Effect(percent_off=PercentOff(3_333)))
LIMITED = Rule("limited", Level.ORDER, Effect(amount_off=AmountOff(100)), budget_fen=1_000)
WITH_IT = Rule("with-it", Level.ORDER, Effect(amount_off=AmountOff(50)), requires=("limited",))
PACK = RulePack("autumn", SHOP, (SALE, LIMITED, WITH_IT), version=1, floor_bp=1_000)
INTENT = PlaceOrderIntent(SHOP, 5, "cart-1", (CartLine(1, 3, 1_000),), 1_851, NOW_MS)


class Prices:
    """Everything costs 10.00."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return ListPrice(1_000, "CNY")


def placed(intent: PlaceOrderIntent, shelf: Shelf) -> PlaceOrder:
    order = admit(intent, Prices(), NOW_MS, shelf).message
    assert isinstance(order, PlaceOrder)
    return order


def test_an_order_has_the_price_of_the_pack_in_force_and_names_it() -> None:
    shelf = Shelf()
    shelf.put(PACK, NOW_MS - 1)
    order = placed(INTENT, shelf)
    assert order.lines == (PricedLine(1, 3, 1_000, 1_149, 1_851),)
    assert order.rules == (
        AppliedRule("sale", 999),
        AppliedRule("limited", 100),
        AppliedRule("with-it", 50),
    )
    assert (order.total_fen, order.pack) == (1_851, "autumn@1")
    # what can run out is held with the goods
    assert [hold.kind for hold in order.holds] == ["stock", "promotion"]
    assert (order.holds[1].amount, order.holds[1].capacity) == (100, 1_000)


def test_a_rule_changed_after_the_quote_gives_the_new_price_to_confirm() -> None:
    shelf = Shelf()
    shelf.put(PACK, NOW_MS - 10)
    shelf.put(replace(PACK, version=2, rules=()), NOW_MS - 5)
    with pytest.raises(InvalidIntent) as refused:
        placed(INTENT, shelf)
    (problem,) = refused.value.problems
    assert (problem.code, problem.field) == ("PRICE_CHANGED", "total_fen")
    assert "costs 3000, not 1851" in problem.detail
    # nor does a client's clock bring the old price back
    with pytest.raises(InvalidIntent):
        placed(replace(INTENT, placed_at_ms=NOW_MS - 6), shelf)


def test_an_order_of_a_shop_without_a_pack_names_none() -> None:
    assert placed(replace(INTENT, total_fen=3_000), Shelf()).pack == ""
