"""Does what an engine wrote add up? Asked of its inventory events once all runs are over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from typing import cast

from tests.bench.peers.driver import ends, order_number, reader
from tests.bench.peers.workload import INVENTORY_EVENTS, UNITS, Basket, Wire

_READ_RECORDS, _READ_WAIT_S = 10_000, 0.2
_PATIENCE_READS = 25  # 5 s without news: what is missing then does not come


def mistakes(
    deductions: Iterable[tuple[str, str, int]],
    runs: Iterable[tuple[str, int]],
    baskets: Sequence[Basket],
) -> list[str]:
    """Return what is wrong with the deductions, given as (sku, order, units left available).

    ``runs`` are (name, orders): each line of each of these orders has to be deducted, and the
    lowest balance of each sku has to be what the orders left of it.
    """
    wanted: set[tuple[str, str]] = set()
    sold: Counter[str] = Counter()
    for run, orders in runs:
        for n, basket in enumerate(islice(cycle(baskets), orders)):
            for sku, qty in basket:
                wanted.add((sku, order_number(run, n)))
                sold[sku] += qty
    found: set[tuple[str, str]] = set()
    lowest: dict[str, int] = {}
    for sku, order, available in deductions:
        found.add((sku, order))
        lowest[sku] = min(available, lowest.get(sku, available))
    wrong = []
    if missing := len(wanted - found):
        wrong.append(f"{missing:,} lines of orders were not deducted")
    if foreign := len(found - wanted):
        wrong.append(f"{foreign:,} deductions belong to no order")
    balances = sum(lowest.get(sku, UNITS) != UNITS - units for sku, units in sold.items())
    if balances and not missing:
        wrong.append(f"{balances:,} skus have a wrong balance")
    return wrong


def deductions(kafka: str, wire: Wire, expected: int) -> Iterable[tuple[str, str, int]]:
    """Yield every deduction as (sku, order, units left available), until ``expected`` are read."""
    consumer = reader(kafka)
    try:
        places = ends(consumer, INVENTORY_EVENTS)
        for place in places:
            place.offset = 0
        consumer.assign(places)
        read = quiet = 0
        while read < expected and quiet < _PATIENCE_READS:
            messages = consumer.consume(_READ_RECORDS, _READ_WAIT_S)
            quiet = 0 if messages else quiet + 1
            read += len(messages)
            for message in messages:
                sku, value = cast(bytes, message.key()), cast(bytes, message.value())
                yield (sku.decode(), *wire.deducted(value))
    finally:
        consumer.close()
