"""Reading by hand on a real broker: bounded by the ends of now, or following them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.stack import Endpoints
from topologies.reading import Place, Reader, Span, read, spans

PARTITIONS = 3
Send = Callable[[int, int], None]


@pytest.fixture
def topic(stack: Endpoints) -> str:
    name = f"reading-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
    return name


@pytest.fixture
def send(stack: Endpoints, topic: str) -> Send:
    """Append records ``partition/n`` to a partition, n from 0."""
    producer = Producer({"bootstrap.servers": stack.kafka})

    def append(partition: int, count: int) -> None:
        for number in range(count):
            producer.produce(topic, f"{partition}/{number}".encode(), partition=partition)
        assert producer.flush(30) == 0

    return append


def by_partition(kafka: str, wanted: list[str] | dict[Place, Span]) -> dict[int, list[bytes]]:
    found = defaultdict(list)
    for message in read(kafka, wanted):
        found[message.partition()].append(message.value())
    return dict(found)  # type: ignore[arg-type]  # neither is None in a record that was read


def values(partition: int, numbers: range) -> list[bytes]:
    return [f"{partition}/{number}".encode() for number in numbers]


def test_every_partition_is_read_in_order_to_the_end_it_has_now(
    stack: Endpoints, topic: str, send: Send
) -> None:
    send(0, 25_000)  # more than one batch
    send(2, 10)

    assert spans(stack.kafka, [topic]) == {
        (topic, 0): (0, 25_000),
        (topic, 1): (0, 0),
        (topic, 2): (0, 10),
    }
    assert by_partition(stack.kafka, [topic]) == {
        0: values(0, range(25_000)),
        2: values(2, range(10)),
    }


def test_only_the_span_asked_for_is_read(stack: Endpoints, topic: str, send: Send) -> None:
    send(1, 100)

    assert by_partition(stack.kafka, {(topic, 1): Span(10, 20)}) == {1: values(1, range(10, 20))}


def test_a_topic_that_is_not_there_holds_nothing(stack: Endpoints) -> None:
    assert spans(stack.kafka, ["no-such-topic"]) == {}
    assert list(read(stack.kafka, ["no-such-topic"])) == []


def test_an_end_made_of_transaction_marks_is_an_end(stack: Endpoints, topic: str) -> None:
    producer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": topic})
    producer.init_transactions(30)
    for value, is_kept in ((b"kept", True), (b"aborted", False)):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.commit_transaction(30) if is_kept else producer.abort_transaction(30)

    assert by_partition(stack.kafka, [topic]) == {0: [b"kept"]}


def test_a_reader_that_follows_brings_what_comes_later_and_nothing_twice(
    stack: Endpoints, topic: str, send: Send
) -> None:
    send(0, 5)
    found = []
    with Reader(stack.kafka, {(topic, 0): 0}) as reader:
        while (topic, 0) not in reader.at_end:
            found += [message.value() for message in reader.batch()]
        reader.pause([(topic, 0)])
        send(0, 5)
        assert reader.batch(wait_s=0.3) == []
        reader.resume([(topic, 0)])
        while len(found) < 10:
            found += [message.value() for message in reader.batch()]

    assert found == values(0, range(5)) * 2


def test_what_retention_has_deleted_is_below_the_span(
    stack: Endpoints, topic: str, send: Send
) -> None:
    send(0, 10)
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    for future in admin.delete_records([TopicPartition(topic, 0, 4)]).values():
        future.result(30)

    assert spans(stack.kafka, [topic])[topic, 0] == Span(4, 10)
    assert by_partition(stack.kafka, [topic]) == {0: values(0, range(4, 10))}
