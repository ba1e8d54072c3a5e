"""The price of a cart."""

from __future__ import annotations

from schemas.order import PricedLine
from streams.pricing.cart import Cart, PricedCart, PricingReason, UnpriceableCart, UnpricedLine
from streams.pricing.price_list import PriceList


def price(cart: Cart, price_list: PriceList) -> PricedCart | UnpriceableCart:
    """Return what ``cart`` costs at list prices, or every line that has no price.

    No promotion takes part yet: discounts are 0 and no rule is applied.
    """
    shop_id, currency = cart.shop_id, cart.currency
    lines: list[PricedLine] = []
    unpriced: list[UnpricedLine] = []
    total_fen = 0
    for index, line in enumerate(cart.lines):
        sku_id, qty = line.sku_id, line.qty
        listed = price_list.lookup(shop_id, sku_id)
        if listed is None:
            reason, detail = PricingReason.UNKNOWN_SKU, f"shop {shop_id} does not sell sku {sku_id}"
            unpriced.append(UnpricedLine(index, sku_id, reason, detail))
            continue
        unit_price_fen = listed.price_fen
        if listed.currency != currency:
            reason = PricingReason.BAD_CURRENCY
            detail = f"sku {sku_id} is sold in {listed.currency}, not {currency}"
            unpriced.append(UnpricedLine(index, sku_id, reason, detail))
            continue
        payable_fen = qty * unit_price_fen
        total_fen += payable_fen
        lines.append(PricedLine(sku_id, qty, unit_price_fen, 0, payable_fen))
    if unpriced:
        return UnpriceableCart(tuple(unpriced))
    return PricedCart(tuple(lines), (), total_fen, currency)
