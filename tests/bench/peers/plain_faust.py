"""The workload on plain Faust, as its documentation shows it: agents, tables, one event at a time.

Run as ``python plain_faust.py worker --without-web`` with the broker in ``KAFKA`` and a folder of
its own in ``DATA``.
"""

from __future__ import annotations

import os
from typing import Any

import faust
import msgspec
import uvloop
from faust.serializers import codecs

PARTITIONS = 4
UNITS = 1_000_000


class MessagePack(codecs.Codec):
    """msgspec's MessagePack: the fastest codec that Faust can be given."""

    def _loads(self, s: bytes) -> Any:
        return msgspec.msgpack.decode(s)

    def _dumps(self, obj: Any) -> bytes:
        return msgspec.msgpack.encode(obj)


codecs.register("messagepack", MessagePack())

app = faust.App(
    "peers-plain-faust",
    broker=f"kafka://{os.environ['KAFKA']}",
    datadir=os.environ["DATA"],
    store="memory://",
    autodiscover=False,
    web_enabled=False,
    key_serializer="raw",
    value_serializer="messagepack",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    # Without these it is slower still: a leader's bookkeeping, and a wait after an empty fetch.
    topic_disable_leader=True,
    stream_wait_empty=False,
    broker_max_poll_records=500,
    producer_linger=0.002,
    producer_max_batch_size=256 * 1024,
)


def _topic(name: str) -> Any:
    return app.topic(name, key_type=bytes)


order_commands, order_events = _topic("order.commands"), _topic("order.events")
inventory_commands, inventory_events = _topic("inventory.commands"), _topic("inventory.events")
orders = app.Table("orders", key_type=bytes, partitions=PARTITIONS)
stock = app.Table("stock", key_type=bytes, partitions=PARTITIONS)


@app.agent(order_commands)
async def on_order(stream: Any) -> None:
    """Orders are ``[lines, at_ms, pending, is_paid]``."""
    async for order, command in stream.items():
        known = orders.get(order)
        match command:
            case [0, lines, at_ms] if known is None:
                orders[order] = [lines, at_ms, len(lines), False]
                for sku, qty in lines:
                    await inventory_commands.send(key=sku, value=[0, order.decode(), qty])
            case [1] if known is not None:
                lines, at_ms, pending, _ = known
                orders[order] = [lines, at_ms, pending - 1, False]
                if pending == 1:
                    await order_events.send(key=order, value=["created", at_ms, lines])
            case [2] if known is not None and known[2] == 0 and not known[3]:
                lines, at_ms, _, _ = known
                orders[order] = [lines, at_ms, 0, True]
                for sku, qty in lines:
                    await inventory_commands.send(key=sku, value=[1, order.decode(), qty])
                await order_events.send(key=order, value=["paid", at_ms, lines])


@app.agent(inventory_commands)
async def on_inventory(stream: Any) -> None:
    """A sku is ``[available, {order: qty}]``."""
    async for sku, (kind, order, qty) in stream.items():
        available, kept = stock.get(sku) or [UNITS, {}]
        if kind == 0:
            kept[order] = qty
            stock[sku] = [available - qty, kept]
            await order_commands.send(key=order, value=[1])
        elif kept.pop(order, None) is not None:
            stock[sku] = [available, kept]
            await inventory_events.send(key=sku, value=["deducted", order, qty, available])


if __name__ == "__main__":
    uvloop.install()
    app.main()
