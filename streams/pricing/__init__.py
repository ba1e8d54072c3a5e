"""Pricing: what a cart costs. Pure; quotes, admission and what-if all ask here."""

from streams.pricing.cart import Cart, PricedCart, PricingReason, UnpriceableCart, UnpricedLine
from streams.pricing.price import price
from streams.pricing.price_list import ListPrice, PriceList

__all__ = [
    "Cart",
    "ListPrice",
    "PriceList",
    "PricedCart",
    "PricingReason",
    "UnpriceableCart",
    "UnpricedLine",
    "price",
]
