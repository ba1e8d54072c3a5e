"""How records leave the API: to Kafka, and to the spool on disk while Kafka is away.

For each ``send``:

1. While the spool is empty and Kafka is well, the records go to the producer, and the answer is
   Sent when the broker has acknowledged them all.
2. Kafka is not well while the oldest record that was given to the producer has been unacknowledged
   for longer than ``patience_s``. The records go to the spool then, and the answer is Spooled.
3. Records that are still unacknowledged after ``patience_s`` are spooled as well, because nobody
   knows what became of them. They may arrive twice: every command is idempotent by its own key.
4. While the spool holds anything, later records go behind it, so that what a client sends after its
   202 does not overtake what the 202 was for.

The replay gives the spool to the producer segment by segment, oldest first, and removes a segment
when all its records are acknowledged. Kafka being back is nothing more than these acknowledgements.
For the last segment the senders wait a moment, so that there is a moment when the spool is empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from api.spool import Outgoing, Spool

log = structlog.get_logger()

RETRY_AFTER_S = 5
"""For the client of a full spool: about what a broker takes to be elected or started again."""
_ORPHANS_S = 30.0  # how long what a dead process left waits for a living one
_BACKOFF_S = 1.0
_POLL_S = 0.1
_QUEUE_FULL_WAIT_S = 0.02
_DRAIN_S = 5.0
_BREATH = 500  # records replayed before other requests get their turn: about 3 ms
_REFUSALS = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.POLICY_VIOLATION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"""Errors of a delivery that waiting does not mend."""


class Position(NamedTuple):
    """Where the broker put a record."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Sent:
    """Kafka has the records; ``positions`` are in their order."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Spooled:
    """The disk has the records; Kafka gets them when it is back."""


class Undeliverable(Exception):
    """Kafka refuses the records for good: too large, no such topic, not allowed."""


class _Unsettled(Exception):
    """The producer gave a record up, and nobody knows what became of it."""


Outcome: TypeAlias = Sent | Spooled


@dataclass(frozen=True, slots=True)
class Standing:
    """What health and metrics show of the way to Kafka."""

    kafka_well: bool
    spooled_records: int
    spooled_bytes: int
    spool_max_bytes: int
    unacknowledged: int
    oldest_unacknowledged_s: float
    broken: str
    """Why this process can send nothing any more; empty while it can."""


class _Group:
    """Records that are given to the producer together; ``done`` when all are acknowledged."""

    __slots__ = ("_left", "_positions", "done")

    def __init__(self, records: int) -> None:
        self.done: asyncio.Future[tuple[Position, ...]] = asyncio.get_running_loop().create_future()
        self._left = records
        self._positions = [Position("", -1, -1)] * records

    def settle(self, index: int, error: KafkaError | None, message: Any) -> None:
        """Take the report on the record at ``index``."""
        if self.done.done():  # nobody waits any more
            return
        if error is not None:
            self.done.set_exception(_failure(error, message.topic()))
            return
        self._positions[index] = Position(message.topic(), message.partition(), message.offset())
        self._left -= 1
        if not self._left:
            self.done.set_result(tuple(self._positions))


class _Report(NamedTuple):
    """What the producer says of one record; from its thread."""

    group: _Group
    place: int
    number: int
    error: KafkaError | None
    message: Message


class Sender:
    """Sends records of one API process; use it as ``async with``.

    ``on_broken`` is called on the event loop when the producer cannot go on: the process should
    end, and the one that replaces it replays its spool.
    """

    def __init__(
        self,
        kafka: str,
        spool: Spool,
        on_broken: Callable[[str], None],
        patience_s: float = 1.0,
        linger_ms: float = 2.0,
    ) -> None:
        self._spool = spool
        self._on_broken = on_broken
        self._patience_s = patience_s
        self._producer = _producer(kafka, linger_ms, self._producer_failed)
        # Its type stub wants a list of headers of a wider type, and lists are invariant.
        self._produce: Any = self._producer.produce
        self._given_at_s: OrderedDict[int, float] = OrderedDict()  # of what is unacknowledged
        self._number = 0
        self._broken = ""
        self._reports: deque[_Report] = deque()
        self._turn = asyncio.Event()  # set but while the last segment is replayed
        self._turn.set()
        self._has_spooled = asyncio.Event()
        self._has_spooled.set()  # the replay looks what was left
        self._is_stopping = False

    async def __aenter__(self) -> Sender:
        """Begin to replay what the spool holds."""
        self._loop = asyncio.get_running_loop()
        self._poller = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._poller.start()
        self._tasks = [
            asyncio.create_task(self._replay()),
            asyncio.create_task(self._adopt()),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait a little for acknowledgements, then stop; what is spooled stays on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        deadline_s = time.monotonic() + _DRAIN_S
        while self.is_well() and self._given_at_s and time.monotonic() < deadline_s:
            await asyncio.sleep(_POLL_S / 10)
        self._is_stopping = True
        await asyncio.to_thread(self._poller.join)
        await self._spool.close()

    async def send(self, records: Sequence[Outgoing]) -> Outcome:
        """Bring ``records`` to safety, in order per key; takes ``patience_s`` and a sync at most.

        Raises SpoolFull when neither Kafka nor the disk takes them, and Undeliverable when Kafka
        refuses them for good.
        """
        if not self._turn.is_set() and self.is_well():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self._turn.wait()
        if not self._spool.records and self.is_well():
            # The queue is full, or nobody knows what became of them: the disk takes them then.
            with contextlib.suppress(BufferError, TimeoutError, _Unsettled):
                return await self._send_directly(records)
        await self._spool.append(records)
        if not self._has_spooled.is_set():
            log.warning("spooling", unacknowledged=len(self._given_at_s), broken=self._broken)
            self._has_spooled.set()
        return Spooled()

    def is_well(self) -> bool:
        """Say whether Kafka acknowledges in time."""
        return not self._broken and self._oldest_s() < self._patience_s

    def standing(self) -> Standing:
        """Return what there is to show."""
        return Standing(
            kafka_well=self.is_well(),
            spooled_records=self._spool.records,
            spooled_bytes=self._spool.size,
            spool_max_bytes=self._spool.max_bytes,
            unacknowledged=len(self._given_at_s),
            oldest_unacknowledged_s=self._oldest_s(),
            broken=self._broken,
        )

    async def _send_directly(self, records: Sequence[Outgoing]) -> Sent:
        group = _Group(len(records))
        for index, record in enumerate(records):
            self._give(group, index, record)
        async with asyncio.timeout(self._patience_s):
            return Sent(await group.done)

    def _oldest_s(self) -> float:
        if not self._given_at_s:
            return 0.0
        return time.monotonic() - next(iter(self._given_at_s.values()))

    # --- the replay ------------------------------------------------------------------------------

    async def _replay(self) -> None:
        while True:
            await self._has_spooled.wait()
            try:
                await self._replay_oldest()
            except (OSError, Undeliverable, _Unsettled) as error:
                log.error("spool_not_replayed", why=str(error), records=self._spool.records)
                await asyncio.sleep(_BACKOFF_S)
            if not self._spool.records:
                self._has_spooled.clear()
                self._turn.set()

    async def _replay_oldest(self) -> None:
        """Send the oldest segment and forget it; the one being written is closed for it."""
        segment = await self._spool.oldest()
        if segment is None:
            self._turn.clear()
            await self._spool.seal()
            segment = await self._spool.oldest()
        else:
            self._turn.set()
        if segment is None:
            return
        records = await self._spool.read(segment)
        group = _Group(len(records))
        for index, record in enumerate(records):
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            while True:
                try:
                    self._give(group, index, record)
                    break
                except BufferError:
                    await asyncio.sleep(_QUEUE_FULL_WAIT_S)
        await group.done
        await self._spool.remove(segment)
        log.info("spool_replayed", records=len(records), left=self._spool.records)

    async def _adopt(self) -> None:
        while True:
            try:
                if adopted := await self._spool.adopt_orphans():
                    log.info("spool_adopted", records=adopted)
                    self._has_spooled.set()
            except OSError as error:
                log.error("spool_not_adopted", why=str(error))
            await asyncio.sleep(_ORPHANS_S)

    # --- the producer ----------------------------------------------------------------------------

    def _give(self, group: _Group, index: int, record: Outgoing) -> None:
        """Give a record to the producer; raise BufferError when its queue is full."""
        self._number += 1
        number = self._number

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._reports.append(_Report(group, index, number, error, message))

        topic, key, value, headers = record
        try:
            self._produce(topic, value, key, headers=list(headers), on_delivery=delivered)
        except KafkaException as error:
            raise _failure(error.args[0], topic) from error
        self._given_at_s[number] = time.monotonic()

    def _settle(self) -> None:
        reports = self._reports
        while reports:
            report = reports.popleft()
            del self._given_at_s[report.number]
            report.group.settle(report.place, report.error, report.message)

    def _poll(self) -> None:
        """Serve the producer's reports; a thread of its own, because it waits without the loop."""
        while not self._is_stopping:
            self._producer.poll(_POLL_S)
            if self._reports:
                self._loop.call_soon_threadsafe(self._settle)

    def _producer_failed(self, error: KafkaError) -> None:
        if error.fatal():
            self._broken = f"the producer is broken: {error}"
            self._loop.call_soon_threadsafe(self._on_broken, self._broken)


def _failure(error: KafkaError, topic: str | None) -> Exception:
    why = f"{topic}: {error}"
    return Undeliverable(why) if error.code() in _REFUSALS else _Unsettled(why)


def _producer(kafka: str, linger_ms: float, on_error: Callable[[KafkaError], None]) -> Producer:
    return Producer(
        {
            "bootstrap.servers": kafka,
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,  # what waits is in the spool as well, and goes when it can
            "linger.ms": linger_ms,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",  # Java's default: same key, same partition
            # A broker that is back is found within a second; one that hangs is left after ten.
            "reconnect.backoff.max.ms": 1_000,
            "socket.connection.setup.timeout.ms": 3_000,
            "socket.timeout.ms": 10_000,
            "log_level": 2,  # critical: that Kafka is away is told once, by the sender
            "error_cb": on_error,
        }
    )
