"""The catalogue as workers and the API see it: prices to look up, goods to list."""

from __future__ import annotations

from schemas.catalog import SkuDelisted, SkuListed
from schemas.codec import local_codec
from schemas.record import Record
from streams.pricing import ListPrice
from topologies.catalogue import Catalogue

CODEC = local_codec((SkuListed, SkuDelisted))


def catalogue(*records: Record) -> Catalogue:
    found = Catalogue("127.0.0.1:1", CODEC)
    hear(found, *records)
    return found


def hear(found: Catalogue, *records: Record) -> None:
    for record in records:
        found._take(CODEC.encode(record), 0)


def listed(sku_id: int, shop_id: int = 1, price_fen: int = 100) -> SkuListed:
    return SkuListed(sku_id, shop_id, f"Good {sku_id}", price_fen)


def test_a_shop_lists_its_own_goods_in_the_order_of_their_ids_page_by_page() -> None:
    shop = catalogue(listed(3), listed(1), listed(7, shop_id=2), listed(2))

    assert shop.on_sale(1, after=0, limit=2) == [listed(1), listed(2)]
    assert shop.on_sale(1, after=2, limit=2) == [listed(3)]
    assert shop.on_sale(2, after=0, limit=9) == [listed(7, shop_id=2)]
    assert shop.on_sale(9, after=0, limit=9) == []


def test_a_list_that_was_shown_takes_in_what_changes() -> None:
    shop = catalogue(listed(1), listed(2))
    assert shop.on_sale(1, after=0, limit=9) == [listed(1), listed(2)]

    hear(shop, SkuDelisted(1, 1), listed(2, price_fen=90), listed(3))

    assert shop.on_sale(1, after=0, limit=9) == [listed(2, price_fen=90), listed(3)]
    assert (shop.lookup(1, 1), shop.lookup(1, 2)) == (None, ListPrice(90, "CNY"))
