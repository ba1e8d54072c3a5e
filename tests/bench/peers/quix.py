"""The workload on Quix Streams: two streaming dataframes with state, in one application.

Runs in an environment of its own (quix.requirements.txt), with the broker in ``KAFKA`` and a folder
of its own in ``DATA``.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
from quixstreams import Application
from quixstreams.models.serializers import Deserializer, Serializer
from quixstreams.state.rocksdb import RocksDBOptions

UNITS = 1_000_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Incoming(Deserializer):  # type: ignore[misc]  # untyped where mypy runs: not installed
    """MessagePack in."""

    def __call__(self, value: bytes, ctx: Any) -> Any:
        """Return the message."""
        return _decode(value)


class Outgoing(Serializer):  # type: ignore[misc]  # as above
    """MessagePack out; a step's output is (topic, key, message)."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        """Return the bytes of the message."""
        return _encode(value[2])


app = Application(
    broker_address=os.environ["KAFKA"],
    consumer_group="peers-quix",
    auto_offset_reset="earliest",
    commit_interval=1.0,
    state_dir=os.environ["DATA"],
    # The quickest it can be given: its own encoding is JSON.
    rocksdb_options=RocksDBOptions(dumps=_encode, loads=_decode, use_fsync=False),
    consumer_extra_config={"fetch.wait.max.ms": 5},
    producer_extra_config={
        "linger.ms": 2,
        "compression.type": "lz4",
        "batch.num.messages": 20_000,
        "queue.buffering.max.messages": 1_000_000,
    },
    loglevel="WARNING",
)


def _topic(name: str) -> Any:
    return app.topic(
        name,
        key_deserializer="bytes",
        key_serializer="bytes",
        value_deserializer=Incoming(),
        value_serializer=Outgoing(),
    )


order_commands, order_events = _topic("order.commands"), _topic("order.events")
inventory_commands, inventory_events = _topic("inventory.commands"), _topic("inventory.events")


def on_order(command: Any, order: bytes, _timestamp: int, _headers: Any, state: Any) -> list[Any]:
    """Return what to send; an order is ``[lines, at_ms, pending, is_paid]``."""
    known = state.get("order")
    match command:
        case [0, lines, at_ms] if known is None:
            state.set("order", [lines, at_ms, len(lines), False])
            number = order.decode()
            return [(inventory_commands, sku.encode(), [0, number, qty]) for sku, qty in lines]
        case [1] if known is not None:
            lines, at_ms, pending, _ = known
            state.set("order", [lines, at_ms, pending - 1, False])
            return [(order_events, order, ["created", at_ms, lines])] if pending == 1 else []
        case [2] if known is not None and known[2] == 0 and not known[3]:
            lines, at_ms, _, _ = known
            state.set("order", [lines, at_ms, 0, True])
            number = order.decode()
            return [
                (order_events, order, ["paid", at_ms, lines]),
                *((inventory_commands, sku.encode(), [1, number, qty]) for sku, qty in lines),
            ]
    return []


def on_inventory(command: Any, sku: bytes, _timestamp: int, _headers: Any, state: Any) -> list[Any]:
    """Return what to send; a sku is ``[available, {order: qty}]``."""
    kind, order, qty = command
    available, kept = state.get("sku") or [UNITS, {}]
    if kind == 0:
        kept[order] = qty
        state.set("sku", [available - qty, kept])
        return [(order_commands, order.encode(), [1])]
    if kept.pop(order, None) is None:
        return []
    state.set("sku", [available, kept])
    return [(inventory_events, sku, ["deducted", order, qty, available])]


for source, step in ((order_commands, on_order), (inventory_commands, on_inventory)):
    outputs = app.dataframe(source).apply(step, stateful=True, metadata=True, expand=True)
    outputs.to_topic(lambda value, *_: value[0], key=lambda value: value[1])

if __name__ == "__main__":
    app.run()
