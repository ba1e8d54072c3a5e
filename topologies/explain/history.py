"""One order's records, gathered from the partitions that can hold them and from no others.

The order's number is the key of its own and its payments' topics, and the skus that it asks for are
the keys of inventory's. An intent that was refused may stand in any partition of its dead letters:
nobody but its producer knows the key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas import topics
from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.order import PlaceOrderIntent
from schemas.record import Record
from schemas.resource import partition_key
from schemas.topics import Kind, Topic
from streams.admission import derive_order_no
from streams.engine import cause
from streams.engine.fold import cause_of
from streams.engine.records import InboxRecord
from streams.orders.state import STOCK

_MARGIN_MS = 10 * 60 * 1000
"""Clocks of the processes that stamp facts may differ by so much from the broker's."""

_CAUSE_BYTES = 24

_BY_ORDER_NO = (
    topics.ORDER_COMMANDS,
    topics.ORDER_EVENTS,
    topics.PAYMENT_COMMANDS,
    topics.PAYMENT_EVENTS,
)
_BY_SKU = (topics.INVENTORY_COMMANDS, topics.INVENTORY_EVENTS)
_BY_RESOURCE = (topics.PROMOTION_COMMANDS, topics.PROMOTION_EVENTS)
_SKU_KEY, _RESOURCE_KEY = topics.INVENTORY_COMMANDS.key, topics.PROMOTION_COMMANDS.key


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Event(NamedTuple):
    """One record of a history.

    ``source`` is the inbox record that made it and ``output`` says as which of its outputs; None
    and 0 when it came from outside. ``refused`` are the code and the reason of a dead letter;
    ``record`` is None when nobody can read it.
    """

    place: Place
    at_ms: int
    record: Record | None
    source: Place | None = None
    output: int = 0
    refused: tuple[str, str] | None = None


class Log(Protocol):
    """The topics, as far as a history needs them."""

    def partitions(self, topic: str) -> int:
        """Return how many partitions ``topic`` has; 0: there is no such topic."""

    def partition_of(self, topic: str, key: str) -> int:
        """Return the partition of ``topic`` that ``key`` belongs to."""

    def read(
        self, places: Collection[tuple[str, int]], since_ms: int
    ) -> Iterator[tuple[str, int, InboxRecord]]:
        """Yield the records of partitions that are there now, in order within each.

        Those before ``since_ms`` (epoch ms) may be left out.
        """

    def incarnations(self, names: Iterable[str]) -> Mapping[bytes, str]:
        """Return the topic of each incarnation."""


def gather(log: Log, codec: Codec, order_no: str) -> list[Event]:
    """Return every record that concerns the order, in no particular order; none: unknown order."""
    own = keyed(log, codec, _BY_ORDER_NO, (order_no,))
    begun_ms = min((event.at_ms for event in own), default=0)
    since_ms = max(0, begun_ms - _MARGIN_MS)
    skus = sorted({sku for event in own for sku in _skus(event.record)})
    stock = keyed(log, codec, _BY_SKU, skus, since_ms, names=order_no)
    resources = sorted({key for event in own for key in _resources(event.record)})
    promotions = keyed(log, codec, _BY_RESOURCE, resources, since_ms, names=order_no)
    refused = _refused(log, codec, order_no, skus, resources, since_ms)
    return [*own, *stock, *promotions, *refused]


def keyed(
    log: Log,
    codec: Codec,
    of: Iterable[Topic],
    keys: Sequence[str],
    since_ms: int = 0,
    *,
    names: str = "",
) -> list[Event]:
    """Return the records of topics with one of ``keys`` and ``names`` in them, none twice.

    In order within a partition. Raises TopicsMissing when a topic is not there.
    """
    places = {(topic.name, log.partition_of(topic.name, key)) for topic in of for key in keys}
    wanted, mark = {key.encode() for key in keys}, names.encode()
    read = Distinct(log)
    for topic, partition, record in log.read(sorted(places), since_ms):
        if record.key in wanted and mark in (record.value or b""):
            read.take(topic, partition, record, decoded(codec, record.value))
    return read.events


def _refused(
    log: Log,
    codec: Codec,
    order_no: str,
    skus: Sequence[str],
    resources: Sequence[str],
    since_ms: int,
) -> list[Event]:
    """Return the dead letters that concern the order."""
    places: set[tuple[str, int]] = set()
    for topic in topics.PUBLIC:
        name = topic.dead_letters
        if topic.kind not in (Kind.INTENTS, Kind.COMMANDS) or not log.partitions(name):
            continue
        if topic is topics.ORDER_INTENTS:
            places |= {(name, partition) for partition in range(log.partitions(name))}
        else:
            keys = {_SKU_KEY: skus, _RESOURCE_KEY: resources}.get(topic.key, (order_no,))
            places |= {(name, log.partition_of(name, key)) for key in keys}
    read = Distinct(log)
    for name, partition, record in log.read(sorted(places), since_ms):
        found = decoded(codec, record.value)
        if _concerns(order_no, record, found):
            text = {header: value.decode(errors="replace") for header, value in record.headers}
            why = (text.get("dlq_code", ""), text.get("dlq_reason", ""))
            read.take(name, partition, record, found, why)
    return read.events


def _concerns(order_no: str, record: InboxRecord, found: Record | None) -> bool:
    if record.value is None:
        return False
    if isinstance(found, PlaceOrderIntent):
        return derive_order_no(found.shop_id, found.user_id, found.client_key) == order_no
    if found is None:
        return record.key == order_no.encode()
    return getattr(found, "order_no", None) == order_no


class Distinct:
    """Collects events, less those that a stage sent again after a crash."""

    def __init__(self, log: Log) -> None:
        self.events: list[Event] = []
        self._names = log.incarnations(topic.name for topic in topics.PUBLIC)
        self._seen: dict[tuple[str, int, bytes], bytes] = {}

    def take(
        self,
        topic: str,
        partition: int,
        record: InboxRecord,
        found: Record | None,
        refused: tuple[str, str] | None = None,
    ) -> None:
        """Take one record in; those of a partition in their order."""
        event = Event(
            Place(topic, partition, record.offset), record.timestamp, found, refused=refused
        )
        stamp = cause_of(record.headers)
        if stamp is not None and len(stamp) == _CAUSE_BYTES:  # anybody may write a header
            channel = (topic, partition, stamp[: cause.CHANNEL_BYTES])
            position = stamp[cause.CHANNEL_BYTES :]
            if position <= self._seen.get(channel, b""):
                return
            self._seen[channel] = position
            made = cause.parse(stamp)
            name = self._names.get(made.incarnation, "a topic that is gone")
            event = event._replace(
                source=Place(name, made.partition, made.offset), output=made.output
            )
        self.events.append(event)


def decoded(codec: Codec, value: bytes | None) -> Record | None:
    """Return the record in ``value``; None when nobody can read it."""
    try:
        return codec.decode(value)
    except (InvalidMessage, Retryable):
        return None


def _skus(record: Record | None) -> Iterator[str]:
    """Yield the skus that a record of an order's own topics names."""
    for hold in getattr(record, "holds", ()):
        if hold.kind == STOCK:
            yield hold.resource_id
    sku_id = getattr(record, "sku_id", None)
    if sku_id is not None:
        yield str(sku_id)


def _resources(record: Record | None) -> Iterator[str]:
    """Yield the keys of the promotions that a record of an order's own topics names."""
    for hold in getattr(record, "holds", ()):
        if hold.kind != STOCK:
            yield partition_key(hold.resource_id)
