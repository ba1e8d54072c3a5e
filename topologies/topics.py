"""Topics on a cluster: create what is declared, compare, identify."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.error import KafkaError

from schemas.topics import Topic

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class TopicState:
    """A declared topic as the cluster has it; ``partitions`` 0 means it is missing."""

    name: str
    partitions: int
    created: bool


class TopicsMissing(Exception):
    """Topics of this version are not on the cluster: ``orderstream topics create`` makes them."""


def create(
    kafka: str, topics: Iterable[Topic], *, partitions: int, replication: int
) -> list[TopicState]:
    """Create the topics that are missing; leave the others alone. Return all, in order."""
    admin = AdminClient({"bootstrap.servers": kafka})
    declared = list(topics)
    existing = admin.list_topics(timeout=_TIMEOUT_S).topics
    missing = [topic for topic in declared if topic.name not in existing]
    wanted = [NewTopic(t.name, partitions, replication, config=t.config) for t in missing]
    if wanted:  # the client refuses an empty list
        for future in admin.create_topics(wanted, operation_timeout=_TIMEOUT_S).values():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
    return [
        TopicState(
            topic.name,
            partitions if topic in missing else len(existing[topic.name].partitions),
            topic in missing,
        )
        for topic in declared
    ]


def partition_counts(kafka: str) -> dict[str, int]:
    """Return how many partitions each topic of the cluster has."""
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = admin.list_topics(timeout=_TIMEOUT_S).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}


def incarnations(kafka: str, names: Iterable[str]) -> dict[str, bytes]:
    """Return each topic's incarnation: the first 8 bytes of Kafka's topic id.

    Raises TopicsMissing when one does not exist.
    """
    admin = AdminClient({"bootstrap.servers": kafka})
    found: dict[str, bytes] = {}
    futures = admin.describe_topics(TopicCollection(list(names)), request_timeout=_TIMEOUT_S)
    for name, future in futures.items():
        try:
            topic_id = future.result().topic_id
        except KafkaException as error:
            raise TopicsMissing(
                f"topic {name} is not there ({error.args[0].str()}); run: orderstream topics create"
            ) from error
        bits = topic_id.get_most_significant_bits()
        found[name] = (bits & (1 << 64) - 1).to_bytes(8, "big")
    return found
