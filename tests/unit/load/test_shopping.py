"""The same seed is the same shop; popularity and baskets follow what they say."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from topologies.load.catalogue import make_catalogue
from topologies.load.payers import CHANNELS, EVERYBODY_PAYS, LIFELIKE, Mix, Payer, parse_mix
from topologies.load.shopping import (
    BASKET_SIZES,
    Popularity,
    Purchase,
    purchases,
)

CATALOGUE = make_catalogue(skus=200, stock=50, seed=3)


def first(n: int, seed: int = 1, **options: float) -> list[Purchase]:
    return list(islice(purchases(CATALOGUE, LIFELIKE, seed, **options), n))  # type: ignore[arg-type]


def test_the_same_seed_makes_the_same_catalogue_and_purchases() -> None:
    assert make_catalogue(200, 50, seed=3) == CATALOGUE
    assert first(500) == first(500)


def test_another_seed_makes_others() -> None:
    assert make_catalogue(200, 50, seed=4) != CATALOGUE
    assert first(500, seed=2) != first(500)


def test_a_purchase_is_of_different_skus_at_the_catalogues_prices_and_adds_up() -> None:
    price_fen = {sku.sku_id: sku.price_fen for sku in CATALOGUE.skus}
    for n, purchase in enumerate(first(2_000)):
        assert purchase.nth == n
        assert len({line.sku_id for line in purchase.lines}) == len(purchase.lines)
        assert all(line.unit_price_fen == price_fen[line.sku_id] for line in purchase.lines)
        assert purchase.total_fen == sum(x.qty * x.unit_price_fen for x in purchase.lines)
        assert 1 <= len(purchase.lines) <= 5
        assert all(1 <= line.qty <= 3 for line in purchase.lines)


def test_basket_sizes_come_in_their_shares() -> None:
    sizes = Counter(len(purchase.lines) for purchase in first(20_000))

    for size, share in enumerate(BASKET_SIZES, 1):
        assert sizes[size] / 20_000 == pytest.approx(share, abs=0.015)


def test_a_basket_is_never_larger_than_the_shop() -> None:
    one = make_catalogue(skus=1, stock=5, seed=1)

    assert all(len(p.lines) == 1 for p in islice(purchases(one, EVERYBODY_PAYS, seed=1), 100))


def test_a_single_purchase_is_one_unit() -> None:
    shoppers = purchases(CATALOGUE, EVERYBODY_PAYS, seed=1, single=True)

    assert all([line.qty for line in p.lines] == [1] for p in islice(shoppers, 200))


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 1.5])
def test_ranks_are_drawn_by_zipfs_law(exponent: float) -> None:
    popularity, draw, n = Popularity(50, exponent), random.Random(1), 50_000
    found = Counter(popularity.draw(draw) for _ in range(n))

    assert sum(popularity.share(rank) for rank in range(50)) == pytest.approx(1)
    assert popularity.share(0) / popularity.share(9) == pytest.approx(10**exponent)
    for rank in (0, 1, 9, 49):
        assert found[rank] / n == pytest.approx(popularity.share(rank), abs=0.01)


def test_payers_come_in_their_shares() -> None:
    found = Counter(purchase.payer for purchase in first(20_000))

    for payer, share in LIFELIKE.shares.items():
        assert found[payer] / 20_000 == pytest.approx(share, abs=0.01)


def test_a_mix_is_read_from_text() -> None:
    mix = parse_mix("pay=3, never=1")

    assert mix.shares[Payer.PAY] == 3
    assert mix.shares[Payer.NEVER] == 1
    draw = random.Random(1)
    assert {mix.draw(draw) for _ in range(200)} == {Payer.PAY, Payer.NEVER}


@pytest.mark.parametrize("text", ["", "pay", "pay=", "pay=x", "rob=1", "pay=-1,never=3", "pay=0"])
def test_a_mix_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pay|rob|''"):
        parse_mix(text)


def test_every_payer_has_a_channel() -> None:
    assert CHANNELS.keys() == set(Payer)
    with pytest.raises(ValueError, match="all zero"):
        Mix({})


def test_deliveries_bring_the_stock_of_every_warehouse_under_refs_of_the_run() -> None:
    deliveries = list(CATALOGUE.deliveries("ab"))

    assert len({one.ref for one in deliveries}) == len(deliveries)
    assert len(deliveries) == 200 + 40  # every fifth sku lies in two warehouses
    assert {one.qty for one in deliveries} == {50}
    assert not {one.ref for one in CATALOGUE.deliveries("cd")} & {one.ref for one in deliveries}
    assert [one.sku_id for one in CATALOGUE.listings()] == [s.sku_id for s in CATALOGUE.skus]
