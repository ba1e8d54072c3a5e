"""The one driver for all engines: it places orders, pays what is created, and times both.

Everything that can be encoded before the clock starts is. It counts by order, so that an event that
comes twice neither ends a run early nor makes it faster.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import cast

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.bench.peers.workload import (
    ORDER_COMMANDS,
    ORDER_EVENTS,
    PARTITIONS,
    Basket,
    Wire,
)
from topologies.load.latency import Latency, latency

_BATCH, _BATCH_WAIT_S = 2_000, 0.005
_POLL_EVERY = 500
_TURNS, _PROLONGED = 3, 4  # the first turn of a window is not measured
_NUMBER_DIGITS = 8  # of an order's number, after its run's
_TIMEOUT_S, _LEADER_WAIT_S = 10.0, 0.1  # a topic that was just made has no leaders yet
_ONLY_CRITICAL = 2  # level of librdkafka's own messages: what matters is raised

_SENT, _CREATED, _PAID = 0, 1, 2


@dataclass(frozen=True)
class Plan:
    """A run: at most ``orders`` orders, ``window`` open at a time or else ``rate`` a second.

    Sending ends after ``seconds``, but a window is turned over a few times however slow the engine
    is, within a multiple of that time. Then all that is open is awaited, for ``patience_s`` at most
    without any news. Latencies of orders sent in the first ``warmup_s`` do not count.
    """

    orders: int
    window: int = 0
    rate: float = 0.0
    seconds: float = 3600.0
    warmup_s: float = 0.0
    patience_s: float = 30.0


@dataclass(frozen=True)
class Outcome:
    """What came of a run. ``per_second`` is the rate of paid orders while the window was full.

    ``create``: from producing an order to seeing it created; ``pay``: from there to seeing it paid.
    ``repeated``: events that came again. ``missing``: orders that were not paid in the end.
    """

    orders: int
    per_second: float
    create: Latency
    pay: Latency
    repeated: int
    missing: int
    seconds: float
    driver_s: float


def drive(kafka: str, wire: Wire, plan: Plan, run: str, baskets: Sequence[Basket]) -> Outcome:
    """Run ``plan``; ``run`` (hex digits) tells its orders from those of all others."""
    driver = _Driver(kafka, wire, plan, run, baskets)
    gc.collect()
    gc.disable()
    try:
        return driver.run()
    finally:
        gc.enable()
        driver.close()


class _Driver:
    def __init__(
        self, kafka: str, wire: Wire, plan: Plan, run: str, baskets: Sequence[Basket]
    ) -> None:
        self._plan = plan
        self._created_begin, self._paid_begin = wire.created, wire.paid
        self._run = run.encode()
        numbers = [order_number(run, n) for n in range(plan.orders)]
        now_ms = time.time_ns() // 1_000_000
        self._keys = [number.encode() for number in numbers]
        self._places = [
            wire.place(number, basket, now_ms)
            for number, basket in zip(numbers, cycle(baskets), strict=False)
        ]
        self._pays = [wire.pay(number) for number in numbers]
        self._states = bytearray(plan.orders)
        self._sent_s = array("d", bytes(8 * plan.orders))
        self._created_s = array("d", bytes(8 * plan.orders))
        self._create_s: list[float] = []
        self._pay_s: list[float] = []
        self._sent = self._paid = self._repeated = 0
        self._failed: object = None
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "enable.idempotence": True,
                "linger.ms": 2,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",  # Java's default: the engines' own choice
                "queue.buffering.max.messages": 1_000_000,
                "delivery.report.only.error": True,
                "on_delivery": self._not_delivered,
                "log_level": _ONLY_CRITICAL,
            }
        )
        self._consumer = reader(kafka)
        self._consumer.assign(ends(self._consumer, ORDER_EVENTS))

    def close(self) -> None:
        self._consumer.close()

    def run(self) -> Outcome:
        plan, clock = self._plan, time.perf_counter
        counted_from = counted_to = (0, 0.0)  # (orders paid, when)
        cpu_s, started = time.process_time(), clock()
        moved, measure_from = started, started + plan.warmup_s
        is_sending = True
        while is_sending or self._paid < self._sent:
            now = clock()
            is_sending = self._sent < plan.orders and not self._is_enough(now - started)
            if is_sending:
                self._send(self._due(now - started), now)
            self._producer.poll(0)
            messages = self._consumer.consume(_BATCH, _BATCH_WAIT_S)
            if messages:
                moved = clock()
                self._take(messages, moved, measure_from)
            elif now - moved > plan.patience_s:
                break
            if is_sending and self._paid >= plan.window:  # it has been turned over once
                if counted_from[1] == 0.0:
                    counted_from = (self._paid, moved)
                counted_to = (self._paid, moved)
        if self._failed is not None:
            raise KafkaException(self._failed)
        steady_s = counted_to[1] - counted_from[1]
        return Outcome(
            orders=self._sent,
            per_second=(counted_to[0] - counted_from[0]) / steady_s if steady_s else 0.0,
            create=latency(self._create_s),
            pay=latency(self._pay_s),
            repeated=self._repeated,
            missing=self._sent - self._paid,
            seconds=clock() - started,
            driver_s=time.process_time() - cpu_s,
        )

    def _is_enough(self, elapsed_s: float) -> bool:
        plan = self._plan
        if elapsed_s < plan.seconds:
            return False
        return self._paid >= _TURNS * plan.window or elapsed_s >= _PROLONGED * plan.seconds

    def _due(self, elapsed_s: float) -> int:
        plan = self._plan
        due = int(elapsed_s * plan.rate) + 1 if plan.rate else self._paid + plan.window
        return min(plan.orders, due)

    def _send(self, due: int, now: float) -> None:
        produce = self._producer.produce
        for index in range(self._sent, due):
            self._sent_s[index] = now
            produce(ORDER_COMMANDS, self._places[index], self._keys[index])
            if index % _POLL_EVERY == 0:
                self._producer.poll(0)
                now = time.perf_counter()
        self._sent = max(self._sent, due)

    def _take(self, messages: Sequence[Message], now: float, measure_from: float) -> None:
        created_begin, paid_begin, run, states = (
            self._created_begin,
            self._paid_begin,
            self._run,
            self._states,
        )
        produce = self._producer.produce
        for message in messages:
            key, value = cast(bytes, message.key()), cast(bytes, message.value())
            if not key.startswith(run):
                continue
            index = int(key[-_NUMBER_DIGITS:])
            is_measured = self._sent_s[index] >= measure_from
            if value.startswith(created_begin) and states[index] == _SENT:
                states[index] = _CREATED
                self._created_s[index] = now
                produce(ORDER_COMMANDS, self._pays[index], key)
                if is_measured:
                    self._create_s.append(now - self._sent_s[index])
            elif value.startswith(paid_begin) and states[index] == _CREATED:
                states[index] = _PAID
                self._paid += 1
                if is_measured:
                    self._pay_s.append(now - self._created_s[index])
            else:
                self._repeated += 1

    def _not_delivered(self, error: object, _message: object) -> None:
        self._failed = self._failed or error


def order_number(run: str, n: int) -> str:
    """Return the number of a run's ``n``-th order."""
    return f"{run}{n:0{_NUMBER_DIGITS}d}"


def reader(kafka: str) -> Consumer:
    """Return a consumer for partitions assigned by hand; it sees what is committed."""
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "peers-driver",  # required, but never joined
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 5,
            "log_level": _ONLY_CRITICAL,
        }
    )


def ends(consumer: Consumer, topic: str) -> list[TopicPartition]:
    """Return the end of every partition of ``topic``, once all have a leader."""
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    deadline = time.monotonic() + _TIMEOUT_S
    for place in places:
        while True:
            try:
                place.offset = consumer.get_watermark_offsets(place, _TIMEOUT_S)[1]
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LEADER_WAIT_S)
            else:
                break
    return places
