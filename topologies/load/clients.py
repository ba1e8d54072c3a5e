"""The load's Kafka clients: a producer that no load outruns, and readers that start at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import httpx2
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import PREFIX_BYTES, Codec
from schemas.record import Record
from schemas.registry import connected_codec

_TIMEOUT_S = 10.0
_QUEUE_MESSAGES = 1_000_000  # ~300 bytes each: 300 MB at most
BATCH = 2_000
BATCH_WAIT_S = 0.005


class LoadError(Exception):
    """The load cannot go on; the message says why and what to do."""


class Where(NamedTuple):
    """The system under load: ``kafka`` is host:port, and the codec of its registry."""

    kafka: str
    codec: Codec


def connect(kafka: str, registry: str) -> Where:
    """Return the system at these addresses.

    Raises LoadError when one of them does not answer, SchemasMissing when schemas have yet to be
    registered.
    """
    _ask_registry(registry)
    _ask_kafka(kafka)
    return Where(kafka, connected_codec(registry))


def _ask_registry(url: str) -> None:
    try:
        httpx2.get(f"{url}/subjects", timeout=_TIMEOUT_S, trust_env=False).raise_for_status()
    except httpx2.HTTPError as error:
        raise LoadError(f"the schema registry at {url} does not answer: {error}") from error


def _ask_kafka(kafka: str) -> None:
    """Ask before anything is sent: a producer would hold its records and wait for minutes."""
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    try:
        client.list_topics(timeout=_TIMEOUT_S)
    except KafkaException as error:
        raise LoadError(f"Kafka at {kafka} does not answer: {error}") from error


class Sender:
    """Produces records; a record that cannot be delivered is an error, never a silence."""

    def __init__(self, where: Where) -> None:
        self.encode = where.codec.encode
        self._failure: KafkaError | None = None
        producer = Producer(
            {
                "bootstrap.servers": where.kafka,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": _QUEUE_MESSAGES,
                # Called back for failures only: a call for each of thousands a second costs.
                "delivery.report.only.error": True,
                "on_delivery": self._not_delivered,
                "log_level": 2,  # what matters is raised
            }
        )
        self.produce = producer.produce
        self._producer = producer

    def poll(self) -> None:
        """Let the client work; raise LoadError when a record was not delivered."""
        self._producer.poll(0)
        if self._failure is not None:
            raise LoadError(f"a record could not be delivered: {self._failure.str()}")

    def flush(self) -> None:
        """Wait until all is delivered; raise LoadError when it is not in a minute."""
        left = self._producer.flush(60.0)
        self.poll()
        if left:
            raise LoadError(f"{left} records could not be delivered in a minute: is Kafka up?")

    def _not_delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = error


class Reader:
    """Reads ``topics`` from the end they had when the reader was made, and from ``places``."""

    def __init__(
        self, where: Where, topics: Sequence[str], places: Sequence[TopicPartition] = ()
    ) -> None:
        self._consumer = _consumer(where)
        self._consumer.assign([*ends(where, topics), *places])

    def read(self, wait_s: float = BATCH_WAIT_S) -> list[Message]:
        """Return up to 2,000 messages, waiting at most ``wait_s`` for them to be so many."""
        batch = self._consumer.consume(BATCH, wait_s)
        for message in batch:
            error = message.error()
            if error is not None:
                raise LoadError(f"reading {message.topic()}: {error.str()}")
        return batch

    def read_soon(self, wait_s: float) -> list[Message]:
        """Return what is there; when nothing is, what comes first within ``wait_s``."""
        batch = self.read(0.0)
        if not batch and wait_s > 0:
            first = self._consumer.poll(wait_s)
            if first is not None:
                error = first.error()
                if error is not None:
                    raise LoadError(f"reading {first.topic()}: {error.str()}")
                batch = [first, *self.read(0.0)]
        return batch

    def close(self) -> None:
        """Leave; the reader cannot be used any more."""
        self._consumer.close()


def ends(where: Where, topics: Sequence[str]) -> list[TopicPartition]:
    """Return the end of every partition of ``topics``; LoadError when there is no such topic."""
    if not topics:
        return []
    consumer = _consumer(where)
    places = []
    try:
        for topic in topics:
            about = consumer.list_topics(topic, _TIMEOUT_S).topics[topic]
            if about.error is not None:
                raise LoadError(f"there is no topic {topic}; run: orderstream topics create")
            for partition in about.partitions:
                place = TopicPartition(topic, partition)
                place.offset = consumer.get_watermark_offsets(place, _TIMEOUT_S)[1]
                places.append(place)
    except KafkaException as error:
        raise LoadError(f"Kafka at {where.kafka} does not answer: {error}") from error
    finally:
        consumer.close()
    return places


def _consumer(where: Where) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": where.kafka,
            "group.id": "orderstream-load",  # required, but never joined or committed to
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "log_level": 2,  # what matters is raised
        }
    )


class Kinds:
    """Tells the type of a record by the schema id in its first bytes; decodes each id once."""

    def __init__(self, codec: Codec) -> None:
        self._decode = codec.decode
        self._known: dict[bytes, type[Record]] = {}

    def __call__(self, value: bytes) -> type[Record]:
        """Return the type of the record in ``value``; raises as `Codec.decode`."""
        kind = self._known.get(value[:PREFIX_BYTES])
        if kind is None:
            kind = self._known[value[:PREFIX_BYTES]] = type(self._decode(value))
        return kind


def run_name() -> str:
    """Return a name for a run that no other run has: the time in hex, 12 digits."""
    return f"{time.time_ns() // 1_000_000:012x}"
