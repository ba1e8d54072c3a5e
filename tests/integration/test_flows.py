"""A flow on a real broker: killed at any time it ends with the windows of a batch recomputation."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from deploy.stack import Endpoints
from schemas.record import Record
from schemas.registry import connected_codec
from schemas.topics import (
    REPORT_FULFILMENT,
    REPORT_FUNNEL,
    REPORT_SALES,
    REPORT_TOP_SKUS,
    Kind,
    Topic,
)
from streams.engine.bytewax_host import stored
from streams.engine.flow_fold import Place, changelog_of
from streams.engine.records import StoredRecord
from tests.integration.flow_worker import prepare, reading
from tests.kafka import end_offsets, read
from tests.unit.windows.log import CODEC, whole
from tests.unit.windows.orders import history
from topologies.topics import create

PARTITIONS, ORDERS = 3, 400
REPORTS = (REPORT_SALES, REPORT_FUNNEL, REPORT_FULFILMENT, REPORT_TOP_SKUS)
_LIMIT_S = 60.0


class Flow:
    """Topics of its own for a flow and its facts, and processes that run it."""

    def __init__(self, stack: Endpoints, folder: Path) -> None:
        self.kafka, self.registry = stack.kafka, stack.registry
        self.codec = connected_codec(stack.registry)
        self.prefix = f"flow-{uuid.uuid4().hex[:8]}"
        self.source = f"{self.prefix}.events"
        self.shops = (uuid.uuid4().int % 2**40, uuid.uuid4().int % 2**40)
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        source = Topic(self.source, Kind.EVENTS, "order_no", ())
        made = (source, changelog_of(reading("sales", self.source), self.prefix))
        create(self.kafka, made, partitions=PARTITIONS, replication=1)
        started_ms = time.time_ns() // 1_000_000 - 200_000
        self.facts = history(1, ORDERS, PARTITIONS, shops=self.shops, start_ms=started_ms)
        self._producer = Producer({"bootstrap.servers": self.kafka, "linger.ms": 1})

    def start(self) -> subprocess.Popen[bytes]:
        """Start a process that runs the flow."""
        wanted = {
            "kafka": self.kafka,
            "registry": self.registry,
            "flow": "sales",
            "source": self.source,
            "prefix": self.prefix,
        }
        command = [sys.executable, "-m", "tests.integration.flow_worker", json.dumps(wanted)]
        with self._log(len(self._processes)).open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def append(self, first: float, last: float) -> None:
        """Append a share of each partition's facts."""
        for (_, partition), records in self.facts.places.items():
            for record in records[int(first * len(records)) : int(last * len(records))]:
                headers: list[tuple[str, str | bytes | None]] = [*record.headers]
                self._producer.produce(
                    self.source,
                    self.codec.encode(CODEC.decode(record.value)),
                    partition=partition,
                    headers=headers,
                )
        assert self._producer.flush(30) == 0

    def committed(self) -> int:
        """Return how many records the group has committed."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": f"{self.prefix}-sales"})
        try:
            places = [TopicPartition(self.source, p) for p in range(PARTITIONS)]
            return sum(max(at.offset, 0) for at in consumer.committed(places, timeout=10))
        finally:
            consumer.close()

    def written(self) -> int:
        """Return how many records there are."""
        return sum(end_offsets(self.kafka, self.source).values())

    def rows(self) -> dict[tuple[str, str], Record]:
        """Return the newest version of each row of these shops, without when it was written."""
        newest: dict[tuple[str, str], Record] = {}
        for topic in REPORTS:
            for message in read(self.kafka, topic.name):
                row = self.codec.decode(message.value())
                key = (topic.name, (message.key() or b"").decode())
                if row.shop_id in self.shops and (  # type: ignore[attr-defined]
                    key not in newest or newest[key].version <= row.version  # type: ignore[attr-defined]
                ):
                    newest[key] = row
        return {key: _without_time(row) for key, row in newest.items()}

    def recomputed(self) -> dict[tuple[str, str], Record]:
        """Return what a batch over all records of the topic has for rows."""
        logs: dict[Place, list[StoredRecord]] = {}
        for message in read(self.kafka, self.source):
            place = (self.source, cast(int, message.partition()))
            value = CODEC.encode(self.codec.decode(message.value()))
            logs.setdefault(place, []).append(stored(message)._replace(value=value))
        return whole(lambda: reading("sales", self.source), logs)

    def close(self) -> None:
        """End what still runs, and print what was logged."""
        for n, process in enumerate(self._processes):
            process.kill()
            process.wait()
            print(self._log(n).read_text()[-4_000:])

    def _log(self, process: int) -> Path:
        return self._folder / f"flow-{process}.log"


@pytest.fixture
def flow(stack: Endpoints, tmp_path: Path) -> Iterator[Flow]:
    prepare(stack)
    made = Flow(stack, tmp_path)
    yield made
    made.close()


def _without_time(row: Record) -> Record:
    return msgspec.structs.replace(row, fresh_ms=0, watermark_ms=0, is_complete=False, version=0)


def _wait(process: subprocess.Popen[bytes], true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _LIMIT_S
    while not true():
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def test_a_flow_killed_in_the_middle_ends_with_the_windows_of_a_batch(flow: Flow) -> None:
    flow.append(0, 0.4)
    victim = flow.start()
    _wait(victim, lambda: flow.committed() > 0)
    flow.append(0.4, 0.6)
    victim.kill()
    victim.wait()
    flow.append(0.5, 0.6)  # a stage that crashed, too, sends some again
    flow.append(0.6, 0.8)
    second = flow.start()
    _wait(second, lambda: flow.committed() > flow.written() * 0.7)
    second.kill()
    second.wait()
    flow.append(0.8, 1)
    last = flow.start()
    _wait(last, lambda: flow.committed() == flow.written())
    last.terminate()
    assert last.wait(30) == 0
    assert flow.rows() == flow.recomputed()
    assert len(flow.rows()) > ORDERS / 4


def test_a_second_process_of_a_flow_fences_the_first(flow: Flow) -> None:
    flow.append(0, 0.2)
    first = flow.start()
    _wait(first, lambda: flow.committed() == flow.written())
    second = flow.start()
    flow.append(0.2, 0.4)
    assert first.wait(30) != 0
    _wait(second, lambda: flow.committed() == flow.written())
    second.terminate()
    assert second.wait(30) == 0
    assert flow.rows() == flow.recomputed()
