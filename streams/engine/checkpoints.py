"""Checkpoints of one stage partition in Kafka: fence, load, write.

The transactional id names the stage and the partition, so the newest owner fences every older
one, and a paused worker that wakes cannot write over its successor's checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.codec import Codec
from schemas.stream import Progress
from streams.engine import changelog
from streams.engine.changelog import Change
from streams.engine.store import Store
from streams.kernel.stage import Stage

_TRANSACTION_TIMEOUT_S = 30.0
_READ_RECORDS = 10_000
_READ_WAIT_S = 0.05
_FENCED = (
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
)


class Fenced(Exception):
    """Another worker owns the partition now: this one must not go on with it."""


class CheckpointLog:
    """The changelog of one stage partition, owned from construction on.

    Constructing it fences every former owner; that takes up to a second, so do it in a thread.
    """

    def __init__(self, kafka: str, group: str, stage: Stage, topic: str, partition: int) -> None:
        self._kafka = kafka
        self._stage = stage
        self._topic = topic
        self._partition = partition
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "transactional.id": f"{group}-{stage.name}-{partition}",
                "transaction.timeout.ms": int(_TRANSACTION_TIMEOUT_S * 1000),
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 2_000_000,
                "batch.num.messages": 20_000,
            }
        )
        self._producer.init_transactions(_TRANSACTION_TIMEOUT_S)

    def load(self, codec: Codec, store: Store) -> Progress:
        """Fold the changelog into ``store``; return how far it got.

        Raises StageDefect when the newest checkpoint is torn, KafkaException when reading fails.
        """
        loader = changelog.Loader(self._stage, codec, store)
        consumer = Consumer(
            {
                "bootstrap.servers": self._kafka,
                "group.id": "unused: partitions are assigned by hand",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 5,
                "queued.max.messages.kbytes": 65_536,
            }
        )
        try:
            consumer.assign([TopicPartition(self._topic, self._partition, 0)])
            while True:
                for message in consumer.consume(_READ_RECORDS, _READ_WAIT_S):
                    error = message.error()
                    if error is None:
                        loader.take(message.key() or b"", message.value())
                    elif error.code() == KafkaError._PARTITION_EOF:
                        return loader.done()
                    else:
                        raise KafkaException(error)
        finally:
            consumer.close()

    def write(self, codec: Codec, changes: Iterable[Change], progress: Progress) -> int:
        """Write one checkpoint in one transaction; return its number of records.

        Raises Fenced when another worker owns the partition, KafkaException for anything else.
        """
        entries = changelog.encode(codec, changes, progress)
        try:
            self._producer.begin_transaction()
            for key, value in entries:
                self._producer.produce(self._topic, value, key, partition=self._partition)
            self._producer.commit_transaction(_TRANSACTION_TIMEOUT_S)
        except KafkaException as failure:
            if failure.args[0].code() in _FENCED:
                raise Fenced(f"{self._topic}/{self._partition}: {failure}") from failure
            raise
        return len(entries)
