"""What the load's shop sells: skus, prices and stock, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from schemas.catalog import SkuListed
from schemas.inventory import Restock

FIRST_SKU_ID = 100_001
_KINDS = (
    "Ash", "Brass", "Charcoal", "Clay", "Copper", "Cork", "Glass", "Indigo", "Linen", "Maple",
    "Moss", "Oak", "Olive", "Paper", "Pine", "Sand", "Slate", "Stoneware", "Walnut", "Wool",
)  # fmt: skip
_THINGS = (
    "mug", "bowl", "lamp", "tray", "vase", "stool", "teapot", "notebook", "blanket", "basket",
    "candle", "clock", "coaster", "cushion", "jug", "plate", "shelf", "spoon", "tea towel",
)  # fmt: skip
"""20 and 19, which have no common factor: the first 380 titles of a shop differ."""
_CHEAPEST_FEN, _DEAREST_FEN = 990, 99_990
WAREHOUSES = ("east", "west")


class Sku(NamedTuple):
    """A sku on sale; ``stock`` units lie in each of its warehouses."""

    sku_id: int
    price_fen: int
    stock: int
    warehouses: tuple[str, ...]
    title: str = ""


class Catalogue(NamedTuple):
    """Everything that ``shop_id`` sells, the most popular first."""

    shop_id: int
    skus: tuple[Sku, ...]

    def listings(self) -> Iterator[SkuListed]:
        """Yield what ``catalog.events`` has to say."""
        for sku in self.skus:
            yield SkuListed(
                sku.sku_id, self.shop_id, sku.title or f"Sku {sku.sku_id}", sku.price_fen
            )

    def deliveries(self, run: str) -> Iterator[Restock]:
        """Yield the deliveries that bring the stock; their refs begin with ``run``."""
        for sku in self.skus:
            for warehouse_id in sku.warehouses:
                ref = f"{run}-{sku.sku_id}-{warehouse_id}"
                yield Restock(ref, self.shop_id, sku.sku_id, warehouse_id, sku.stock)


def make_catalogue(
    skus: int, stock: int, seed: int, shop_id: int = 1, first_sku_id: int = FIRST_SKU_ID
) -> Catalogue:
    """Return ``skus`` skus with ``stock`` units each, all in one warehouse; every fifth in both."""
    draw = random.Random(f"catalogue {seed}")
    return Catalogue(
        shop_id,
        tuple(
            Sku(
                first_sku_id + n,
                draw.randrange(_CHEAPEST_FEN, _DEAREST_FEN, 10),
                stock,
                WAREHOUSES if n % 5 == 4 else (draw.choice(WAREHOUSES),),
                f"{_KINDS[n * 7 % len(_KINDS)]} {_THINGS[n % len(_THINGS)]}",
            )
            for n in range(skus)
        ),
    )
