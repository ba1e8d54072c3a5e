"""What a cart costs at list prices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.order import CartLine, PricedLine
from streams.pricing import (
    Cart,
    ListPrice,
    PricedCart,
    PriceList,
    PricingReason,
    UnpriceableCart,
    UnpricedLine,
    price,
)

SHOP = 7


class Prices:
    """Prices of shop 7 by sku."""

    def __init__(self, prices: dict[int, ListPrice]) -> None:
        self._prices = prices

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return self._prices.get(sku_id) if shop_id == SHOP else None


PRICES: PriceList = Prices(
    {1: ListPrice(1_999, "CNY"), 2: ListPrice(50, "CNY"), 3: ListPrice(900, "USD")}
)


def cart(*lines: CartLine, shop_id: int = SHOP, currency: str = "CNY") -> Cart:
    return Cart(shop_id, currency, lines)


def test_each_line_costs_its_units_at_the_list_price() -> None:
    assert price(cart(CartLine(1, 2, 1_999), CartLine(2, 3, 50)), PRICES) == PricedCart(
        lines=(PricedLine(1, 2, 1_999, 0, 3_998), PricedLine(2, 3, 50, 0, 150)),
        rules=(),
        total_fen=4_148,
        currency="CNY",
    )


def test_what_the_buyer_was_shown_takes_no_part_in_the_price() -> None:
    assert price(cart(CartLine(1, 2, 1)), PRICES) == price(cart(CartLine(1, 2, 9_999)), PRICES)


def test_two_lines_of_one_sku_stay_two_lines() -> None:
    priced = price(cart(CartLine(2, 1, 50), CartLine(2, 4, 50)), PRICES)

    assert isinstance(priced, PricedCart)
    assert [line.qty for line in priced.lines] == [1, 4]
    assert priced.total_fen == 250


def test_an_empty_cart_costs_nothing() -> None:
    assert price(cart(), PRICES) == PricedCart((), (), 0, "CNY")


def test_every_line_without_a_price_is_named() -> None:
    lines = (CartLine(9, 1, 0), CartLine(1, 1, 0), CartLine(3, 1, 0))
    assert price(cart(*lines), PRICES) == UnpriceableCart(
        (
            UnpricedLine(0, 9, PricingReason.UNKNOWN_SKU, "shop 7 does not sell sku 9"),
            UnpricedLine(2, 3, PricingReason.BAD_CURRENCY, "sku 3 is sold in USD, not CNY"),
        )
    )


def test_a_sku_of_another_shop_has_no_price() -> None:
    priced = price(cart(CartLine(1, 1, 1_999), shop_id=8), PRICES)

    assert isinstance(priced, UnpriceableCart)
    assert [line.reason for line in priced.unpriced] == [PricingReason.UNKNOWN_SKU]


@given(
    st.lists(
        st.tuples(st.integers(1, 9_999), st.integers(0, 10**12)),
        max_size=100,
    )
)
def test_a_total_is_the_sum_of_its_lines_and_never_negative(wanted: list[tuple[int, int]]) -> None:
    prices = Prices({sku: ListPrice(fen, "CNY") for sku, (_, fen) in enumerate(wanted)})
    lines = [CartLine(sku, qty, 0) for sku, (qty, _) in enumerate(wanted)]
    priced = price(cart(*lines), prices)

    assert isinstance(priced, PricedCart)
    assert priced.total_fen == sum(qty * fen for qty, fen in wanted)
    assert priced.total_fen == sum(line.payable_fen for line in priced.lines)
    assert 0 <= priced.total_fen < 2**63
    for line in priced.lines:
        assert line.payable_fen == line.qty * line.unit_price_fen - line.discount_fen >= 0
