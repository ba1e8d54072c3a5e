"""Reads public facts from Kafka as any outside reader would.

A value is in Confluent's wire format: 0x00, the 4-byte big-endian schema id, the Avro body. The
schema comes from the registry by that id, and fastavro decodes the body.
"""

from __future__ import annotations

import gc
import io
import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import fastavro
import httpx2
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from topologies.audit.auditor import Auditor, Verdict

TOPICS = ("order.events", "payment.events", "inventory.events", "promotion.events")
"""What is read. The ends are asked for in this order: a fact of an order follows those facts of the
others that led to it, so they are inside the cut as well."""

Schemas = Callable[[int], Any]
"""Schema id -> schema as parsed by fastavro; raises ReadError when there is none."""
Progress = Callable[[int, int], None]
"""Told (records read, records to read) after each batch."""

_PREFIX_BYTES = 5
_BATCH = 5_000  # records a call, ~300 bytes each: 1.5 MB
_BATCH_WAIT_S = 0.1
_TIMEOUT_S = 10.0
_STALL_S = 30.0  # longer than a broker's restart
_POLL_S = 0.2


class ReadError(Exception):
    """The facts cannot be read; the message says why and what to do."""


class RawFact(NamedTuple):
    """A fact: its place, its Kafka headers, its record name without namespace, its fields."""

    topic: str
    partition: int
    offset: int
    headers: Sequence[tuple[str, bytes | None]] | None
    name: str
    fields: dict[str, Any]


def audit(
    kafka: str,
    registry: str | Schemas,
    final: bool = False,
    expected: Collection[str] | int | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Read all public facts there are now at ``kafka`` (host:port) and judge them.

    ``final``, ``expected``: see `Auditor.verdict`. Raises ReadError.
    """
    auditor = Auditor()
    take = auditor.take
    facts = read_facts(kafka, registry, TOPICS, progress)
    with _no_collections():
        for topic, partition, offset, headers, name, fields in facts:
            take(topic, partition, headers, name, fields, offset)
    return auditor.verdict(final, expected)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Spare the garbage collector: the books grow by millions of objects, none in a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def registry_schemas(url: str) -> Schemas:
    """Return the schemas of the registry whose Confluent-compatible interface is at ``url``."""
    parsed: dict[int, Any] = {}

    def schema(schema_id: int) -> Any:
        if schema_id not in parsed:
            try:
                answer = httpx2.get(
                    f"{url.rstrip('/')}/schemas/ids/{schema_id}",
                    timeout=_TIMEOUT_S,
                    trust_env=False,
                )
                text = answer.raise_for_status().json()["schema"]
                parsed[schema_id] = fastavro.parse_schema(json.loads(text))
            except (httpx2.HTTPError, ValueError, KeyError) as error:
                raise ReadError(
                    f"the registry at {url} has no schema {schema_id}: {error}; name the registry "
                    "of these facts by --registry or ORDERSTREAM_REGISTRY"
                ) from error
        return parsed[schema_id]

    return schema


def read_facts(
    kafka: str,
    registry: str | Schemas,
    topics: Sequence[str] = TOPICS,
    progress: Progress | None = None,
) -> Iterator[RawFact]:
    """Yield every fact from the beginning of ``topics`` to the ends they have now.

    In order within a partition, partitions mixed; facts that were sent again are yielded too.
    ``registry``: its URL, or the schemas by id. Raises ReadError, also when retention has already
    deleted the beginning.
    """
    schemas = registry_schemas(registry) if isinstance(registry, str) else registry
    decoders: dict[bytes, tuple[str, Any]] = {}
    reader, stream_of = fastavro.schemaless_reader, io.BytesIO
    for topic, partition, offset, message in _messages(kafka, topics, progress):
        value = message.value()
        if value is None or len(value) < _PREFIX_BYTES or value[0] != 0:
            raise ReadError(f"{topic}/{partition}/{offset} is not Avro in Confluent's wire format")
        prefix = value[:_PREFIX_BYTES]
        decoder = decoders.get(prefix)
        if decoder is None:
            schema = schemas(int.from_bytes(prefix[1:], "big"))
            decoder = decoders[prefix] = (schema["name"].rpartition(".")[2], schema)
        name, schema = decoder
        try:
            fields = cast("dict[str, Any]", reader(stream_of(value[_PREFIX_BYTES:]), schema, None))
        except (EOFError, ValueError, IndexError) as error:
            where = f"{topic}/{partition}/{offset}"
            raise ReadError(f"{where} is not the {name} that it says it is: {error}") from error
        headers = cast("Sequence[tuple[str, bytes | None]] | None", message.headers())
        yield RawFact(topic, partition, offset, headers, name, fields)


def wait_quiet(
    kafka: str,
    quiet_s: float = 2.0,
    timeout_s: float = 120.0,
    topics: Sequence[str] = TOPICS,
) -> bool:
    """Wait until no fact was added for ``quiet_s``; False when ``timeout_s`` passes first."""
    consumer = _consumer(kafka)
    try:
        deadline = time.monotonic() + timeout_s
        ends, since = _ends(consumer, topics), time.monotonic()
        while time.monotonic() < deadline:
            time.sleep(_POLL_S)
            now = _ends(consumer, topics)
            if now != ends:
                ends, since = now, time.monotonic()
            elif time.monotonic() - since >= quiet_s:
                return True
        return False
    finally:
        consumer.close()


def _messages(
    kafka: str, topics: Sequence[str], progress: Progress | None
) -> Iterator[tuple[str, int, int, Message]]:
    """Yield (topic, partition, offset, message) from the beginning to the ends of now."""
    consumer = _consumer(kafka)
    try:
        ends = _ends(consumer, topics)
        left = {where: end for where, end in ends.items() if end > 0}
        total, done = sum(left.values()), 0
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in left])
        heard = time.monotonic()
        while left:
            batch = consumer.consume(_BATCH, _BATCH_WAIT_S)
            finished = []
            for message in batch:
                where = cast("tuple[str, int]", (message.topic(), message.partition()))
                error = message.error()
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise ReadError(f"reading {where[0]}/{where[1]}: {error.str()}")
                    finished.append(where)
                    continue
                offset, end = cast("int", message.offset()), ends[where]
                if offset < end:
                    done += 1
                    yield *where, offset, message
                if offset >= end - 1:
                    finished.append(where)
            for where in finished:
                if left.pop(where, None) is not None:
                    consumer.incremental_unassign([TopicPartition(*where)])
            if progress is not None:
                progress(done, total)
            if batch:
                heard = time.monotonic()
            elif time.monotonic() - heard > _STALL_S:
                raise ReadError(f"nothing came from {kafka} for {_STALL_S:g} s: is it still up?")
    except KafkaException as error:
        raise ReadError(f"Kafka at {kafka}: {error}") from error
    finally:
        consumer.close()


def _consumer(kafka: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "orderstream-audit",  # required, but never joined or committed to
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 4 << 20,
            "log_level": 2,
        }
    )


def _ends(consumer: Consumer, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """Return the end offset of each partition; raise ReadError unless all begin at 0."""
    found = {}
    try:
        for topic in topics:
            about = consumer.list_topics(topic, _TIMEOUT_S).topics[topic]
            if about.error is not None:
                raise ReadError(f"there is no topic {topic}: {about.error.str()}")
            for partition in sorted(about.partitions):
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), _TIMEOUT_S
                )
                if low > 0:
                    raise ReadError(
                        f"the first {low} facts of {topic}/{partition} are gone (retention): a "
                        "history can be judged only from its beginning"
                    )
                found[topic, partition] = high
    except KafkaException as error:
        raise ReadError(
            f"Kafka does not answer ({error}); name it by --kafka or ORDERSTREAM_KAFKA"
        ) from error
    return found
