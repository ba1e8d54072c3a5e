"""What a sku costs before any promotion."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ListPrice(NamedTuple):
    """The price of one unit, in minor units (fen) of ``currency`` (ISO 4217); never negative.

    ``category`` is the shop's own, for promotions.
    """

    price_fen: int
    currency: str
    category: str = ""


class PriceList(Protocol):
    """The list prices of every shop; a snapshot that does not change during one call."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        """Return the price of the sku in the shop; None when the shop does not sell it."""
