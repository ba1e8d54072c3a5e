"""Appending few records by hand: each is on the log before anything else happens."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

_LIMIT_S = 30.0


class Appender:
    """Appends records to topics at ``kafka`` (host:port), one after the other."""

    def __init__(self, kafka: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",  # Java's default: same key, same partition
                "compression.type": "lz4",
                "log_level": 2,
            }
        )

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]] = (),
        partition: int | None = None,
    ) -> Message:
        """Append a record and return it with its place; without ``partition`` the key decides.

        Raises KafkaException when the broker does not take it within 30 s.
        """
        reports: list[tuple[KafkaError | None, Message]] = []
        self._producer.produce(
            topic,
            value,
            key,
            -1 if partition is None else partition,
            headers=list(headers),
            on_delivery=lambda error, message: reports.append((error, message)),
        )
        self._producer.flush(_LIMIT_S)
        if not reports:
            raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT))
        error, message = reports[0]
        if error is not None:
            raise KafkaException(error)
        return message
