"""The effect worker: reads facts, makes calls to the world outside, and reports what came of them.

A call may be repeated after a crash and is never lost, so whatever is called has to be idempotent
by a number in the fact. The order of things that promises it, for each fact:

1. its offset is begun in the partition's frontier;
2. the call is made; while it fails with Retryable it is made again, with capped backoff;
3. its reports are appended to their topics, at any time while the call is under way;
4. when the call has ended and every report is acknowledged, the offset is done;
5. the frontier, the offset below which all are done, is committed now and then, when partitions are
   taken away, and at the end. A fact at or above it is read and called again by whoever comes next.

Reports carry no cause: two calls may report the same thing, and the inbox's domain judges repeats.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.codec import PREFIX_BYTES, Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.record import Record
from schemas.topics import Topic
from streams.engine.frontier import Frontier
from streams.kernel.errors import StageDefect
from streams.kernel.stage import Output

log = structlog.get_logger()

Send: TypeAlias = Callable[[Output], None]
Call: TypeAlias = Callable[[Any, Send], "Awaitable[None] | None"]
"""Calls the world for one fact and hands its reports to Send.

Returns None when it is done at once, else something to await. Raises Retryable, at once or while it
is awaited, when the same call may succeed later; any other exception stops the worker.
"""

Headers: TypeAlias = list[tuple[str, str | bytes | None]]

_POLL_S = 0.1
_GATHER_S = 0.003  # a batch of one costs as much as a batch of ten
_BATCH = 500
_DELIVERIES_S = 0.02
_TRACE_ID_CHARS = 32  # W3C Trace Context, section 3.2.2.3


@dataclass(frozen=True)
class EffectSettings:
    """What an effect worker needs to know; times in milliseconds."""

    kafka: str
    group: str
    source: Topic
    max_in_flight: int = 10_000
    """Calls under way at once; further facts wait in Kafka."""
    commit_ms: int = 500
    retry_ms: int = 100
    retry_cap_ms: int = 30_000
    grace_ms: int = 2_000
    """How long calls under way may take to end after a stop; the rest are made again later."""
    flush_ms: int = 10_000
    session_ms: int = 6_000
    max_invalid_per_minute: int = 100
    """More facts that nobody understands are no accident: the worker stops."""


class _Batched(NamedTuple):
    """A record as read, with the frontier of its partition."""

    frontier: Frontier
    message: Message


class _Job:
    """One fact's call: it is done when it has ended and all its reports are acknowledged."""

    __slots__ = ("frontier", "has_ended", "offset", "unacknowledged", "worker")

    def __init__(self, worker: EffectWorker, frontier: Frontier, offset: int) -> None:
        self.worker = worker
        self.frontier = frontier
        self.offset = offset
        self.unacknowledged = 0
        self.has_ended = False

    def send(self, output: Output) -> None:
        """Append a report."""
        topic, key, message = output
        trace_id = getattr(message, "trace_id", "")
        headers: Headers = []
        if len(trace_id) == _TRACE_ID_CHARS:
            span = random.getrandbits(64) or 1
            headers.append(("traceparent", f"00-{trace_id}-{span:016x}-01".encode()))
        self.produce(topic, key.encode(), self.worker.codec.encode(message), headers)

    def produce(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Append raw bytes; they count as a report."""
        self.unacknowledged += 1
        self.worker.produce(topic, key, value, headers, self._delivered)

    def ended(self) -> None:
        """Take note that the call sends no more reports."""
        self.has_ended = True
        self._settle()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.worker.fail(f"a report to {message.topic()} was not delivered: {error}")
            return
        self.unacknowledged -= 1
        self._settle()

    def _settle(self) -> None:
        if self.has_ended and not self.unacknowledged:
            self.worker.in_flight -= 1
            self.frontier.done(self.offset)


class EffectWorker:
    """Makes ``calls`` for the facts of one topic; workers of one group share its partitions.

    One thread reads and commits; calls, reports and acknowledgements live on the event loop.
    """

    def __init__(
        self, settings: EffectSettings, codec: Codec, calls: Mapping[type[Record], Call]
    ) -> None:
        self.codec = codec
        self.in_flight = 0
        self.calls_made = 0
        self._settings = settings
        self._calls = dict(calls)
        self._failure: str | None = None
        self._skipped: set[bytes] = set()  # schema ids of facts that need no call
        self._invalid = (0, 0.0)  # how many since when
        self._tasks: dict[asyncio.Task[None], Frontier] = {}
        self._frontiers: dict[int, Frontier] = {}  # of the reading thread only
        self._committed: dict[int, int] = {}
        self._commit_at_s = 0.0
        self._is_paused = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader = ThreadPoolExecutor(1, "effects-reader")
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka,
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                "acks": "all",
                "message.timeout.ms": 0,
                "linger.ms": 2,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",  # Java's default: same key, same partition
                "error_cb": self._broken,
            }
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka,
                "group.id": settings.group,
                "enable.auto.commit": False,
                # A group that never committed begins at the beginning: no fact is passed over.
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": settings.session_ms,
                "heartbeat.interval.ms": settings.session_ms // 3,
            }
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then let calls end, and commit.

        Raises StageDefect when a report cannot be delivered, and whatever a call raises that is not
        Retryable; nothing is committed then that is not done.
        """
        self._loop = asyncio.get_running_loop()
        self._consumer.subscribe(
            [self._settings.source.name],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        deliveries = asyncio.create_task(self._serve_deliveries())
        try:
            while not stop.is_set():
                for batched in await self._in_reader(self._read):
                    await self._begin(batched)
                self._check(deliveries)
            await self._let_calls_end(deliveries)
        finally:
            deliveries.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, deliveries, return_exceptions=True)
            self._producer.flush(self._settings.flush_ms / 1000)
            await self._in_reader(self._close)
            self._reader.shutdown()
        if self._failure is not None:
            raise StageDefect(self._failure)

    # --- on the event loop -----------------------------------------------------------------------

    def fail(self, why: str) -> None:
        """Stop the worker because a promise cannot be kept."""
        self._failure = self._failure or why

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None:
        """Append to ``topic``; blocks while the producer's queue is full."""
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=on_delivery, headers=headers)
            except BufferError:
                self._producer.poll(_POLL_S)
            else:
                return

    async def _begin(self, batched: _Batched) -> None:
        """Take up one record: begin its call, or be done with it."""
        frontier, message = batched
        offset, value = _offset(message), message.value()
        frontier.begin(offset)
        if value is not None and value[:PREFIX_BYTES] in self._skipped:
            frontier.done(offset)
            return
        job = _Job(self, frontier, offset)
        self.in_flight += 1
        try:
            fact = await self._decode(value)
        except InvalidMessage as error:
            self._dead_letter(job, message, error)
            job.ended()
            return
        call = self._calls.get(type(fact))
        if call is None:
            self._skipped.add((value or b"")[:PREFIX_BYTES])
            job.ended()
            return
        self.calls_made += 1
        try:
            waiting = call(fact, job.send)
        except Retryable as error:
            waiting = self._later(job, call, fact, 1, error)
        if waiting is None:
            job.ended()
        else:
            task = asyncio.create_task(self._drive(job, call, fact, waiting))
            self._tasks[task] = frontier
            task.add_done_callback(self._finished)

    async def _decode(self, value: bytes | None) -> Record:
        failures = 0
        while True:
            try:
                return self.codec.decode(value)
            except Retryable as error:
                failures += 1
                log.warning("fact_unreadable_yet", group=self._settings.group, why=str(error))
                await asyncio.sleep(self._backoff_s(failures))

    async def _drive(self, job: _Job, call: Call, fact: Record, waiting: Awaitable[None]) -> None:
        failures = 0
        while True:
            try:
                await waiting
            except Retryable as error:
                failures += 1
                waiting = self._later(job, call, fact, failures, error)
            else:
                job.ended()
                return

    def _later(
        self, job: _Job, call: Call, fact: Record, failures: int, why: Retryable
    ) -> Coroutine[Any, Any, None]:
        """Return the same call, to be made after a while."""
        log.warning(
            "call_failed",
            group=self._settings.group,
            fact=type(fact).__name__,
            failures=failures,
            why=str(why),
        )

        async def again() -> None:
            await asyncio.sleep(self._backoff_s(failures))
            self.calls_made += 1
            waiting = call(fact, job.send)
            if waiting is not None:
                await waiting

        return again()

    def _backoff_s(self, failures: int) -> float:
        doubled_ms = self._settings.retry_ms << min(failures - 1, 20)
        return min(doubled_ms, self._settings.retry_cap_ms) / 1000

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            self.in_flight -= 1  # its offset stays open: whoever comes next makes the call again
        elif (error := task.exception()) is not None:
            log.error("call_broke", group=self._settings.group, exc_info=error)
            self.fail(f"a call broke: {error!r}")

    def _dead_letter(self, job: _Job, message: Message, error: InvalidMessage) -> None:
        """Append the original bytes with where they stood and why nobody understood them."""
        count, since_s = self._invalid
        now_s = time.monotonic()
        count, since_s = (count + 1, since_s) if now_s - since_s < 60 else (1, now_s)
        self._invalid = (count, since_s)
        if count > self._settings.max_invalid_per_minute:
            raise StageDefect(f"{count} facts in a minute were invalid, the last one: {error}")
        headers: Headers = [
            ("dlq_topic", self._settings.source.name.encode()),
            ("dlq_partition", str(message.partition()).encode()),
            ("dlq_offset", str(message.offset()).encode()),
            ("dlq_code", error.code.encode()),
            ("dlq_reason", error.detail.encode()),
        ]
        job.produce(self._settings.source.dead_letters, message.key(), message.value(), headers)

    async def _serve_deliveries(self) -> None:
        while True:
            self._producer.poll(0)
            await asyncio.sleep(_DELIVERIES_S)

    def _check(self, deliveries: asyncio.Task[None]) -> None:
        """Raise what went wrong outside of the reading loop."""
        if deliveries.done():
            deliveries.result()
        if self._failure is not None:
            raise StageDefect(self._failure)

    async def _let_calls_end(self, deliveries: asyncio.Task[None]) -> None:
        deadline_s = time.monotonic() + self._settings.grace_ms / 1000
        while self.in_flight and time.monotonic() < deadline_s:
            self._check(deliveries)
            await asyncio.sleep(_DELIVERIES_S)

    def _cancel(self, frontiers: list[Frontier]) -> None:
        for task, frontier in list(self._tasks.items()):
            if any(frontier is gone for gone in frontiers):
                task.cancel()

    def _broken(self, error: KafkaError) -> None:
        if error.fatal():
            self.fail(f"the producer is broken: {error}")

    # --- in the reading thread -------------------------------------------------------------------

    async def _in_reader(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)

    def _read(self) -> list[_Batched]:
        """Commit when it is time; then read what is there, waiting a little for a first record."""
        now_s = time.monotonic()
        if now_s >= self._commit_at_s:
            self._commit(self._frontiers)
            self._commit_at_s = now_s + self._settings.commit_ms / 1000
        room = self._settings.max_in_flight - self.in_flight
        if room < 1:
            # Paused, not left unread: a group member that stops polling is thrown out.
            self._consumer.pause(self._consumer.assignment())
            self._is_paused = True
        elif self._is_paused:
            self._consumer.resume(self._consumer.assignment())
            self._is_paused = False
        first = self._consumer.poll(_POLL_S)
        if first is None:
            return []
        messages = [first]
        if room > 1:
            time.sleep(_GATHER_S)
            messages += self._consumer.consume(min(room, _BATCH) - 1, 0)
        batch = []
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            frontier = self._frontiers.get(_partition(message))
            if frontier is not None:
                batch.append(_Batched(frontier, message))
        return batch

    def _commit(self, frontiers: Mapping[int, Frontier]) -> None:
        """Commit the frontiers that moved; one that cannot be committed now is committed later."""
        moved = {
            partition: frontier.committable
            for partition, frontier in frontiers.items()
            if frontier.committable is not None
            and frontier.committable != self._committed.get(partition)
        }
        if not moved:
            return
        topic = self._settings.source.name
        offsets = [TopicPartition(topic, partition, at) for partition, at in moved.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            if failure.args[0].fatal():
                raise
            log.warning("offsets_not_committed", group=self._settings.group, why=str(failure))
        else:
            self._committed.update(moved)

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._frontiers[partition.partition] = Frontier()
            self._committed.pop(partition.partition, None)
        numbers = sorted(partition.partition for partition in partitions)
        log.info("assigned", group=self._settings.group, partitions=numbers)

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Commit what is done of the partitions that leave, and give up the rest."""
        gone = self._taken_away(partitions)
        self._commit(gone)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Give up partitions that somebody else may own already."""
        self._taken_away(partitions)

    def _taken_away(self, partitions: list[TopicPartition]) -> dict[int, Frontier]:
        gone = {
            p.partition: frontier
            for p in partitions
            if (frontier := self._frontiers.pop(p.partition, None)) is not None
        }
        if self._loop is not None and gone:
            self._loop.call_soon_threadsafe(self._cancel, list(gone.values()))
        return gone

    def _close(self) -> None:
        self._commit(self._frontiers)
        self._consumer.close()


def _offset(message: Message) -> int:
    offset = message.offset()
    if offset is None:
        raise StageDefect("a record without an offset")
    return offset


def _partition(message: Message) -> int:
    partition = message.partition()
    if partition is None:
        raise StageDefect("a record without a partition")
    return partition
