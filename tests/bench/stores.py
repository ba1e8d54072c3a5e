"""What a store costs: ``python -m tests.bench.stores [--orders N]``.

For each store, in a process of its own: the changelog of N live orders is loaded into the stores of
4 partitions, timers included, as in a takeover less the reading from Kafka; then orders are read
and written in two patterns, ``hot`` (500 orders over and over) and ``cold`` (all of them in turn,
by a stride). Prints what each takes, and the ratios to the dict.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from schemas.codec import Codec, local_codec
from schemas.order import HoldRef
from schemas.stream import Progress
from streams.engine import changelog
from streams.engine.rocksdb_store import RocksDBStores
from streams.engine.store import MemoryStore, NewStore, PartitionState
from streams.orders import OrderLimits, orders_stage
from streams.orders.state import Order, OrderStatus

_PARTITIONS = 4
_HOT_ORDERS = 500
_CALLS = 200_000
_STRIDE = 7_919  # a prime: neighbours in time are no neighbours in the database
_STAGE = orders_stage(OrderLimits())
_NOW_MS = 1_790_000_000_000


def order(nth: int) -> Order:
    """Return a created order that waits for its payment, as nearly every live order does."""
    order_no = f"{nth:016X}"
    return Order(
        order_no=order_no,
        status=OrderStatus.CREATED,
        version=2,
        shop_id=1,
        user_id=10_000 + nth,
        currency="CNY",
        total_fen=12_900,
        placed_at_ms=_NOW_MS + nth,
        fingerprint=f"{nth:016x}",
        trace_id=f"{nth:032x}",
        holds=(HoldRef(f"{order_no}/77", "stock", "77", 1),),
        hold_marks="H",
        due_ms=_NOW_MS + nth + 900_000,
        channel="sim",
    )


def measure(name: str, orders: int) -> dict[str, float]:
    """Return the figures of one store. Times are this thread's on the processor: those of a call
    in microseconds."""
    codec = local_codec((*_STAGE.entities, Progress))
    with tempfile.TemporaryDirectory(prefix="bench-stores-") as folder:
        new_store = MemoryStore if name == "memory" else RocksDBStores(Path(folder), codec)
        before = _resident_bytes()
        seconds, states = _load(new_store, codec, orders)
        figures = {"load_s": seconds, "bytes_an_order": (_resident_bytes() - before) / orders}
        files = (path for path in Path(folder).rglob("*") if path.is_file())
        figures["files_mb"] = sum(path.stat().st_size for path in files) / 1e6
        in_one = orders // _PARTITIONS
        hot = [f"{n % _HOT_ORDERS:016X}" for n in range(_CALLS)]
        cold = [f"{n * _STRIDE % in_one:016X}" for n in range(_CALLS)]
        figures |= _times("hot", states[0], hot) | _times("cold", states[0], cold)
    return figures


def _load(new_store: NewStore, codec: Codec, orders: int) -> tuple[float, list[PartitionState]]:
    seconds, states = 0.0, []
    in_one = orders // _PARTITIONS
    for partition in range(_PARTITIONS):
        changes = [
            (Order, f"{n:016X}", order(n))
            for n in range(partition * in_one, (partition + 1) * in_one)
        ]
        entries = changelog.encode(codec, changes, Progress(1, _NOW_MS, (), 0, 0, 1))
        del changes
        started = time.thread_time()
        store = new_store(_STAGE.entities)
        loader = changelog.Loader(_STAGE, codec, store)
        for key, value in entries:
            loader.take(key, value)
        loader.done()
        states.append(PartitionState(store, _STAGE.entities))
        seconds += time.thread_time() - started
    return seconds, states


def _times(pattern: str, state: PartitionState, keys: list[str]) -> dict[str, float]:
    got = _time(keys, lambda key: state.get(Order, key))
    records = {key: _next(state, key) for key in dict.fromkeys(keys)}
    put = _time(keys, lambda key: state.put(key, records[key]))
    started = time.thread_time()
    state.take_changes()
    taken = (time.thread_time() - started) / len(records) * 1e6
    return {f"get_{pattern}_us": got, f"put_{pattern}_us": put, f"change_taken_{pattern}_us": taken}


def _next(state: PartitionState, key: str) -> Order:
    found = state.get(Order, key)
    assert found is not None
    return msgspec.structs.replace(found, version=3)


def _time(keys: list[str], call: Callable[[str], object]) -> float:
    started = time.thread_time()
    for key in keys:
        call(key)
    return (time.thread_time() - started) / len(keys) * 1e6


def _resident_bytes() -> int:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) * 1024


def main() -> None:
    """Measure both stores and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--store", help="measure this one only and print JSON")
    options = parser.parse_args()
    if options.store:
        print(json.dumps(measure(options.store, options.orders)))
        return
    memory, rocksdb = (
        json.loads(
            subprocess.run(
                [
                    *(sys.executable, "-m", "tests.bench.stores", "--store", name),
                    *("--orders", str(options.orders)),
                ],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for name in ("memory", "rocksdb")
    )
    print(f"{options.orders} orders{'memory':>24}{'rocksdb':>12}{'ratio':>9}")
    for figure, value in memory.items():
        ratio = f"{rocksdb[figure] / value:9.2f}" if value else ""
        print(f"{figure:<28}{value:>9.2f}{rocksdb[figure]:>12.2f}{ratio}")


if __name__ == "__main__":
    main()
