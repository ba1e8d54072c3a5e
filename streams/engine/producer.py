"""The one producer of a worker: idempotent and gapless.

What is delivered to a partition is always a prefix of what was sent to it. librdkafka keeps that
promise with ``enable.gapless.guarantee`` and no message timeout; any delivery error ends the
process, because what was sent after the lost message must not count as delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from confluent_kafka import KafkaError, Producer

from streams.engine.records import Headers

_QUEUE_MESSAGES = 1_000_000  # 10 s of 100,000 messages/s: the broker may be away that long
_QUEUE_FULL_WAIT_S = 0.1


class GaplessProducer:
    """Sends outputs at once, in order per partition."""

    def __init__(
        self, kafka: str, on_error: Callable[[str], NoReturn], *, linger_ms: float = 2.0
    ) -> None:
        self._on_error = on_error
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                "acks": "all",
                "message.timeout.ms": 0,
                "linger.ms": linger_ms,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",  # Java's default: same key, same partition
                "queue.buffering.max.messages": _QUEUE_MESSAGES,
                "batch.num.messages": 20_000,
                "delivery.report.only.error": True,
                "on_delivery": self._delivered,
                "log_level": 3,  # errors; it warns at every start that the guarantee is young
                "error_cb": self._broken,
            }
        )

        # Its type stub wants a list of headers of a wider type, and lists are invariant.
        self._produce: Any = self._producer.produce

    def __call__(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Append a record to ``topic``; the key decides the partition. Blocks on a full queue."""
        while True:
            try:
                self._produce(topic, value, key, headers=headers)
            except BufferError:
                self._producer.poll(_QUEUE_FULL_WAIT_S)
            else:
                return

    def send_to(self, topic: str, partition: int, value: bytes) -> None:
        """Append a record without a key to a partition."""
        self._producer.produce(topic, value, partition=partition)

    def poll(self) -> None:
        """Serve delivery errors; call it often."""
        self._producer.poll(0)

    def drain(self, timeout_s: float) -> int:
        """Push everything out; return how many messages stay unacknowledged after the limit."""
        return int(self._producer.flush(timeout_s))

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._on_error(f"a message to {message.topic()} was not delivered: {error}")

    def _broken(self, error: KafkaError) -> None:
        if error.fatal():
            self._on_error(f"the producer is broken: {error}")
