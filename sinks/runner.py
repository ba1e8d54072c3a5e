"""The one loop of every sink: from Kafka to its store, at least once and in order.

In this order, and no other:

1. **Poll.** Wait for a message, then take what comes within ``linger_s``, ``batch_records`` at
   most: a fact alone is written within ``linger_s``, many facts are written together.
2. **Read.** Decode the facts of the types that the sink takes (`sinks.facts`).
3. **Write.** When the store is away, partitions are paused, polling goes on (so the group keeps
   this process), and the same facts are written after a backoff. Nothing comes between.
4. **Note** the offsets: what is below them is in the store.
5. **Commit** the noted offsets, once a second, before a partition is given away, and at the end.

A crash anywhere repeats from the last commit, and writing again changes nothing (`sinks.sink`).
More processes of one sink share its partitions.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec
from schemas.errors import Retryable
from sinks.facts import FactReader
from sinks.metrics import SinkMetrics
from sinks.sink import Fact, Sink, StoreAway

log = structlog.get_logger("sink")

_IDLE_WAIT_S = 0.2  # how long a signal to stop may wait
_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 5.0


@dataclass(frozen=True)
class RunnerSettings:
    """How one sink runs."""

    kafka: str
    batch_records: int = 1_000
    linger_s: float = 0.02
    commit_interval_s: float = 1.0
    session_timeout_s: float = 6.0


class Runner:
    """Runs ``sink`` in the consumer group ``sink-<name>``."""

    def __init__(
        self, sink: Sink, codec: Codec, settings: RunnerSettings, metrics: SinkMetrics
    ) -> None:
        self._sink = sink
        self._settings = settings
        self._metrics = metrics
        metrics.expect(sink.records)
        self._reader = FactReader(codec, sink.records)
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka,
                "group.id": f"sink-{sink.name}",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(settings.session_timeout_s * 1000),
                "heartbeat.interval.ms": int(settings.session_timeout_s * 1000 / 3),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "log_level": 3,
            }
        )
        self._stop = threading.Event()
        self._written: dict[tuple[str, int], int] = {}  # the next offset of each partition
        self._uncommitted: set[tuple[str, int]] = set()
        self._held: deque[Message] = deque()  # came while the store was away
        self._is_paused = False

    def stop(self) -> None:
        """Let ``run`` return soon; for signal handlers and other threads."""
        self._stop.set()

    def run(self) -> None:
        """Run until ``stop``; then commit what was written, and close the sink.

        Raises UnreadableFact, KafkaException, and whatever else the sink raises; nothing that was
        not written is committed then.
        """
        topics = [topic.name for topic in self._sink.topics]
        self._consumer.subscribe(
            topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        committed_s = time.monotonic()
        try:
            while not self._stop.is_set():
                self._turn()
                if time.monotonic() - committed_s >= self._settings.commit_interval_s:
                    self._commit(asynchronous=True)
                    self._metrics.lag.set(self._lag())
                    committed_s = time.monotonic()
            self._commit(asynchronous=False)
            log.info("stopped", sink=self._sink.name)
        finally:
            self._consumer.close()
            self._sink.close()

    def _turn(self) -> None:
        messages = self._poll()
        if not messages:
            return
        facts = self._insist(messages)
        if facts is None:  # told to stop before they were written
            return
        for message in messages:
            at = cast(str, message.topic()), cast(int, message.partition())
            if at in self._written:  # it may have been given away since
                self._written[at] = cast(int, message.offset()) + 1
                self._uncommitted.add(at)
        self._metrics.took(facts)
        self._metrics.passed_over.inc(len(messages) - len(facts))

    def _poll(self) -> list[Message]:
        if self._held:
            held = list(self._held)
            self._held.clear()
            return held
        first = self._consumer.poll(_IDLE_WAIT_S)
        if first is None:
            return []
        settings = self._settings
        more = self._consumer.consume(settings.batch_records - 1, settings.linger_s)
        return [message for message in (first, *more) if _is_good(message)]

    def _insist(self, messages: Sequence[Message]) -> list[Fact] | None:
        """Write the facts in ``messages``, however long it takes; None: told to stop before."""
        backoff_s = _FIRST_BACKOFF_S
        while not self._stop.is_set():
            try:
                facts = self._reader.read(messages)
                self._write(facts)
            except (StoreAway, Retryable) as away:
                log.warning("away", sink=self._sink.name, why=str(away), wait_s=backoff_s)
                self._metrics.away.inc()
                self._wait(backoff_s)
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                self._resume()
                return facts
        return None

    def _write(self, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        with self._metrics.write.time():
            self._sink.write(facts)
        oldest_ms = min(fact.timestamp_ms for fact in facts)
        self._metrics.freshness.observe(max(0.0, time.time() - oldest_ms / 1000))

    def _wait(self, wait_s: float) -> None:
        """Let time pass, polling: else the group would take this process for dead."""
        if not self._is_paused:
            self._is_paused = True
            self._consumer.pause(self._consumer.assignment())
        until_s = time.monotonic() + wait_s
        while not self._stop.is_set() and (left_s := until_s - time.monotonic()) > 0:
            message = self._consumer.poll(min(left_s, _IDLE_WAIT_S))
            if message is not None and _is_good(message):
                self._held.append(message)

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._consumer.resume(self._consumer.assignment())
            log.info("back", sink=self._sink.name)

    # --- offsets and partitions ------------------------------------------------------------------

    def _commit(self, *, asynchronous: bool) -> None:
        offsets = [TopicPartition(*at, self._written[at]) for at in sorted(self._uncommitted)]
        self._uncommitted.clear()
        if not offsets:
            return
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # What is written is written: whoever reads it again changes nothing.
            log.warning("not_committed", sink=self._sink.name, why=str(error))

    def _lag(self) -> int:
        """Return how many records are in Kafka and not in the store, as last heard of."""
        lag = 0
        for (topic, partition), offset in self._written.items():
            place = TopicPartition(topic, partition)
            if offset >= 0:
                _, end = self._consumer.get_watermark_offsets(place, cached=True)
                lag += max(0, end - offset)
        return lag

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        if self._is_paused:
            consumer.pause(partitions)
        self._written.update({(p.topic, p.partition): -1 for p in partitions})
        log.info("assigned", sink=self._sink.name, partitions=len(self._written))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._commit(asynchronous=False)
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for place in partitions:
            self._written.pop((place.topic, place.partition), None)
            self._uncommitted.discard((place.topic, place.partition))
        consumer.incremental_unassign(partitions)


def _is_good(message: Message) -> bool:
    """Say whether it is a record; raise KafkaException for what does not mend by itself."""
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._PARTITION_EOF or error.retriable():
        return False
    raise KafkaException(error)
