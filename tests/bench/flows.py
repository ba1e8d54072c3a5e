"""How many orders' worth of facts each flow takes a second, on one core, over a real broker.

    python -m tests.bench.flows --orders 60000

Facts of orders as the load's (1.3 lines, paid, shipped, completed) are written to a fresh broker
first; then each flow catches up, alone, pinned to one core. An order is 7 facts of orders and 2.6
of stock. Figures: orders a second by the clock and by the flow's own processor time, and the peak
of its memory.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from deploy.stack import Options, running
from schemas import inventory, order
from schemas.codec import Codec
from schemas.record import Record
from schemas.registry import connected_codec
from schemas.topics import INVENTORY_EVENTS, ORDER_EVENTS, Topic
from streams.engine import cause
from tests.kafka import end_offsets
from tests.pipeline import environment, set_up
from topologies.services import command

_SKUS = 5_000
_RATE = 3_000  # orders a second of event time
_TRACE = "0af7651916cd43dd8448eb211c80319c"
_CORE = 1


def _order_facts(no: str, lines: tuple[order.PricedLine, ...]) -> Iterator[Record]:
    total = sum(line.payable_fen for line in lines)
    holds = tuple(
        order.HoldRef(f"{no}-{n}", "stock", str(o.sku_id), o.qty) for n, o in enumerate(lines)
    )
    yield order.OrderPlaced(
        no, 1, 1, 42, "CNY", lines, (), holds, total, 0, "f" * 32, "standard", "sim", _TRACE
    )
    yield order.OrderCreated(no, 2, 1, 42, "CNY", total, 0, _TRACE)
    yield order.OrderPaymentOpened(no, 3, 1, 42, f"{no}-1", "sim", total, "CNY", _TRACE)
    yield order.OrderPaid(no, 4, 1, 42, "CNY", total, f"{no}-1", 0, _TRACE)
    yield order.OrderConfirmed(no, 5, 1, 42, _TRACE)
    yield order.OrderShipped(no, 6, 1, 42, "W", "sf", (), _TRACE)
    yield order.OrderCompleted(no, 7, 1, 42, _TRACE)


def _stock_facts(no: str, sku: int, version: int, expires_at_ms: int) -> Iterator[Record]:
    hold = f"{no}-{sku}"
    yield inventory.StockHeld(
        sku, "east", version + 1, 1, hold, no, 1, expires_at_ms, 10**6, 1, 0, 1, _TRACE
    )
    yield inventory.StockDeducted(
        sku, "east", version + 2, 1, hold, no, 1, 10**6, 0, -1, -1, _TRACE
    )


def write(kafka: str, codec: Codec, orders: int) -> None:
    """Write the facts of ``orders`` orders."""
    draw = random.Random(1)
    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "linger.ms": 20,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    start_ms = time.time_ns() // 1_000_000 - orders * 1000 // _RATE
    versions = [0] * _SKUS
    serial = 0

    def send(topic: Topic, key: str, at_ms: int, fact: Record) -> None:
        nonlocal serial
        serial += 1
        stamp = cause.channel(b"upstream", 0) + cause.pack_position(serial, 0)
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms / 1000))
        headers: list[tuple[str, str | bytes | None]] = [
            (cause.HEADER, stamp),
            ("traceparent", f"00-{_TRACE}-00f067aa0ba902b7-01".encode()),
            ("ce_specversion", b"1.0"),
            ("ce_id", str(serial).encode()),
            ("ce_source", b"/orderstream/bench/000000000000000000000000"),
            ("ce_type", type(fact).__name__.encode()),
            ("ce_time", f"{at}.{at_ms % 1000:03d}Z".encode()),
        ]
        while True:
            try:
                producer.produce(topic.name, codec.encode(fact), key, headers=headers)
            except BufferError:
                producer.poll(0.1)
            else:
                break

    for n in range(orders):
        at_ms, no = start_ms + n * 1000 // _RATE, f"N{n:012d}"
        skus = draw.sample(range(_SKUS), 2 if draw.random() < 0.3 else 1)
        lines = tuple(order.PricedLine(sku, 1, 990, 0, 990) for sku in skus)
        for fact in _order_facts(no, lines):
            send(ORDER_EVENTS, no, at_ms, fact)
        for sku in skus:
            for fact in _stock_facts(no, sku, versions[sku], at_ms + 900_000):
                send(INVENTORY_EVENTS, str(sku), at_ms, fact)
            versions[sku] += 2
        if n % 1000 == 0:
            producer.poll(0)
    producer.flush(60)


def measure(kafka: str, env: dict[str, str], name: str, source: Topic, orders: int) -> None:
    """Let a flow catch up, and print its figures."""
    ends = end_offsets(kafka, source.name)
    process = subprocess.Popen(
        ("taskset", "-c", str(_CORE), *command("flow", name)), env=env, stdout=subprocess.DEVNULL
    )
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"flow-{name}"})
    places = [TopicPartition(source.name, partition) for partition in ends]
    done = first = 0
    first_s = first_cpu_s = 0.0
    while done < sum(ends.values()):
        assert process.poll() is None
        time.sleep(0.05)
        done = sum(max(at.offset, 0) for at in consumer.committed(places, timeout=10))
        if done and not first:
            first, first_s, first_cpu_s = done, time.monotonic(), _cpu_s(process.pid)
    took_s, cpu_s = time.monotonic() - first_s, _cpu_s(process.pid) - first_cpu_s
    memory = Path(f"/proc/{process.pid}/status").read_text()
    process.terminate()
    process.wait()
    consumer.close()
    counted = orders * (done - first) / done  # the start does not count
    peak_mb = int(re.search(r"VmHWM:\s+(\d+)", memory)[1]) / 1024  # type: ignore[index]  # Linux has it
    print(
        f"{name:<8}{counted / took_s:>10,.0f} orders/s by the clock"
        f"{counted / cpu_s:>10,.0f} by processor time{peak_mb:>8,.0f} MB at most",
        flush=True,
    )


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process so far, its kernel's included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure all flows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=60_000)
    orders = parser.parse_args().orders
    with running(Options(servers=("kafka", "registry"))) as endpoints:
        set_up(endpoints)
        codec = connected_codec(endpoints.registry)
        write(endpoints.kafka, codec, orders)
        env = {**os.environ, **environment(endpoints)}
        for name, source in (
            ("sales", ORDER_EVENTS),
            ("stock", INVENTORY_EVENTS),
            ("alerts", INVENTORY_EVENTS),
        ):
            measure(endpoints.kafka, env, name, source, orders)


if __name__ == "__main__":
    main()
