"""The workload's messages and state as records of this engine: Avro, with a trace id on each."""

from __future__ import annotations

import struct

from schemas.codec import Codec, local_codec
from schemas.record import Record
from schemas.stream import Progress, Tick
from schemas.topics import Kind, Topic
from tests.bench.peers import workload
from tests.bench.peers.workload import Basket, Wire


class Line(Record, frozen=True):
    """``qty`` units of a sku."""

    sku: str
    qty: int


class PlaceOrder(Record, frozen=True):
    """Command: an order wants its lines."""

    order: str
    lines: tuple[Line, ...]
    at_ms: int
    trace_id: str


class PayOrder(Record, frozen=True):
    """Command: the money is there."""

    order: str
    trace_id: str


class Reserve(Record, frozen=True):
    """Command: keep units of a sku for an order."""

    order: str
    sku: str
    qty: int
    trace_id: str


class Deduct(Record, frozen=True):
    """Command: the units that were kept for an order leave."""

    order: str
    sku: str
    trace_id: str


class OrderPlaced(Record, frozen=True):
    """Private fact: the order has asked for its lines."""

    order: str
    lines: tuple[Line, ...]
    at_ms: int
    trace_id: str


class LineCounted(Record, frozen=True):
    """Private fact: one more line of the order is reserved, and others are awaited."""

    order: str
    trace_id: str


class OrderCreated(Record, frozen=True):
    """Fact: all lines are reserved."""

    order: str
    lines: tuple[Line, ...]
    at_ms: int
    trace_id: str


class OrderPaid(Record, frozen=True):
    """Fact: the order is paid, its lines are to be deducted."""

    order: str
    lines: tuple[Line, ...]
    at_ms: int
    trace_id: str


class Reserved(Record, frozen=True):
    """Private fact of a sku, and its reply to the order."""

    order: str
    sku: str
    qty: int
    trace_id: str


class Deducted(Record, frozen=True):
    """Fact: units left the stock; ``available`` are neither gone nor kept for anybody."""

    sku: str
    order: str
    qty: int
    available: int
    trace_id: str


class Order(Record, frozen=True):
    """State of an order: ``pending`` lines are not reserved yet."""

    lines: tuple[Line, ...]
    at_ms: int
    pending: int
    is_paid: bool


class Kept(Record, frozen=True):
    """Units of a sku kept for an order."""

    order: str
    qty: int


class Stock(Record, frozen=True):
    """State of a sku."""

    available: int
    kept: tuple[Kept, ...]


ORDER_COMMANDS = Topic(
    workload.ORDER_COMMANDS, Kind.COMMANDS, "order", (PlaceOrder, Reserved, PayOrder, Tick)
)
ORDER_EVENTS = Topic(workload.ORDER_EVENTS, Kind.EVENTS, "order", (OrderCreated, OrderPaid))
INVENTORY_COMMANDS = Topic(
    workload.INVENTORY_COMMANDS, Kind.COMMANDS, "sku", (Reserve, Deduct, Tick)
)
INVENTORY_EVENTS = Topic(workload.INVENTORY_EVENTS, Kind.EVENTS, "sku", (Deducted,))
TOPICS = (ORDER_COMMANDS, ORDER_EVENTS, INVENTORY_COMMANDS, INVENTORY_EVENTS)


def codec() -> Codec:
    """Return the codec of this workload; its few schemas need no registry."""
    messages = (kind for topic in TOPICS for kind in topic.records)
    return local_codec((*dict.fromkeys(messages), Order, Stock, Progress))


def wire() -> Wire:
    """Return how the driver writes and reads these records."""
    ours = codec()
    encode = ours.encode

    def place(order: str, basket: Basket, at_ms: int) -> bytes:
        lines = tuple(Line(sku, qty) for sku, qty in basket)
        return encode(PlaceOrder(order, lines, at_ms, trace_id(order)))

    def deducted(value: bytes) -> tuple[str, int]:
        fact = ours.decode(value)
        assert isinstance(fact, Deducted)
        return fact.order, fact.available

    return Wire(
        place=place,
        pay=lambda order: encode(PayOrder(order, trace_id(order))),
        created=_prefix(ours, OrderCreated),
        paid=_prefix(ours, OrderPaid),
        deducted=deducted,
    )


def trace_id(order: str) -> str:
    """Return the trace of an order: its number (hex digits), filled up to 32."""
    return order.rjust(32, "0")


def _prefix(ours: Codec, kind: type[Record]) -> bytes:
    """Return the Confluent wire format's first bytes: zero, then the schema's id."""
    return struct.pack(">bI", 0, ours.schema_id(kind))
