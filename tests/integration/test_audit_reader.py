"""The auditor's reader on real servers: everything, in order, or an error that says what to do."""

from __future__ import annotations

import io
import json
import struct
import uuid
from collections.abc import Iterator
from typing import Any

import fastavro
import httpx2
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.stack import Endpoints
from tests.unit.audit.history import cause
from topologies.audit import reader
from topologies.audit.reader import ReadError, read_facts, wait_quiet

PARTITIONS = 3
SCHEMA = {
    "type": "record",
    "name": "StockReceived",
    "namespace": "outside.audit",
    "fields": [{"name": "sku_id", "type": "long"}, {"name": "ref", "type": "string"}],
}


class Facts:
    """A topic of its own, and a schema that only the registry knows."""

    def __init__(self, stack: Endpoints) -> None:
        self.stack = stack
        self.topic = f"audit-{uuid.uuid4().hex}"
        self.admin = AdminClient({"bootstrap.servers": stack.kafka})
        self.admin.create_topics([NewTopic(self.topic, PARTITIONS)])[self.topic].result()
        answer = httpx2.post(
            f"{stack.registry}/subjects/outside.audit.StockReceived/versions",
            json={"schema": json.dumps(SCHEMA)},
            trust_env=False,
        )
        self.schema_id: int = answer.raise_for_status().json()["id"]
        self._producer = Producer({"bootstrap.servers": stack.kafka})

    def value(self, **fields: Any) -> bytes:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(SCHEMA), fields)
        return struct.pack(">bI", 0, self.schema_id) + body.getvalue()

    def add(self, partition: int, value: bytes | None, offset: int = 0) -> None:
        headers: list[tuple[str, str | bytes | None]] = [*cause(offset)]
        self._producer.produce(self.topic, value, partition=partition, headers=headers)
        assert self._producer.flush(10) == 0

    def read(self, **options: Any) -> list[reader.RawFact]:
        return list(read_facts(self.stack.kafka, self.stack.registry, [self.topic], **options))


@pytest.fixture
def facts(stack: Endpoints) -> Iterator[Facts]:
    made = Facts(stack)
    yield made
    made.admin.delete_topics([made.topic])[made.topic].result()


def test_every_fact_is_read_in_the_order_of_its_partition(facts: Facts) -> None:
    for n in range(30):
        facts.add(n % 2, facts.value(sku_id=n, ref=f"r{n}"), offset=n)  # one partition stays empty
    told: list[tuple[int, int]] = []

    found = facts.read(progress=lambda done, total: told.append((done, total)))

    assert len(found) == 30
    for partition in (0, 1):
        of_partition = [fact for fact in found if fact.partition == partition]
        assert [fact.offset for fact in of_partition] == list(range(15))
        assert [fact.fields["sku_id"] for fact in of_partition] == list(range(partition, 30, 2))
    first = found[0]
    assert first.name == "StockReceived"
    assert first.headers == cause(first.fields["sku_id"])
    assert told[-1] == (30, 30)


def test_what_comes_after_the_start_is_left_for_the_next_time(facts: Facts) -> None:
    facts.add(0, facts.value(sku_id=1, ref="a"))
    reading = read_facts(facts.stack.kafka, facts.stack.registry, [facts.topic])
    assert next(reading).fields == {"sku_id": 1, "ref": "a"}
    facts.add(0, facts.value(sku_id=2, ref="b"))

    assert list(reading) == []
    assert [fact.fields["sku_id"] for fact in facts.read()] == [1, 2]


def test_an_empty_topic_has_no_facts(facts: Facts) -> None:
    assert facts.read() == []


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\x01\x00\x00\x00\x01x"])
def test_what_is_not_avro_cannot_be_read(facts: Facts, value: bytes | None) -> None:
    facts.add(1, value)

    with pytest.raises(ReadError, match=f"{facts.topic}/1/0 is not Avro"):
        facts.read()


def test_a_value_that_is_cut_off_cannot_be_read(facts: Facts) -> None:
    facts.add(0, facts.value(sku_id=1, ref="abc")[:-2])

    with pytest.raises(ReadError, match="is not the StockReceived"):
        facts.read()


def test_a_schema_that_the_registry_does_not_have_is_named(facts: Facts) -> None:
    facts.add(0, b"\x00\x7f\xff\xff\xff\x02")

    with pytest.raises(ReadError, match="no schema 2147483647"):
        facts.read()


def test_a_history_without_its_beginning_is_not_judged(facts: Facts) -> None:
    for n in range(5):
        facts.add(0, facts.value(sku_id=n, ref=""))
    cut = TopicPartition(facts.topic, 0, 3)
    facts.admin.delete_records([cut])[cut].result()

    with pytest.raises(ReadError, match=r"first 3 facts .* are gone"):
        facts.read()


def test_a_missing_topic_and_a_broker_that_is_away_are_named(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReadError, match="no topic nowhere"):
        list(read_facts(facts.stack.kafka, facts.stack.registry, ["nowhere"]))
    monkeypatch.setattr(reader, "_TIMEOUT_S", 0.5)
    with pytest.raises(ReadError, match="--kafka"):
        list(read_facts("127.0.0.1:1", facts.stack.registry, [facts.topic]))


def test_quiet_is_when_nothing_was_added_for_a_while(facts: Facts) -> None:
    where = facts.stack.kafka

    assert wait_quiet(where, quiet_s=0.3, timeout_s=10, topics=[facts.topic])
    assert not wait_quiet(where, quiet_s=60, timeout_s=0.5, topics=[facts.topic])
