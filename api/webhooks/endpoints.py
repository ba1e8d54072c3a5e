"""The endpoints as every process sees them: the newest record of each of ``webhook.endpoints``.

The log is the truth, and it is small: a process reads it whole at its start and follows it. An
endpoint that was subscribed just now is known everywhere within some milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.record import Record
from schemas.topics import WEBHOOK_ENDPOINTS
from schemas.webhook import WebhookState, WebhookSubscribed, WebhookUnsubscribed

MAX_PER_SHOP = 20
"""Each fact of a shop is owed to all of its endpoints."""

_POLL_S = 0.1
_TIMEOUT_S = 10.0
_LOAD_TIMEOUT_S = 60.0
_RETRY_S = 1.0
_BATCH = 1_000

log = structlog.get_logger()


class EndpointsAway(Exception):
    """The endpoints could not be read to their end in time."""


class Endpoints:
    """The endpoints of all shops, kept up to date by a thread once it is started."""

    def __init__(self) -> None:
        self._by_id: dict[str, WebhookSubscribed] = {}
        self._by_shop: dict[int, tuple[WebhookSubscribed, ...]] = {}
        self._loaded = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, kafka: str, codec: Codec) -> None:
        """Begin to read all that there are, and follow them."""
        self._thread = threading.Thread(
            target=self._follow, args=(kafka, codec), name="webhook-endpoints", daemon=True
        )
        self._thread.start()

    def wait_loaded(self) -> None:
        """Return when all that there were at the start are known; raise EndpointsAway if late."""
        if not self._loaded.wait(_LOAD_TIMEOUT_S):
            raise EndpointsAway(
                f"{WEBHOOK_ENDPOINTS.name} was not read to its end in {_LOAD_TIMEOUT_S:g} s: is "
                "the broker up and does the topic exist (orderstream topics list)?"
            )

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def get(self, endpoint_id: str) -> WebhookSubscribed | None:
        """Return an endpoint; None when there is none (any more)."""
        return self._by_id.get(endpoint_id)

    def of_shop(self, shop_id: int) -> tuple[WebhookSubscribed, ...]:
        """Return a shop's endpoints, the oldest first."""
        return self._by_shop.get(shop_id, ())

    def enabled(self) -> list[WebhookSubscribed]:
        """Return the endpoints of all shops that are told anything."""
        return [e for e in list(self._by_id.values()) if e.state == WebhookState.ENABLED]

    def __len__(self) -> int:
        return len(self._by_id)

    def take(self, record: Record) -> None:
        """Take in a record; the process that wrote it does so at once. A repeat changes nothing."""
        if not isinstance(record, WebhookSubscribed | WebhookUnsubscribed):
            return
        others = [e for e in self.of_shop(record.shop_id) if e.endpoint_id != record.endpoint_id]
        if isinstance(record, WebhookSubscribed):
            self._by_id[record.endpoint_id] = record
            others = sorted((*others, record), key=lambda e: (e.created_at_ms, e.endpoint_id))
        else:
            self._by_id.pop(record.endpoint_id, None)
        self._by_shop[record.shop_id] = tuple(others)

    def _follow(self, kafka: str, codec: Codec) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "unused: partitions are assigned by hand",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "log_level": 3,
            }
        )
        try:
            unread = self._assigned(consumer)
            while not self._stopping.is_set():
                unread -= self._read(consumer, codec)
                if not unread:
                    self._loaded.set()
        finally:
            consumer.close()

    def _assigned(self, consumer: Consumer) -> set[int]:
        """Read all partitions from now on, as soon as the broker tells which there are."""
        name = WEBHOOK_ENDPOINTS.name
        while not self._stopping.is_set():
            try:
                about = consumer.list_topics(name, _TIMEOUT_S).topics[name]
                if about.error is not None:
                    raise KafkaException(about.error)
            except KafkaException as error:
                log.warning("endpoints_unreadable", why=str(error))
                self._stopping.wait(_RETRY_S)
                continue
            consumer.assign([TopicPartition(name, partition, 0) for partition in about.partitions])
            return set(about.partitions)
        return set()

    def _read(self, consumer: Consumer, codec: Codec) -> set[int]:
        """Take in a batch; return the partitions that are read to their end."""
        batch: Sequence[Message] = consumer.consume(_BATCH, _POLL_S)
        at_end = set()
        for message in batch:
            error = message.error()
            if error is None:
                self._take_value(codec, message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition() or 0)
            else:
                # What is known stands while the broker is away; the client asks again by itself.
                log.warning("endpoints_unreadable", why=str(error))
        return at_end

    def _take_value(self, codec: Codec, value: bytes | None) -> None:
        try:
            self.take(codec.decode(value))
        except (InvalidMessage, Retryable) as error:
            log.warning("endpoint_unreadable", why=str(error))
