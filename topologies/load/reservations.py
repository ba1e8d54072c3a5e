"""Everybody wants one sku: tries to hold it, straight into the inventory stage's inbox.

All are encoded before the clock starts, and what is read is only counted while it runs.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import cast

from schemas import topics
from schemas.inventory import StockHeld, StockRefused, TryHold
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import LoadError, Reader, Sender, Where
from topologies.load.closed_loop import Progress, Stopwatch
from topologies.load.stocking import bring_stock

_PRICE_FEN = 9_900
_TTL_MS = 15 * 60 * 1000
_WARMUP_SHARE = 6
_POLL_EVERY = 2_000
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Reservations:
    """What came of the tries: each is ``held`` or ``refused``; ``per_second`` are decided.

    ``promised`` is the most that was held at one time, of ``units`` that there are.
    """

    tries: int
    units: int
    held: int
    refused: int
    promised: int
    per_second: float

    @property
    def ok(self) -> bool:
        """Tell whether every try was decided, and no unit was promised that is not there."""
        return self.held == min(self.tries, self.units) == self.promised and (
            self.held + self.refused == self.tries
        )


def reserve(
    where: Where,
    sku_id: int,
    tries: int,
    units: int,
    run: str,
    progress: Progress | None = None,
    shop_id: int = 1,
) -> Reservations:
    """Bring ``units`` of a sku that nobody has sold yet, then try to hold one ``tries`` times.

    The first sixth warms up. Raises LoadError when decisions stop coming.
    """
    bring_stock(where, Catalogue(shop_id, (Sku(sku_id, _PRICE_FEN, units, ("east",)),)), run, True)
    encode, key, inbox = where.codec.encode, str(sku_id).encode(), topics.INVENTORY_COMMANDS.name
    values = [
        encode(
            TryHold(
                hold_id=f"{run}{n:08d}-{sku_id}",
                order_no=f"{run}{n:08d}",
                shop_id=shop_id,
                user_id=n + 1,
                sku_id=sku_id,
                qty=1,
                ttl_ms=_TTL_MS,
                trace_id=f"{run:0>16}{n:016x}",
            )
        )
        for n in range(tries)
    ]
    sender, reader = Sender(where), Reader(where, [topics.INVENTORY_EVENTS.name])
    prefixes = tuple(
        struct.pack(">bI", 0, where.codec.schema_id(kind)) for kind in (StockHeld, StockRefused)
    )
    try:
        facts: list[bytes] = []
        moved = time.perf_counter()
        stopwatch = Stopwatch(tries // _WARMUP_SHARE, tries, moved)
        for n, value in enumerate(values):
            sender.produce(inbox, value, key)
            if n % _POLL_EVERY == 0:
                sender.poll()
        while len(facts) < tries:
            sender.poll()
            messages = reader.read()
            if messages:
                values = [cast("bytes", message.value()) for message in messages]
                facts += [value for value in values if value.startswith(prefixes)]
                moved = time.perf_counter()
                stopwatch.tell(len(facts), moved)
                if progress is not None:
                    progress(len(facts), tries)
            elif time.perf_counter() - moved > _TIMEOUT_S:
                raise LoadError(f"{tries - len(facts)} of {tries} tries were not decided")
    finally:
        reader.close()
    return _judged(where, facts, tries, units, stopwatch.per_second())


def _judged(
    where: Where, facts: list[bytes], tries: int, units: int, per_second: float
) -> Reservations:
    """Decode what was only counted: a try that is answered twice counts once."""
    held: set[str] = set()
    refused: set[str] = set()
    promised = 0
    for value in facts:
        fact = where.codec.decode(value)
        if isinstance(fact, StockHeld):
            held.add(fact.hold_id)
            promised = max(promised, fact.held)
        elif isinstance(fact, StockRefused):
            refused.add(fact.hold_id)
    return Reservations(tries, units, len(held), len(refused), promised, per_second)
