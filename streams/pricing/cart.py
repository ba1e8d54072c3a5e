"""A cart before and after pricing. Money is in minor units (fen) of the cart's currency."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from schemas.order import AppliedRule, CartLine, PricedLine
from streams.pricing.outcome import Promotions


class Cart(NamedTuple):
    """What a buyer wants from one shop, each ``qty`` >= 1.

    The unit prices in ``lines`` are what the buyer was shown: they take no part in the price.
    ``freight_fen`` is what the delivery costs before promotions.
    """

    shop_id: int
    currency: str
    lines: tuple[CartLine, ...]
    freight_fen: int = 0


class PricedCart(NamedTuple):
    """What the cart costs: one priced line per line of the cart, in its order.

    ``total_fen`` is the sum of the lines' ``payable_fen`` and of ``freight_fen``, which is what is
    to be paid for the delivery; ``rules`` are the promotions that took part, and ``promotions``
    what became of all of them (None: priced without a pack). Nothing in here is ever negative.
    """

    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...]
    total_fen: int
    currency: str
    freight_fen: int = 0
    promotions: Promotions | None = None


class PricingReason(StrEnum):
    """Why a line has no price."""

    UNKNOWN_SKU = "UNKNOWN_SKU"  # the shop does not sell it
    BAD_CURRENCY = "BAD_CURRENCY"  # it is sold in another currency


class UnpricedLine(NamedTuple):
    """The line at ``line_index`` (from 0) that has no price; ``detail`` says why in words."""

    line_index: int
    sku_id: int
    reason: PricingReason
    detail: str


class UnpriceableCart(NamedTuple):
    """A cart that cannot be sold: every line that has no price."""

    unpriced: tuple[UnpricedLine, ...]
