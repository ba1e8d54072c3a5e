"""Who buys what: Zipf's popularity, small baskets, a payer for each; the same for the same seed."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate, count
from typing import NamedTuple

from schemas.order import CartLine
from topologies.load.catalogue import Catalogue
from topologies.load.payers import Mix, Payer

BASKET_SIZES = (0.60, 0.25, 0.08, 0.04, 0.03)
"""Share of baskets with 1, 2 ... 5 lines; the mean is 1.65."""
BENCH_BASKET_SIZES = (0.70, 0.30)
"""The baskets of the benches, 1.3 lines in the mean: those of other engines' benches."""
QUANTITIES = (0.80, 0.15, 0.05)
"""Share of lines with 1, 2, 3 units."""
BUYERS = 100_000


class Popularity:
    """Zipf's law over ``n`` ranks: rank k (0, 1 ...) is drawn in proportion to (k+1) ** -exponent.

    Exponent 0 is uniform; about 1 is what shops see. (G. K. Zipf, Human Behavior and the Principle
    of Least Effort, 1949.)
    """

    def __init__(self, n: int, exponent: float) -> None:
        self._bounds: list[float] = list(accumulate(float(k + 1) ** -exponent for k in range(n)))
        self._total = self._bounds[-1]
        self._last = n - 1

    def draw(self, draw: random.Random) -> int:
        """Return a rank."""
        return bisect(self._bounds, draw.random() * self._total, 0, self._last)

    def share(self, rank: int) -> float:
        """Return the probability of ``rank``."""
        below = self._bounds[rank - 1] if rank else 0.0
        return (self._bounds[rank] - below) / self._total


class Purchase(NamedTuple):
    """One order to be: the ``nth`` (0, 1 ...) of its run."""

    nth: int
    user_id: int
    lines: tuple[CartLine, ...]
    total_fen: int
    payer: Payer


def purchases(
    catalogue: Catalogue,
    mix: Mix,
    seed: int,
    exponent: float = 1.0,
    single: bool = False,
    basket_sizes: Sequence[float] = BASKET_SIZES,
) -> Iterator[Purchase]:
    """Yield purchases without end; the lines of one are of different skus.

    ``single``: every basket is one unit of one sku. ``basket_sizes``: the share of baskets with 1,
    2 ... lines.
    """
    draw = random.Random(f"purchases {seed}")
    popularity = Popularity(len(catalogue.skus), exponent)
    sizes, quantities = list(accumulate(basket_sizes)), list(accumulate(QUANTITIES))
    skus, most = catalogue.skus, len(catalogue.skus)
    for nth in count():
        size = 1 if single else min(most, _drawn(draw, sizes))
        ranks = {popularity.draw(draw): None}
        while len(ranks) < size:
            ranks[popularity.draw(draw)] = None
        lines = []
        total_fen = 0
        for rank in ranks:
            sku = skus[rank]
            qty = 1 if single else _drawn(draw, quantities)
            lines.append(CartLine(sku.sku_id, qty, sku.price_fen))
            total_fen += qty * sku.price_fen
        yield Purchase(nth, draw.randrange(1, BUYERS + 1), tuple(lines), total_fen, mix.draw(draw))


def _drawn(draw: random.Random, bounds: list[float]) -> int:
    return 1 + bisect(bounds, draw.random() * bounds[-1], 0, len(bounds) - 1)
