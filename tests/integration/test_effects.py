"""The effect worker on a real broker: a call may be repeated, and is never lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from deploy.stack import Endpoints
from schemas.payment import GatewayReport, PaymentFailed, PaymentRequested
from schemas.topics import Kind, Topic, dead_letters
from tests.integration.effect_worker import codec, fails_first, is_slow
from tests.kafka import read
from topologies.topics import create

PARTITIONS = 3
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Workplace:
    """Topics of its own, worker processes, and what they called and reported."""

    def __init__(self, kafka: str, folder: Path) -> None:
        name = f"effects-{uuid.uuid4().hex[:8]}"
        self.kafka, self.folder = kafka, folder
        self.source = Topic(f"{name}.events", Kind.EVENTS, "order_no", ())
        self.inbox = Topic(f"{name}.commands", Kind.COMMANDS, "order_no", ())
        self.group = name
        self.notes = folder / "calls"
        self.notes.touch()
        self.workers: list[subprocess.Popen[bytes]] = []
        made = (self.source, self.inbox, dead_letters(self.source))
        create(kafka, made, partitions=PARTITIONS, replication=1)

    def start(self, max_in_flight: int = 1_000) -> subprocess.Popen[bytes]:
        """Start a worker."""
        wanted = {
            "kafka": self.kafka,
            "group": self.group,
            "source": self.source.name,
            "inbox": self.inbox.name,
            "notes": str(self.notes),
            "max_in_flight": max_in_flight,
        }
        command = [sys.executable, "-m", "tests.integration.effect_worker", json.dumps(wanted)]
        with self._log(len(self.workers)).open("wb") as log:
            worker = subprocess.Popen(command, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def has_partitions(self, worker: subprocess.Popen[bytes]) -> bool:
        """Tell whether a worker was given any."""
        log = self._log(self.workers.index(worker)).read_text()
        return re.search(r"assigned .*partitions=\[\d", log) is not None

    def stop(self, worker: subprocess.Popen[bytes]) -> int:
        """Ask a worker to end; return its exit code."""
        worker.terminate()
        return worker.wait(30)

    def request(self, *pay_nos: str, raw: bytes | None = None) -> None:
        """Append a fact for each number, among others that need no call; and ``raw``, if given."""
        encode = codec().encode
        producer = Producer({"bootstrap.servers": self.kafka, "partitioner": "murmur2_random"})
        for pay_no in pay_nos:
            asked = PaymentRequested(pay_no, 1, 7, 42, pay_no, "sim", 100, "CNY", TRACE)
            other = PaymentFailed(pay_no, 2, 7, pay_no, "FAILED", TRACE)
            producer.produce(self.source.name, encode(asked), pay_no)
            producer.produce(self.source.name, encode(other), pay_no)
        if raw is not None:
            producer.produce(self.source.name, raw, b"raw")
        assert producer.flush(30) == 0

    def called(self) -> Counter[str]:
        """Return how often each number was called."""
        return Counter(self.notes.read_text().split())

    def reported(self) -> Counter[str]:
        """Return how often each number was reported."""
        numbers: Counter[str] = Counter()
        for message in read(self.kafka, self.inbox.name):
            report = codec().decode(message.value())
            assert isinstance(report, GatewayReport)
            numbers[report.pay_no] += 1
        return numbers

    def close(self) -> None:
        """End what still runs, and print what was logged."""
        for n, worker in enumerate(self.workers):
            worker.kill()
            worker.wait()
            print(self._log(n).read_text()[-4_000:])

    def _log(self, worker: int) -> Path:
        return self.folder / f"worker-{worker}.log"

    def committed(self) -> int:
        """Return how many records the group has committed, all partitions together."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.group})
        partitions = [TopicPartition(self.source.name, p) for p in range(PARTITIONS)]
        try:
            return sum(max(0, p.offset) for p in consumer.committed(partitions, 10))
        finally:
            consumer.close()


@pytest.fixture
def place(stack: Endpoints, tmp_path: Path) -> Iterator[Workplace]:
    workplace = Workplace(stack.addresses["kafka"], tmp_path)
    yield workplace
    workplace.close()


def eventually(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.2)


def test_no_request_is_lost_when_the_worker_is_killed_between_call_and_commit(
    place: Workplace,
) -> None:
    early = [f"P{n}" for n in range(200)]
    place.request(*early)
    slow = {pay_no for pay_no in early if is_slow(pay_no)}
    assert 20 < len(slow) < 60

    worker = place.start()
    quick = set(early) - slow
    # All calls are made, the quick ones have reported, the slow ones are under way.
    eventually(lambda: slow <= place.called().keys() and quick <= place.reported().keys())
    worker.kill()
    worker.wait()
    assert not slow & place.reported().keys()
    late = [f"Q{n}" for n in range(100)]
    place.request(*late)
    second = place.start()
    eventually(lambda: place.reported().keys() == {*early, *late})

    called = place.called()
    assert all(called[pay_no] >= 2 for pay_no in slow)
    assert place.stop(second) == 0
    assert place.committed() == 2 * 300


def test_the_frontier_is_committed_below_the_first_open_call(place: Workplace) -> None:
    quick = [f"P{n}" for n in range(400) if not is_slow(f"P{n}") and not fails_first(f"P{n}")]
    place.request(*quick)
    worker = place.start()
    eventually(lambda: place.committed() == 2 * len(quick))
    slow = next(f"S{n}" for n in range(100) if is_slow(f"S{n}") and not fails_first(f"S{n}"))
    place.request(slow, *(f"R{pay_no}" for pay_no in quick))
    eventually(lambda: place.called()[slow] == 1)
    worker.kill()
    worker.wait()
    assert place.committed() >= 2 * len(quick)

    place.start()
    eventually(lambda: place.reported()[slow] == 1)
    assert all(place.called()[pay_no] == 1 for pay_no in quick)
    assert place.called()[slow] == 2


def test_a_clean_stop_leaves_nothing_to_repeat(place: Workplace) -> None:
    place.request(*(f"P{n}" for n in range(100)))
    worker = place.start()
    eventually(lambda: len(place.reported()) == 100)
    assert place.stop(worker) == 0
    called = place.called()
    assert place.committed() == 200

    place.start()
    place.request("after")
    eventually(lambda: place.reported()["after"] == 1)
    assert place.called() - Counter({"after": 2}) == called
    assert set(place.reported().values()) == {1}


def test_a_failing_call_is_made_again(place: Workplace) -> None:
    pay_no = next(f"F{n}" for n in range(100) if fails_first(f"F{n}") and not is_slow(f"F{n}"))
    place.request(pay_no)
    place.start()
    eventually(lambda: place.reported()[pay_no] == 1)
    assert place.called()[pay_no] == 2


def test_calls_under_way_are_bounded_and_the_rest_waits(place: Workplace) -> None:
    slow = [pay_no for pay_no in (f"P{n}" for n in range(200)) if is_slow(pay_no)][:12]
    slow = [pay_no for pay_no in slow if not fails_first(pay_no)]
    place.request(*slow)
    place.start(max_in_flight=4)
    eventually(lambda: len(place.called()) > 0)
    time.sleep(1.0)
    # One record may slip through each pause.
    assert 4 <= len(place.called()) <= 5
    eventually(lambda: place.reported() == Counter(slow))
    assert place.called() == Counter(slow)


def test_workers_share_the_partitions_and_a_stopped_one_hands_over(place: Workplace) -> None:
    first, second = place.start(), place.start()
    eventually(lambda: place.has_partitions(first) and place.has_partitions(second))
    numbers: list[str] = []
    for batch in range(20):
        numbers += (fresh := [f"B{batch}-{n}" for n in range(20)])
        place.request(*fresh)
        if batch == 10:
            assert place.stop(first) == 0
    eventually(lambda: place.reported().keys() == set(numbers))
    assert place.stop(second) == 0
    assert place.committed() == 2 * len(numbers)


def test_what_nobody_understands_goes_to_the_dead_letters(place: Workplace) -> None:
    raw = b"\x00\x00\x00\x00\x63not a fact"
    place.request("P1", raw=raw)
    place.request("P2")
    worker = place.start()
    eventually(lambda: place.reported().keys() == {"P1", "P2"})
    eventually(lambda: len(list(read(place.kafka, place.source.dead_letters))) == 1)
    (letter,) = read(place.kafka, place.source.dead_letters)
    headers = dict(letter.headers() or [])
    assert (letter.key(), letter.value()) == (b"raw", raw)
    assert headers["dlq_topic"] == place.source.name.encode()
    assert headers["dlq_code"] == b"UNKNOWN_SCHEMA"
    assert place.stop(worker) == 0
    assert place.committed() == 5


def test_reports_carry_the_trace(place: Workplace) -> None:
    pay_no = next(f"P{n}" for n in range(100) if not is_slow(f"P{n}"))
    place.request(pay_no)
    place.start()
    eventually(lambda: place.reported()[pay_no] == 1)
    (message,) = read(place.kafka, place.inbox.name)
    assert message.key() == pay_no.encode()
    traceparent = dict(message.headers() or [])["traceparent"]
    assert isinstance(traceparent, bytes)
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", traceparent.decode())
