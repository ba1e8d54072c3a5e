"""Rebuilds the read model from Kafka while everything runs; `sinks.redis.rebuild` says how."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from schemas.registry import connected_codec
from sinks.facts import FactReader
from sinks.redis.keeping import Keeping
from sinks.redis.rebuild import Rebuild
from sinks.redis.sink import RedisSink
from topologies import reading
from topologies.reading import Place, Span

_BATCH_FACTS = 2_000


class Rebuilt(NamedTuple):
    """What a rebuild did: facts written, keys put in place."""

    facts: int
    keys: int


def rebuild_read_model(
    kafka: str,
    registry: str,
    redis: str,
    keeping: Keeping | None = None,
    *,
    prefix: str = "",
    told: Callable[[int], None] = lambda _: None,
) -> Rebuilt:
    """Rebuild the read model at ``redis`` (a URL); ``told`` hears how many facts were written.

    Raises KafkaException, ReadStalled, SchemasMissing, Retryable, UnreadableFact, StoreAway and
    RebuildLost; the read model that was there is as it was then, or swapped in part.
    """
    wanted = [topic.name for topic in RedisSink.topics]
    kinds = [kind for topic in RedisSink.topics for kind in topic.records]
    reader = FactReader(connected_codec(registry, kinds), RedisSink.records)
    rebuild = Rebuild(redis, keeping, prefix)
    written = 0

    def write(spans: dict[Place, Span]) -> None:
        nonlocal written
        messages = reading.read(kafka, spans)
        while batch := list(islice(messages, _BATCH_FACTS)):
            facts = reader.read(batch)
            rebuild.write(facts)
            written += len(facts)
            told(written)

    try:
        first = reading.spans(kafka, wanted)
        write(first)
        rebuild.hold()
        now = reading.spans(kafka, wanted)
        write({at: Span(first[at].end, span.end) for at, span in now.items()})
        swapped = rebuild.swap()
    finally:
        rebuild.close()
    return Rebuilt(written, swapped)
