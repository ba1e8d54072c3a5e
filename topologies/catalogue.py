"""The catalogue as every worker sees it: the newest record of each sku, and the rule packs."""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaException

from schemas.catalog import SkuDelisted, SkuListed
from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.promotion import RulePack
from schemas.topics import CATALOG_EVENTS, PROMOTION_PACKS
from streams.pricing import ListPrice, Shelf
from topologies.reading import Place, Reader, spans

_READ_WAIT_S = 0.2
_RETRY_S = 0.5
_LOAD_TIMEOUT_S = 60.0

log = structlog.get_logger()


@dataclass(frozen=True)
class CatalogueAway(Exception):
    """The catalogue could not be read to its end in time."""

    detail: str


class Catalogue:
    """A price list kept up to date by a thread; reads are lock-free dict look-ups.

    ``packs`` are the published rule packs, kept in the same way.
    """

    def __init__(self, kafka: str, codec: Codec) -> None:
        self.packs = Shelf()
        self._codec = codec
        self._prices: dict[tuple[int, int], ListPrice] = {}
        self._listed: dict[int, dict[int, SkuListed]] = {}  # by shop
        self._ids: dict[
            int, tuple[int, list[int]]
        ] = {}  # by shop: the skus in order, as of a change
        self._changes = 0
        self._kafka = kafka
        self._loaded = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="catalogue", daemon=True)

    def start(self) -> None:
        """Read the catalogue to its end, then follow it; raise CatalogueAway after a minute."""
        self._thread.start()
        if not self._loaded.wait(_LOAD_TIMEOUT_S):
            raise CatalogueAway(
                f"{CATALOG_EVENTS.name} was not read to its end in {_LOAD_TIMEOUT_S:g} s: "
                "is the broker up and does the topic exist (orderstream topics list)?"
            )

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join()

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        """Return the list price of a sku in a shop; None when it is not on sale there."""
        return self._prices.get((shop_id, sku_id))

    def on_sale(self, shop_id: int, after: int, limit: int) -> list[SkuListed]:
        """Return skus of a shop in the order of their ids: the first ``limit`` above ``after``."""
        listed = self._listed.get(shop_id, {})
        changes = self._changes  # before the skus are read: what comes meanwhile makes it stale
        as_of, ids = self._ids.get(shop_id, (-1, []))
        if as_of != changes:
            ids = sorted(listed)
            self._ids[shop_id] = changes, ids
        first = bisect_right(ids, after)
        found = (listed.get(sku_id) for sku_id in ids[first : first + limit])
        return [one for one in found if one is not None]  # the thread may have taken one off

    def __len__(self) -> int:
        return len(self._prices)

    def _follow(self) -> None:
        starts = self._starts()
        with Reader(self._kafka, starts) as reader:
            while not self._stopping.is_set():
                try:
                    batch = reader.batch(wait_s=_READ_WAIT_S)
                except KafkaException as error:
                    # Prices stand while the broker is away; it is asked again and again.
                    log.warning("catalogue_unreadable", why=str(error))
                    continue
                for message in batch:
                    self._take(message.value(), message.timestamp()[1])
                if starts and reader.at_end >= starts.keys():
                    self._loaded.set()

    def _starts(self) -> dict[Place, int]:
        """Return where each partition begins, as soon as the broker says so."""
        while not self._stopping.is_set():
            try:
                held = spans(self._kafka, [CATALOG_EVENTS.name, PROMOTION_PACKS.name])
            except KafkaException as error:
                # A broker that is coming up refuses some questions for a moment.
                log.warning("catalogue_unreadable", why=str(error))
                self._stopping.wait(_RETRY_S)
            else:
                return {place: span.first for place, span in held.items()}
        return {}

    def _take(self, value: bytes | None, at_ms: int) -> None:
        if value is None:
            return
        try:
            record = self._codec.decode(value)
        except (InvalidMessage, Retryable):
            return  # the shop's own topic: an unreadable entry lists nothing
        if isinstance(record, SkuListed):
            price = ListPrice(record.price_fen, record.currency, record.category)
            self._prices[record.shop_id, record.sku_id] = price
            self._listed.setdefault(record.shop_id, {})[record.sku_id] = record
            self._changes += 1
        elif isinstance(record, SkuDelisted):
            self._prices.pop((record.shop_id, record.sku_id), None)
            self._listed.get(record.shop_id, {}).pop(record.sku_id, None)
            self._changes += 1
        elif isinstance(record, RulePack):
            self.packs.put(record, at_ms)
