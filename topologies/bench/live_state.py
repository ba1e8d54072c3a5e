"""A million live records without a million orders: a sample, cloned under other order numbers.

The sample is made by the stages themselves: orders are admitted, hold their stock, open their
payment; every second one is paid. What the stages then keep of these orders is what they keep of
any. A clone differs in the first characters of the order number, everywhere it occurs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from schemas import topics
from schemas.codec import Codec
from schemas.record import Record
from schemas.stream import Progress
from schemas.topics import changelog
from streams.engine.changelog import START, Change
from streams.engine.checkpoints import CheckpointLog
from streams.engine.memory import MemoryHost, MemoryLog
from streams.orders import OrderLimits
from topologies.load.catalogue import Catalogue
from topologies.load.clients import Where
from topologies.load.closed_loop import Admitted, Bench, admitted_orders
from topologies.load.closed_loop import Progress as Counted
from topologies.pipeline import stages

_SAMPLE_ORDERS = 2_000
_CLONE_DIGITS = 4  # of 16 characters: 10,000 clones of the sample, some 60 million records
_CHECKPOINT_RECORDS = 20_000  # about what a second of load changes


class Kept(NamedTuple):
    """A state record: its type, its key, its bytes, and the order it belongs to (None: no one)."""

    kind: type[Record]
    key: str
    value: bytes
    order_no: str | None


def sample(
    codec: Codec, orders: Sequence[Admitted], catalogue: Catalogue, run: str, partitions: int
) -> dict[tuple[str, int], list[Kept]]:
    """Let the stages take the orders; return what each (stage, partition) keeps of them."""
    log = MemoryLog(partitions, clock_ms=time.time_ns() // 1_000_000)
    host = MemoryHost(stages(OrderLimits()), codec, log=log)
    for delivery in catalogue.deliveries(run):
        host.send(topics.INVENTORY_COMMANDS.name, str(delivery.sku_id), delivery)
    host.run()
    for order in orders:
        log.append(topics.ORDER_COMMANDS.name, order.key, order.value)
    host.run()
    for order in orders[::2]:
        log.append(topics.PAYMENT_COMMANDS.name, order.key, order.report)
    host.run()
    numbers = {order.key.decode() for order in orders}
    length = len(next(iter(numbers)))
    kept: dict[tuple[str, int], list[Kept]] = {}
    for stage in stages(OrderLimits()):
        for partition in range(partitions):
            changes, _ = host.fold(stage.name, partition).take_changes()
            kept[stage.name, partition] = [
                # Every id of an order's records begins with the order's number.
                Kept(
                    kind,
                    key,
                    codec.encode(record),
                    key[:length] if key[:length] in numbers else None,
                )
                for kind, key, record in changes
                if record is not None
            ]
    return kept


def cloned(codec: Codec, kept: Sequence[Kept], clones: int) -> Iterator[Change]:
    """Yield what ``kept`` would be for ``clones`` times as many orders; ids keep their length."""
    for one in kept:
        if one.order_no is None:
            yield one.kind, one.key, codec.decode(one.value)
    for clone in range(clones):
        head = f"{clone:0{_CLONE_DIGITS}d}"
        for kind, key, value, order_no in kept:
            if order_no is not None:
                number = head + order_no[_CLONE_DIGITS:]
                record = codec.decode(value.replace(order_no.encode(), number.encode()))
                yield kind, key.replace(order_no, number), record


def fill(
    where: Where,
    group: str,
    catalogue: Catalogue,
    run: str,
    records: int,
    partitions: int,
    counted: Counted,
) -> int:
    """Write checkpoints of at least ``records`` live records; return how many there are.

    They go through the engine's own checkpoints, into empty changelogs: the inboxes are taken to be
    read up to their beginning.
    """
    codec = where.codec
    orders = list(admitted_orders(where, catalogue, Bench(_SAMPLE_ORDERS), run))
    kept = sample(codec, orders, catalogue, run, partitions)
    every = [one for some in kept.values() for one in some]
    of_orders = sum(one.order_no is not None for one in every)
    clones = max(1, -(-(records - (len(every) - of_orders)) // of_orders))  # rounded up
    written = 0
    for stage in stages(OrderLimits()):
        topic = changelog(stage.name, stage.entities).name
        for partition in range(partitions):
            log = CheckpointLog(where.kafka, group, stage, topic, partition)
            changes = cloned(codec, kept[stage.name, partition], clones)
            number = 0
            while chunk := list(islice(changes, _CHECKPOINT_RECORDS)):
                number += 1
                log.write(codec, chunk, _progress(number))
                written += len(chunk)
                counted(min(written, records), records)
    return written


def _progress(checkpoint: int) -> Progress:
    now_ms = time.time_ns() // 1_000_000
    return replace(START, stream_time_ms=now_ms, checkpoint=checkpoint)
