"""The price of a cart."""

from __future__ import annotations

from schemas.order import PricedLine
from streams.pricing.cart import Cart, PricedCart, PricingReason, UnpriceableCart, UnpricedLine
from streams.pricing.compiled import CompiledPack
from streams.pricing.price_list import PriceList
from streams.pricing.promote import promote
from streams.pricing.shopper import Shopper


def price(
    cart: Cart,
    price_list: PriceList,
    pack: CompiledPack | None = None,
    shopper: Shopper | None = None,
) -> PricedCart | UnpriceableCart:
    """Return what ``cart`` costs, or every line that has no price.

    With a pack of promotions that is the best price for ``shopper``; without, or without a shopper,
    or when the pack is of another currency: the list prices, discounts 0, no rule applied.
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
    if pack is not None and shopper is not None and pack.pack.currency == currency:
        categories = [_category(price_list, shop_id, line.sku_id) for line in lines]
        return promote(lines, categories, cart.freight_fen, currency, pack, shopper)
    freight_fen = cart.freight_fen
    return PricedCart(tuple(lines), (), total_fen + freight_fen, currency, freight_fen)


def _category(price_list: PriceList, shop_id: int, sku_id: int) -> str:
    listed = price_list.lookup(shop_id, sku_id)
    return listed.category if listed is not None else ""
