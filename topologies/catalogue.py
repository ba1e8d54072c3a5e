"""The catalogue as every worker sees it: the newest record of each sku of ``catalog.events``."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.catalog import SkuDelisted, SkuListed
from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.topics import CATALOG_EVENTS
from streams.pricing import ListPrice

_READ_RECORDS = 5_000
_READ_WAIT_S = 0.2
_LOAD_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class CatalogueAway(Exception):
    """The catalogue could not be read to its end in time."""

    detail: str


class Catalogue:
    """A price list kept up to date by a thread; reads are lock-free dict look-ups."""

    def __init__(self, kafka: str, codec: Codec) -> None:
        self._codec = codec
        self._prices: dict[tuple[int, int], ListPrice] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "unused: partitions are assigned by hand",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
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

    def __len__(self) -> int:
        return len(self._prices)

    def _follow(self) -> None:
        metadata = self._consumer.list_topics(CATALOG_EVENTS.name, timeout=_LOAD_TIMEOUT_S)
        partitions = list(metadata.topics[CATALOG_EVENTS.name].partitions)
        self._consumer.assign([TopicPartition(CATALOG_EVENTS.name, p, 0) for p in partitions])
        unread = set(partitions)
        while not self._stopping.is_set():
            for message in self._consumer.consume(_READ_RECORDS, _READ_WAIT_S):
                error = message.error()
                if error is None:
                    self._take(message.value())
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
            if not unread:
                self._loaded.set()
        self._consumer.close()

    def _take(self, value: bytes | None) -> None:
        if value is None:
            return
        try:
            record = self._codec.decode(value)
        except (InvalidMessage, Retryable):
            return  # the shop's own topic: an unreadable entry lists nothing
        if isinstance(record, SkuListed):
            price = ListPrice(record.price_fen, record.currency)
            self._prices[record.shop_id, record.sku_id] = price
        elif isinstance(record, SkuDelisted):
            self._prices.pop((record.shop_id, record.sku_id), None)
