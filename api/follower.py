"""The facts as they come: one thread reads them, the event loop hands them to who waits.

The follower joins no group and commits nothing: every API process sees every fact. It starts a
little before now, follows all partitions, and keeps a bounded window of recent facts by key. Facts
that a stage sent again after a crash are passed over, by their cause. Nothing is decoded until
somebody looks.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import cast

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.codec import PREFIX_BYTES, Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.order import OrderCancelling, OrderCreated, OrderRejected
from schemas.record import Record
from schemas.topics import Topic
from streams.engine import cause

Listener = Callable[[Sequence["OrderFact"]], None]
Matches = Callable[["OrderFact"], bool]

DECIDING: tuple[type[Record], ...] = (OrderCreated, OrderRejected, OrderCancelling)
"""The facts that end RESERVING. A refusal decides no order: it answers one request, by cause."""

_IDLE_WAIT_S = 0.5
_BATCH_FACTS = 2_000
_BATCH_WAIT_S = 0.002  # at most 500 wake-ups of the event loop a second
_TIMEOUT_S = 2.0
_RETRY_S = 0.5
_LOG_EVERY_S = 10.0

log = structlog.get_logger()


class OrderFact:
    """One public fact; ``record`` is decoded when first asked for.

    ``key`` is the entity's (an order's number, or a sku's), ``kind`` the record's type,
    ``timestamp_ms`` the broker's (epoch ms), ``cause`` the 24 bytes of ``streams.engine.cause``.
    """

    __slots__ = ("_codec", "_record", "cause", "key", "kind", "timestamp_ms", "trace", "value")

    def __init__(
        self,
        codec: Codec,
        key: str,
        kind: type[Record],
        value: bytes,
        timestamp_ms: int,
        cause: bytes,
        trace: str = "",
    ) -> None:
        self._codec = codec
        self._record: Record | None = None
        self.key = key
        self.kind = kind
        self.value = value
        self.timestamp_ms = timestamp_ms
        self.cause = cause
        self.trace = trace  # the traceparent header

    @property
    def record(self) -> Record:
        """Return the decoded record."""
        record = self._record
        if record is None:
            record = self._record = self._codec.decode(self.value)
        return record


class Window:
    """The most recent facts, by key: no more than ``limit`` in all, the oldest go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_key: dict[str, list[OrderFact]] = {}
        self._order: deque[str] = deque()
        self.gone_ms = 0
        """The latest time of a fact that is in the window no more."""

    def add(self, fact: OrderFact) -> None:
        """Take in a fact."""
        self._by_key.setdefault(fact.key, []).append(fact)
        self._order.append(fact.key)
        if len(self._order) > self._limit:
            oldest = self._order.popleft()
            facts = self._by_key[oldest]
            self.gone_ms = max(self.gone_ms, facts.pop(0).timestamp_ms)
            if not facts:
                del self._by_key[oldest]

    def of(self, key: str) -> list[OrderFact]:
        """Return what is left of a key's facts, the oldest first."""
        return list(self._by_key.get(key, ()))


class Expected:
    """What one request waits for: the first fact of ``key`` that ``matches``."""

    __slots__ = ("future", "key", "matches")

    def __init__(self, key: str, matches: Matches, future: asyncio.Future[OrderFact]) -> None:
        self.key = key
        self.matches = matches
        self.future = future


class Follower:
    """Follows ``topics`` from ``lookback_s`` before now. All but its thread is for the event loop.

    It needs no Kafka to start: it reads as soon as there is one (``is_reading``).
    """

    def __init__(
        self,
        kafka: str,
        codec: Codec,
        topics: Iterable[Topic],
        *,
        lookback_s: float,
        window_facts: int,
    ) -> None:
        self._kafka = kafka
        self._codec = codec
        self._topics = [topic.name for topic in topics]
        self._lookback_s = lookback_s
        self._since_ms = int(time.time() * 1000)
        self._window = Window(window_facts)
        self._seen: dict[tuple[str, int, bytes], bytes] = {}
        self._kinds: dict[bytes, type[Record] | None] = {}
        self._expected: dict[str, list[Expected]] = {}
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._reading = asyncio.Event()

    @property
    def is_reading(self) -> bool:
        """Say whether it has found the facts: Kafka was there since the start."""
        return self._reading.is_set()

    @property
    def waiting(self) -> int:
        """Return how many requests wait for a fact."""
        return sum(map(len, self._expected.values()))

    async def until_reading(self, timeout_s: float) -> bool:
        """Wait until it has found the facts; say whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._reading.wait()
        return self.is_reading

    def start(self) -> None:
        """Start to follow; call it on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Stop following; who still waits gets None."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)
        for waiting in list(self._expected.values()):
            for expected in waiting:
                expected.future.cancel()

    @property
    def complete_since_ms(self) -> int:
        """From when on the window has every fact that was read (epoch ms)."""
        return max(self._since_ms, self._window.gone_ms + 1)

    def recent(self, key: str) -> list[OrderFact]:
        """Return what the window still has of one order (or sku), in order of version."""
        return self._window.of(key)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` on the event loop with every batch of facts; return how to end it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    async def decided(self, order_no: str, timeout_s: float) -> OrderFact | None:
        """Return the fact that decides a placement; None when the time is over."""
        return await self.wait(self.expect(order_no, lambda fact: fact.kind in DECIDING), timeout_s)

    async def answered(self, key: str, position: bytes, timeout_s: float) -> OrderFact | None:
        """Return the first fact of ``key`` caused by the inbox record at ``position``.

        ``position`` is as of ``position_of``. None when the time is over.
        """
        return await self.wait(
            self.expect(key, lambda fact: fact.cause.startswith(position)), timeout_s
        )

    def expect(self, key: str, matches: Matches) -> Expected:
        """Begin to wait for a fact of ``key``, also one that the window has already."""
        future: asyncio.Future[OrderFact] = asyncio.get_running_loop().create_future()
        expected = Expected(key, matches, future)
        for fact in self._window.of(key):
            if matches(fact):
                future.set_result(fact)
                return expected
        self._expected.setdefault(key, []).append(expected)
        return expected

    def look(self, expected: Expected) -> None:
        """Look again at what the window has: ``expected`` knows more than it did."""
        for fact in self._window.of(expected.key):
            if not expected.future.done() and expected.matches(fact):
                expected.future.set_result(fact)

    async def wait(self, expected: Expected, timeout_s: float) -> OrderFact | None:
        """Return the fact that was expected; None when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                return await expected.future
        except TimeoutError:
            return None
        finally:
            self.forget(expected)

    def forget(self, expected: Expected) -> None:
        """Wait no more."""
        waiting = self._expected.get(expected.key)
        if waiting is not None and expected in waiting:
            waiting.remove(expected)
            if not waiting:
                del self._expected[expected.key]

    def take(self, facts: Sequence[OrderFact]) -> None:
        """Take in a batch of facts, on the event loop."""
        for fact in facts:
            self._window.add(fact)
            for expected in self._expected.get(fact.key, ()):
                if not expected.future.done() and expected.matches(fact):
                    expected.future.set_result(fact)
        for listener in tuple(self._listeners):
            listener(facts)

    # --- on the thread ---------------------------------------------------------------------------

    def _follow(self) -> None:
        self._since_ms = int((time.time() - self._lookback_s) * 1000)
        consumer = Consumer(_config(self._kafka))
        try:
            while not self._stopping.is_set():
                try:
                    consumer.assign(_starts(consumer, self._topics, self._since_ms))
                except KafkaException as error:
                    log.warning("facts_unreadable", why=str(error))
                    self._stopping.wait(_RETRY_S)
                else:
                    self._tell(self._reading.set)
                    self._read(consumer)
        finally:
            consumer.close()

    def _read(self, consumer: Consumer) -> None:
        quiet_until_s = 0.0
        while not self._stopping.is_set():
            first = consumer.poll(_IDLE_WAIT_S)
            if first is None:
                continue
            facts = []
            for message in (first, *consumer.consume(_BATCH_FACTS, _BATCH_WAIT_S)):
                error = message.error()
                if error is None:
                    fact = self._fact(message)
                    if fact is not None:
                        facts.append(fact)
                elif time.monotonic() >= quiet_until_s:
                    # The client reconnects by itself; facts come late meanwhile, and none is lost.
                    log.warning("facts_unreadable", why=error.str())
                    quiet_until_s = time.monotonic() + _LOG_EVERY_S
            if facts:
                self._tell(self.take, facts)

    def _tell(self, call: Callable[..., object], *args: object) -> None:
        """Run something on the event loop."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended, and nobody waits any more
                self._loop.call_soon_threadsafe(call, *args)

    def _fact(self, message: Message) -> OrderFact | None:
        value, key = message.value(), message.key()
        if value is None or key is None:
            return None
        stamp, trace = b"", b""
        for name, content in cast(list[tuple[str, bytes]], message.headers() or ()):
            if name == cause.HEADER:
                stamp = content
            elif name == "traceparent":
                trace = content
        if self._is_repeat(message, stamp):
            return None
        kind = self._kind(value)
        if kind is None:
            return None
        return OrderFact(
            self._codec,
            key.decode(),
            kind,
            value,
            message.timestamp()[1],
            stamp,
            trace.decode(),
        )

    def _is_repeat(self, message: Message, stamp: bytes) -> bool:
        """Say whether a stage sent this fact again after a crash."""
        if not stamp:
            return False
        channel = (
            cast(str, message.topic()),
            cast(int, message.partition()),
            stamp[: cause.CHANNEL_BYTES],
        )
        position = stamp[cause.CHANNEL_BYTES :]
        if position <= self._seen.get(channel, b""):
            return True
        self._seen[channel] = position
        return False

    def _kind(self, value: bytes) -> type[Record] | None:
        """Return the type of the record in ``value``; None: this process does not know it."""
        prefix = value[:PREFIX_BYTES]
        if prefix not in self._kinds:
            try:
                self._kinds[prefix] = type(self._codec.decode(value))
            except InvalidMessage:
                self._kinds[prefix] = None
            except Retryable:
                return None
        return self._kinds[prefix]


def position_of(
    incarnations: Mapping[str, bytes], topic: str, partition: int, offset: int
) -> bytes:
    """Return how the causes of all outputs of one inbox record begin: 20 bytes."""
    stamp = cause.channel(incarnations[topic], partition) + cause.pack_position(offset, 0)
    return stamp[: cause.CHANNEL_BYTES + 8]


def _starts(consumer: Consumer, topics: Sequence[str], since_ms: int) -> list[TopicPartition]:
    """Return where each partition is to be read from: the first fact since then, or the end."""
    places = []
    for topic in topics:
        about = consumer.list_topics(topic, _TIMEOUT_S).topics[topic]
        if about.error is not None:
            raise KafkaException(about.error)
        places += [TopicPartition(topic, partition, since_ms) for partition in about.partitions]
    found = consumer.offsets_for_times(places, _TIMEOUT_S)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
    return found


def _config(kafka: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": kafka,
        "group.id": "unused: partitions are assigned by hand",
        "enable.auto.commit": False,
        "auto.offset.reset": "latest",  # the log was cut shorter than what was read
        "fetch.wait.max.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
        "log_level": 2,  # what matters is logged here
    }
