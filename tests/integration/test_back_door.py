"""Ledger and warehouse on real servers: sinks and stores killed midway, and still what was said."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from msgspec.structs import replace

from deploy import stack as embedded
from deploy.settings import DeploySettings
from deploy.stack import Endpoints, Options, running
from schemas.order import OrderPlaced
from schemas.registry import connected_codec
from sinks.mysql.connection import connect
from sinks.sink import Fact
from sinks.warehouse.clickhouse import ClickHouseSink
from tests.contracts.sinks import interleaved, shop_log
from tests.pipeline import Process, environment, run, set_up
from topologies.services import command

_LIMIT_S = 60.0
_SERVERS = ("kafka", "registry", "mysql", "clickhouse")
_FEW = {
    "ORDERSTREAM_SINK_BATCH_RECORDS": "5",
    "ORDERSTREAM_SINK_LINGER_S": "0",
    "ORDERSTREAM_WAREHOUSE_BATCH_RECORDS": "20",
    "ORDERSTREAM_WAREHOUSE_LINGER_S": "0",
}
_COUNT = "SELECT COUNT(*) FROM {}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("back-door")


@pytest.fixture(scope="module")
def servers(home: Path) -> Iterator[Endpoints]:
    """Servers of its own, for they are killed."""
    settings = DeploySettings(kafka=None, registry=None, mysql=None, clickhouse=None)
    with running(Options(servers=_SERVERS, data_dir=home, settings=settings)) as endpoints:
        set_up(endpoints)
        run(endpoints, "migrate")
        yield endpoints


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    """The facts of the contract's shop, as if all had happened until now: Kafka drops old ones."""
    found = interleaved(shop_log())
    later_ms = int(time.time() * 1000) - max(fact.timestamp_ms for fact in found)
    return [
        fact._replace(
            record=_later(fact.record, later_ms), timestamp_ms=fact.timestamp_ms + later_ms
        )
        for fact in found
    ]


def _later(record: Any, later_ms: int) -> Any:
    if isinstance(record, OrderPlaced):
        return replace(record, placed_at_ms=record.placed_at_ms + later_ms)
    return record


def produce(servers: Endpoints, facts: Sequence[Fact]) -> None:
    codec = connected_codec(servers.registry)
    producer = Producer(
        {
            "bootstrap.servers": servers.kafka,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    for fact in facts:
        record: Any = fact.record
        key = str(record.sku_id if fact.topic == "inventory.events" else record.order_no)
        producer.produce(
            fact.topic, codec.encode(record), key.encode(), timestamp=fact.timestamp_ms
        )
    assert producer.flush(_LIMIT_S) == 0


def eventually(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def orders_in_mysql(servers: Endpoints) -> int:
    with connect(servers.mysql) as connection, connection.cursor() as cursor:
        cursor.execute(_COUNT.format("t_order"))
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def orders_in_clickhouse(servers: Endpoints) -> int:
    sink = ClickHouseSink(servers.clickhouse)
    try:
        return int(sink.query(_COUNT.format("orders"))[0][0])
    finally:
        sink.close()


def kill(home: Path, server: str) -> None:
    """Kill a server; the supervisor starts it again after a pause."""
    (process,) = [one.process for one in embedded.status(home) if one.name == server]
    assert process is not None
    process.signal(signal.SIGKILL)


def check(servers: Endpoints, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of `check consistency` and what it found."""
    done = subprocess.run(
        command("check", "consistency", "--json", *arguments),
        env=environment(servers),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_sinks_and_stores_that_are_killed_lose_nothing_and_double_nothing(
    servers: Endpoints, home: Path, facts: list[Fact]
) -> None:
    half = len(facts) // 2
    produce(servers, facts[:half])
    with (
        Process(servers, "sink", "ledger", **_FEW) as ledger,
        Process(servers, "sink", "warehouse", **_FEW) as warehouse,
    ):
        eventually(lambda: orders_in_mysql(servers) > 0, ledger.output)
        ledger.signal(signal.SIGKILL)
        eventually(lambda: orders_in_clickhouse(servers) > 0, warehouse.output)
        warehouse.signal(signal.SIGKILL)
    kill(home, "mysql")
    kill(home, "clickhouse")
    produce(servers, facts[half:])
    with (
        Process(servers, "sink", "ledger") as ledger,
        Process(servers, "sink", "warehouse") as warehouse,
    ):
        code, report = check(servers, "--settle", str(_LIMIT_S))
        assert (code, report["differences"]) == (0, []), ledger.output() + warehouse.output()
        assert report["orders"] > 30
        assert report["stores"] == ["mysql", "clickhouse"]


def test_what_somebody_changed_in_a_store_is_named_and_mended(servers: Endpoints) -> None:
    with connect(servers.mysql) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT order_no FROM t_order ORDER BY order_no LIMIT 3")
        wrong, gone, model = (row[0] for row in cursor.fetchall())
        cursor.execute("UPDATE t_order SET paid_amount = 999 WHERE order_no = %s", (wrong,))
        cursor.execute("DELETE FROM t_order WHERE order_no = %s", (gone,))
        cursor.execute("UPDATE t_inventory_snapshot SET on_hand = on_hand + 1 LIMIT 1000000")
        cursor.execute(
            "INSERT INTO t_order_item SELECT order_no, 77, user_id, version, shop_id, "
            "sku_id, 5, unit_price, discount_amount, payable_amount, currency, updated_time "
            "FROM t_order_item WHERE order_no = %s LIMIT 1",
            (model,),
        )
        connection.commit()
    sink = ClickHouseSink(servers.clickhouse)
    sink.query("INSERT INTO orders (order_no, version) VALUES ('NOBODYS', 1)")
    sink.close()

    code, report = check(servers)
    assert code == 1
    assert set(report["kinds"]["mysql"]) == {
        "MISSING",
        "paid_fen",
        "on_hand",
        "units",
        "payable_fen",
    }
    assert report["kinds"]["clickhouse"] == {"EXTRA": 1}
    assert {one["key"] for one in report["differences"] if one["kind"] == "MISSING"} == {gone}

    code, report = check(servers, "--mend")
    assert (code, report["differences"]) == (0, [])
