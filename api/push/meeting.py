"""Whether read model and window meet, or there are facts that neither of them has.

The window of a process begins a little before its start and forgets old facts; the writer of the
read model commits to Kafka what it has written. They meet when the writer's group is past the
window's begin on every partition.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.topics import ORDER_EVENTS

WRITER = "sink-redis"
"""The consumer group of the read model's writer."""

MARGIN_MS = 3_000
"""The window moves on after a look: it is taken to begin so much later."""

_LOOK_EVERY_S = 1.0
_TIMEOUT_S = 2.0

log = structlog.get_logger()


class Meeting:
    """Looks at the writer's progress, at most once a second and only when asked."""

    def __init__(
        self,
        kafka: str,
        complete_since_ms: Callable[[], int],
        group: str = WRITER,
        topic: str = ORDER_EVENTS.name,
    ) -> None:
        self._kafka = kafka
        self._complete_since_ms = complete_since_ms
        self._group = group
        self._topic = topic
        self._looking = asyncio.Lock()
        self._looked_at_s = float("-inf")
        self._is_behind = True

    async def is_behind(self) -> bool:
        """Say whether facts may be missing between the two; the last answer while Kafka is away."""
        async with self._looking:
            if time.monotonic() - self._looked_at_s >= _LOOK_EVERY_S:
                try:
                    self._is_behind = await asyncio.to_thread(self._look)
                except KafkaException as error:
                    log.warning("writer_unknown", why=str(error))
                self._looked_at_s = time.monotonic()
        return self._is_behind

    def _look(self) -> bool:
        since_ms = self._complete_since_ms() + MARGIN_MS
        consumer = Consumer({"bootstrap.servers": self._kafka, "group.id": self._group})
        try:
            about = consumer.list_topics(self._topic, _TIMEOUT_S).topics[self._topic]
            if about.error is not None:
                raise KafkaException(about.error)
            begins = [TopicPartition(self._topic, each, since_ms) for each in about.partitions]
            begins = consumer.offsets_for_times(begins, _TIMEOUT_S)
            places = [TopicPartition(self._topic, each.partition) for each in begins]
            written = consumer.committed(places, _TIMEOUT_S)
            return any(
                # No offset yet (a negative number) is before the first.
                max(0, done.offset) < self._offset(consumer, begin)
                for begin, done in zip(begins, written, strict=True)
            )
        finally:
            consumer.close()

    def _offset(self, consumer: Consumer, begin: TopicPartition) -> int:
        """Return where the window begins on a partition; nothing since then: at its end."""
        if begin.offset >= 0:
            return begin.offset
        return consumer.get_watermark_offsets(begin, _TIMEOUT_S)[1]
