"""The webhook worker: owes the order facts to the shops' endpoints, and delivers what is owed.

The order of things that loses no fact, for each batch of ``order.events``:

1. its facts are owed in Redis, while Redis is away again and again; the group goes on polling, so
   that it keeps its partitions, and what it is given meanwhile waits behind;
2. when all are owed, the offsets behind the batch are committed.

A batch that was owed and not committed is read again and owed nothing more: the queue knows up to
which offset it was owed. Workers of one group share the partitions, and all deliver.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from redis import RedisError
from redis.asyncio import Redis

from api.webhooks.delivery import Deliverer, DeliverySettings, webhook_client
from api.webhooks.endpoints import Endpoints
from api.webhooks.queue import DeliveryQueue
from api.webhooks.routing import Router
from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.registry import connected_codec
from schemas.topics import ORDER_EVENTS, WEBHOOK_ENDPOINTS
from schemas.webhook import WebhookSubscribed
from sinks.sink import Fact
from topologies.appending import Appender
from topologies.topics import incarnations

_BATCH = 1_000
_POLL_S = 0.1
_BACKOFF_S = 0.5
_SESSION_MS = 6_000
_REDIS_TIMEOUT_S = 5.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Servers:
    """Addresses: host:port, the registry's base URL, and a redis:// URL."""

    kafka: str
    registry: str
    redis: str


def run_webhooks(servers: Servers, group: str, settings: DeliverySettings) -> None:
    """Route and deliver until SIGTERM or SIGINT.

    Raises SchemasMissing or TopicsMissing when the cluster lacks something, EndpointsAway and
    KafkaException when it cannot be read.
    """
    asyncio.run(_run(servers, group, settings))


async def _run(servers: Servers, group: str, settings: DeliverySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    codec = connected_codec(servers.registry, (*ORDER_EVENTS.records, *WEBHOOK_ENDPOINTS.records))
    known = incarnations(servers.kafka, (ORDER_EVENTS.name,))
    endpoints = Endpoints()
    endpoints.start(servers.kafka, codec)
    try:
        await asyncio.to_thread(endpoints.wait_loaded)
        redis = Redis.from_url(servers.redis, socket_timeout=_REDIS_TIMEOUT_S)
        async with redis, webhook_client(settings.allows_local) as client:
            queue = DeliveryQueue(redis)
            publisher = _Publisher(servers.kafka, codec)
            deliverer = Deliverer(endpoints, queue, client, publisher.publish, settings)
            router = Router(endpoints, queue, known, deliverer.wake)
            reading = _Reading(servers.kafka, group, codec, router, endpoints)
            async with asyncio.TaskGroup() as parts:
                parts.create_task(reading.run(stop))
                parts.create_task(deliverer.run(stop))
    finally:
        endpoints.stop()


class _Reading:
    """Reads the facts and gives them to the router; a thread polls and commits."""

    def __init__(
        self, kafka: str, group: str, codec: Codec, router: Router, endpoints: Endpoints
    ) -> None:
        self._group = group
        self._codec = codec
        self._router = router
        self._endpoints = endpoints
        self._thread = ThreadPoolExecutor(1, "webhooks-reader")
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": _SESSION_MS,
                "heartbeat.interval.ms": _SESSION_MS // 3,
            }
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set."""
        self._consumer.subscribe([ORDER_EVENTS.name], on_assign=self._assigned)
        loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                batch = await loop.run_in_executor(self._thread, self._read)
                if batch and await self._take(batch, stop):
                    await loop.run_in_executor(self._thread, self._commit, batch)
        finally:
            await loop.run_in_executor(self._thread, self._consumer.close)
            self._thread.shutdown()

    async def _take(self, batch: list[Message], stop: asyncio.Event) -> bool:
        """Owe the facts of a batch, which may grow meanwhile; False: stopped before it was done."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            try:
                await self._router.take(self._facts(batch), time.time_ns() // 1_000_000)
            except (RedisError, Retryable) as error:
                log.warning("facts_not_owed_yet", group=self._group, why=str(error))
                await asyncio.sleep(_BACKOFF_S)
                batch += await loop.run_in_executor(self._thread, self._keep_alive)
            else:
                return True
        return False

    def _facts(self, batch: Iterable[Message]) -> list[Fact]:
        if not len(self._endpoints):
            return []
        facts = []
        for message in batch:
            try:
                record = self._codec.decode(message.value())
            except InvalidMessage as error:
                log.warning("fact_unreadable", group=self._group, why=str(error))
                continue
            topic, partition = cast(str, message.topic()), cast(int, message.partition())
            offset = cast(int, message.offset())
            facts.append(Fact(record, topic, partition, offset, message.timestamp()[1]))
        return facts

    # --- in the reading thread -------------------------------------------------------------------

    def _read(self) -> list[Message]:
        return _sound(self._consumer.consume(_BATCH, _POLL_S))

    def _keep_alive(self) -> list[Message]:
        """Poll without reading on; a partition that was just given may bring some all the same."""
        self._consumer.pause(self._consumer.assignment())
        found = _sound(self._consumer.consume(_BATCH, _POLL_S))
        self._consumer.resume(self._consumer.assignment())
        return found

    def _commit(self, batch: Iterable[Message]) -> None:
        ends: dict[int, int] = {}
        for message in batch:
            ends[message.partition() or 0] = (message.offset() or 0) + 1
        offsets = [TopicPartition(ORDER_EVENTS.name, p, end) for p, end in ends.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            if failure.args[0].fatal():
                raise
            # Others have the partitions now: they read it again, and it is owed once.
            log.warning("offsets_not_committed", group=self._group, why=str(failure))

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = sorted(partition.partition for partition in partitions)
        log.info("assigned", group=self._group, partitions=numbers)


class _Publisher:
    """Writes the few endpoints that change by themselves."""

    def __init__(self, kafka: str, codec: Codec) -> None:
        self._codec = codec
        self._appender = Appender(kafka)

    async def publish(self, endpoint: WebhookSubscribed) -> None:
        """Append an endpoint's new record; raise KafkaException when it is not acknowledged."""
        key, value = endpoint.endpoint_id.encode(), self._codec.encode(endpoint)
        await asyncio.to_thread(self._appender.append, WEBHOOK_ENDPOINTS.name, key, value)


def _sound(batch: list[Message]) -> list[Message]:
    for message in batch:
        if (error := message.error()) is not None:
            raise KafkaException(error)
    return batch
