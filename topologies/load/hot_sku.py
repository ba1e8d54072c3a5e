"""Everybody wants the same thing: many concurrent tries on one sku with few units."""

from __future__ import annotations

from dataclasses import dataclass

from topologies.load.accounting import State
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where
from topologies.load.closed_loop import Bench, run_bench
from topologies.load.intents import Load, Progress, run_load
from topologies.load.latency import Latency
from topologies.load.payers import EVERYBODY_PAYS
from topologies.load.stocking import bring_stock, list_skus

_PRICE_FEN = 9_900
_NEVER_PROMISED = (State.SENT, State.PLACED, State.REJECTED, State.REFUSED)


@dataclass(frozen=True)
class HotSku:
    """The end of a run on one sku: ``tries`` orders of one unit each for ``units`` units.

    ``winners`` were promised one, ``losers`` were told that there is none left.
    """

    sku_id: int
    tries: int
    units: int
    winners: int
    losers: int
    seconds: float
    create: Latency

    @property
    def oversold(self) -> int:
        """Units promised that are not there."""
        return max(0, self.winners - self.units)

    @property
    def ok(self) -> bool:
        """Tell whether all that could be promised was, no more, and everybody was answered."""
        answered = self.winners + self.losers
        return self.winners == min(self.tries, self.units) and answered == self.tries


def run_hot_sku(
    where: Where,
    sku_id: int,
    tries: int,
    units: int,
    run: str,
    inside: bool = False,
    shop_id: int = 1,
    progress: Progress | None = None,
) -> HotSku:
    """Bring ``units`` of a sku that nobody has sold yet, then let ``tries`` buyers at it at once.

    ``inside``: admitted orders straight into the inbox (`closed_loop`), else intents. Everybody
    pays at once. Raises LoadError.
    """
    catalogue = Catalogue(shop_id, (Sku(sku_id, _PRICE_FEN, units, ("east",)),))
    if not inside:
        list_skus(where, catalogue)
    bring_stock(where, catalogue, run, inside)
    if inside:
        bench = Bench(orders=tries, window=tries, single=True)
        figures = run_bench(where, catalogue, bench, run, progress)
        return HotSku(
            sku_id, tries, units, figures.created, figures.rejected, figures.seconds, figures.create
        )
    load = Load(orders=tries, window=tries, mix=EVERYBODY_PAYS, completes=False, single=True)
    found = run_load(where, catalogue, load, run, progress)
    return HotSku(
        sku_id,
        tries,
        units,
        found.orders - sum(map(found.count, _NEVER_PROMISED)),
        found.count(State.REJECTED),
        found.seconds,
        found.create,
    )
