"""Messages of the catalogue: ``catalog.events`` is compacted, the last record per sku stands."""

from __future__ import annotations

from schemas.record import Record


class SkuListed(Record, frozen=True):
    """The sku is on sale in the shop at ``price_fen`` (minor units of ``currency``) a unit.

    ``category`` is the shop's own; promotions look at it.
    """

    sku_id: int
    shop_id: int
    title: str
    price_fen: int
    currency: str = "CNY"
    trace_id: str = ""
    category: str = ""


class SkuDelisted(Record, frozen=True):
    """The sku is no longer on sale."""

    sku_id: int
    shop_id: int
    trace_id: str = ""
