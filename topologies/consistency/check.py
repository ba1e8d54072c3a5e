"""Compares all stores with the facts, and writes anew what differs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from schemas.codec import Codec
from schemas.topics import INVENTORY_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS
from sinks.mysql.sink import LedgerSink
from sinks.sink import Fact, Sink
from sinks.warehouse.clickhouse import ClickHouseSink
from topologies import reading
from topologies.audit.reader import Progress, read_facts
from topologies.consistency.facts import picture
from topologies.consistency.figures import Difference, StockKey, differences
from topologies.consistency.redis_store import RedisStore
from topologies.consistency.stores import READERS

_TOPICS: Final = (ORDER_EVENTS.name, INVENTORY_EVENTS.name, PAYMENT_EVENTS.name)
_AGAIN_S: Final = 1.0
_BATCH: Final = 2_000


@dataclass
class Report:
    """How many orders, and skus in warehouses, were compared in each store, and what differs."""

    orders: int = 0
    stock: int = 0
    stores: tuple[str, ...] = ()
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


class Mendable(Protocol):
    """A store of which parts can be written anew."""

    def forget(self, orders: Sequence[str], skus: Sequence[int]) -> None:
        """Remove all that there is of ``orders`` and ``skus``."""

    def write(self, facts: Sequence[Fact]) -> None:
        """Write facts, as a sink does."""

    def close(self) -> None:
        """Let go of the store."""


MENDERS: Final[Mapping[str, Callable[[str], Mendable]]] = {
    "mysql": LedgerSink,
    "clickhouse": ClickHouseSink,
    "redis": RedisStore,
}


def check(
    kafka: str,
    registry: str,
    stores: Mapping[str, str],
    settle_s: float = 0.0,
    progress: Progress | None = None,
) -> Report:
    """Compare ``stores`` (server -> address) with the facts at ``kafka``.

    While sinks are behind something differs: it is compared again until nothing does, for at most
    ``settle_s``. Raises ReadError when the facts cannot be read from their beginning, and StoreAway
    or the store's own error.
    """
    deadline = time.monotonic() + settle_s
    while True:
        expected = picture(read_facts(kafka, registry, _TOPICS, progress))
        report = Report(len(expected.orders), len(expected.stock), tuple(stores))
        for server, url in stores.items():
            report.differences += differences(server, expected, READERS[server](url))
        if report.ok or time.monotonic() > deadline:
            return report
        time.sleep(_AGAIN_S)


def mend(
    kafka: str, codec: Codec, stores: Mapping[str, str], found: Iterable[Difference]
) -> dict[str, int]:
    """Write anew, from the facts, what ``found`` says of each store; return how many facts it took.

    All rows of a differing order, or sku, are removed first: also what no fact speaks of, and what
    a version would protect. Sinks may run meanwhile. Raises StoreAway or the store's own error.
    """
    by_store: dict[str, set[str | StockKey]] = {}
    for one in found:
        by_store.setdefault(one.store, set()).add(one.key)
    written = {}
    for server, keys in by_store.items():
        orders = sorted(key for key in keys if isinstance(key, str))
        skus = sorted({key[0] for key in keys if not isinstance(key, str)})
        with contextlib.closing(MENDERS[server](stores[server])) as store:
            store.forget(orders, skus)
            written[server] = _rewrite(kafka, codec, store, {*orders, *map(str, skus)})
    return written


def _rewrite(kafka: str, codec: Codec, store: Mendable, keys: Collection[str]) -> int:
    wanted = frozenset(key.encode() for key in keys)
    records = cast(Sink, store).records
    count = 0
    batch: list[Fact] = []
    for fact in _facts(kafka, codec, wanted):
        if type(fact.record) in records:
            batch.append(fact)
            count += 1
        if len(batch) == _BATCH:
            store.write(batch)
            batch = []
    if batch:
        store.write(batch)
    return count


def _facts(kafka: str, codec: Codec, keys: frozenset[bytes]) -> Iterator[Fact]:
    for message in reading.read(kafka, _TOPICS):
        if message.key() in keys:
            yield Fact(
                codec.decode(message.value()),
                cast(str, message.topic()),
                cast(int, message.partition()),
                cast(int, message.offset()),
                message.timestamp()[1],
            )
