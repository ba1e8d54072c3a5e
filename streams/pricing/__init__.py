"""Pricing: what a cart costs. Pure; quotes, admission and what-if all ask here."""

from streams.pricing.cart import Cart, PricedCart, PricingReason, UnpriceableCart, UnpricedLine
from streams.pricing.compiled import CompiledPack, InvalidPack, compile_pack
from streams.pricing.outcome import Promotions
from streams.pricing.packs import Packs, Shelf
from streams.pricing.price import price
from streams.pricing.price_list import ListPrice, PriceList
from streams.pricing.shopper import Coupon, Member, Shopper

__all__ = [
    "Cart",
    "CompiledPack",
    "Coupon",
    "InvalidPack",
    "ListPrice",
    "Member",
    "Packs",
    "PriceList",
    "PricedCart",
    "PricingReason",
    "Promotions",
    "Shelf",
    "Shopper",
    "UnpriceableCart",
    "UnpricedLine",
    "compile_pack",
    "price",
]
