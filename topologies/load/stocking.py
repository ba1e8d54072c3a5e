"""Opens the shop: lists the skus and brings the goods, and waits until they are on the shelves."""

from __future__ import annotations

import time
from collections.abc import Callable

from schemas import topics
from schemas.inventory import StockEntryRefused, StockReceived
from topologies.load.catalogue import Catalogue
from topologies.load.clients import LoadError, Reader, Sender, Where

Progress = Callable[[int, int], None]
"""Told (done, total)."""

_LISTING_WAIT_S = 1.0  # a worker's price list follows catalog.events within its poll of 0.2 s
_AGAIN_S = 10.0  # the same delivery again has no effect, so asking twice is safe
_TIMEOUT_S = 120.0


def list_skus(where: Where, catalogue: Catalogue) -> None:
    """Put the skus on sale; return when every worker can be expected to know."""
    sender = Sender(where)
    for listing in catalogue.listings():
        sender.produce(
            topics.CATALOG_EVENTS.name, sender.encode(listing), str(listing.sku_id).encode()
        )
    sender.flush()
    time.sleep(_LISTING_WAIT_S)


def bring_stock(
    where: Where,
    catalogue: Catalogue,
    run: str,
    inside: bool = False,
    progress: Progress | None = None,
) -> None:
    """Deliver the catalogue's stock and wait until it is received.

    ``run`` makes the deliveries new ones. ``inside``: straight into the inbox, past admission.
    Raises LoadError when a delivery is refused or not answered in two minutes.
    """
    topic = (topics.INVENTORY_COMMANDS if inside else topics.INVENTORY_INTENTS).name
    deliveries = {one.ref: one for one in catalogue.deliveries(run)}
    total = len(deliveries)
    sender, reader = Sender(where), Reader(where, [topics.INVENTORY_EVENTS.name])
    try:
        deadline = time.monotonic() + _TIMEOUT_S
        ask_at = 0.0
        while deliveries:
            now = time.monotonic()
            if now > deadline:
                missing = ", ".join(sorted(deliveries)[:3])
                raise LoadError(
                    f"{len(deliveries)} of {total} deliveries were not received in "
                    f"{_TIMEOUT_S:g} s (first: {missing}): does a worker run (orderstream worker)?"
                )
            if now >= ask_at:
                ask_at = now + _AGAIN_S
                for one in deliveries.values():
                    sender.produce(topic, sender.encode(one), str(one.sku_id).encode())
            sender.poll()
            for message in reader.read(0.05):
                fact = where.codec.decode(message.value())
                if isinstance(fact, StockReceived):
                    deliveries.pop(fact.ref, None)
                elif isinstance(fact, StockEntryRefused) and fact.ref in deliveries:
                    raise LoadError(f"delivery {fact.ref} was refused: {fact.reason}")
            if progress is not None:
                progress(total - len(deliveries), total)
    finally:
        reader.close()
