"""What the sink of the read model writes on one core, and what an order costs in Redis' memory.

    python -m tests.bench.read_model redis://127.0.0.1:6379/15

Empties the database first. Orders are those of the standard flow: placed, created, payment opened,
paid, confirmed, completed, and two movements of stock each; Kafka and decoding are not in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import cast

import redis

from schemas import inventory, order
from schemas.record import Record
from sinks.redis.sink import RedisSink
from sinks.sink import Fact

_ORDERS = 20_000
_USERS = 5_000
_SKUS = 50
_UNDER_WAY = 200  # orders whose facts come mixed: 1,000 a second for 0.2 s
_START_MS = 1_790_000_000_000


def facts_of(nth: int) -> Iterator[Record]:
    """Yield the facts of one order."""
    no, trace = f"VRYF6K5AHJ{nth:06d}", f"{nth:032x}"
    about = (1, nth % _USERS)
    sku, hold = 100_000 + nth % _SKUS, f"{no}/1"
    line = order.PricedLine(sku, 2, 1_999, 0, 3_998)
    held = order.HoldRef(hold, "stock", str(sku), 2)
    at_ms, stock = _START_MS + nth, (sku, "east", 2 * (nth // _SKUS) + 1, 1, hold, no, 2)
    yield order.OrderPlaced(
        no, 1, *about, "CNY", (line,), (), (held,), 3_998, at_ms, "00" * 8, "standard", "sim", trace
    )
    yield inventory.StockHeld(*stock, at_ms, 1_000, 2, 0, 2, trace)
    yield order.OrderCreated(no, 2, *about, "CNY", 3_998, at_ms + 900_000, trace)
    yield order.OrderPaymentOpened(no, 3, *about, f"{no}-1", "sim", 3_998, "CNY", trace)
    yield order.OrderPaid(no, 4, *about, "CNY", 3_998, f"{no}-1", at_ms, trace)
    yield inventory.StockDeducted(sku, "east", stock[2] + 1, 1, hold, no, 2, 998, 0, -2, -2, trace)
    yield order.OrderConfirmed(no, 5, *about, trace)
    yield order.OrderCompleted(no, 6, *about, trace)


def history() -> list[Fact]:
    """Return the facts of all orders, those under way at a time mixed."""
    found = []
    for start in range(0, _ORDERS, _UNDER_WAY):
        lives = [list(facts_of(nth)) for nth in range(start, start + _UNDER_WAY)]
        found += [record for step in zip(*lives, strict=True) for record in step]
    now_ms = int(time.time() * 1000)
    return [Fact(r, "order.events", 0, n, now_ms + n // 8) for n, r in enumerate(found)]


def main(url: str) -> None:
    """Print by batch size what a core does in a second, and bytes an order."""
    facts = history()
    with redis.Redis.from_url(url) as client:
        for size in (50, 200, 1_000):
            client.execute_command("FLUSHDB", "SYNC")
            before, server_s = _used(client), _cpu_s(client)
            sink = RedisSink(url)
            started_s, cpu_s = time.perf_counter(), time.process_time()
            for start in range(0, len(facts), size):
                sink.write(facts[start : start + size])
            took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
            sink.close()
            server_s = _cpu_s(client) - server_s
            print(
                f"batches of {size}: {len(facts) / cpu_s:,.0f} facts a CPU second of the sink, "
                f"{len(facts) / server_s:,.0f} of the server, {len(facts) / took_s:,.0f} facts/s "
                f"in all; {(_used(client) - before) / _ORDERS:,.0f} bytes an order"
            )


def _used(client: redis.Redis) -> int:
    return cast(int, client.info("memory")["used_memory"])


def _cpu_s(client: redis.Redis) -> float:
    used = client.info("cpu")
    return cast(float, used["used_cpu_user"] + used["used_cpu_sys"])


if __name__ == "__main__":
    main(sys.argv[1])
