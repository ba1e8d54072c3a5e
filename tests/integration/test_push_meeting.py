"""Whether the read model's writer has come as far as the window begins, asked of a real broker."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from api.push import meeting
from api.push.meeting import MARGIN_MS, Meeting
from deploy.stack import Endpoints
from schemas.topics import Kind, Topic
from topologies.topics import create

T0_MS = 1_790_000_000_000


class Writer:
    """A topic of two partitions with a fact a second, and the group that writes them."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self.name = f"meeting-{uuid.uuid4().hex[:8]}.events"
        topic = Topic(self.name, Kind.EVENTS, "order_no", ())
        create(kafka, (topic,), partitions=2, replication=1)
        producer = Producer({"bootstrap.servers": kafka})
        for second in range(10):
            for partition in (0, 1):
                producer.produce(
                    self.name, b"fact", partition=partition, timestamp=T0_MS + second * 1_000
                )
        producer.flush(10)

    def wrote(self, *offsets: int) -> None:
        """Commit offsets as the writer does, of partition 0, 1."""
        group = Consumer({"bootstrap.servers": self.kafka, "group.id": self.name})
        places = [TopicPartition(self.name, number, at) for number, at in enumerate(offsets)]
        group.commit(offsets=places, asynchronous=False)
        group.close()

    def is_behind(self, since_ms: int) -> bool:
        """Ask anew."""
        found = Meeting(self.kafka, lambda: since_ms - MARGIN_MS, self.name, self.name)
        return asyncio.run(found.is_behind())


@pytest.fixture(scope="module")
def writer(stack: Endpoints) -> Writer:
    return Writer(stack.kafka)


def test_the_writer_is_behind_until_it_has_reached_the_windows_begin_everywhere(
    writer: Writer,
) -> None:
    begin_ms = T0_MS + 5_000
    assert writer.is_behind(begin_ms)  # it has written nothing
    writer.wrote(5, 4)
    assert writer.is_behind(begin_ms)
    writer.wrote(5, 5)
    assert not writer.is_behind(begin_ms)
    assert writer.is_behind(begin_ms + 1)


def test_where_nothing_happened_since_the_window_began_all_has_to_be_written(
    writer: Writer,
) -> None:
    writer.wrote(9, 10)
    assert writer.is_behind(T0_MS + 60_000)
    writer.wrote(10, 10)
    assert not writer.is_behind(T0_MS + 60_000)


def test_while_kafka_is_away_the_last_answer_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_TIMEOUT_S", 0.2)
    nobody = Meeting("127.0.0.1:1", lambda: T0_MS)
    assert asyncio.run(nobody.is_behind())
