"""The bench's driver: admitted orders straight into the inbox, and the gateway played by itself.

It is inside the trust boundary, like the HTTP endpoint: the same ``admit`` makes the orders. All
that it sends is encoded before the clock starts, and of what it reads nothing is decoded, so that
the driver takes little of the machine it measures.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, cast

from confluent_kafka import Message

from schemas import topics
from schemas.codec import PREFIX_BYTES
from schemas.order import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderPaid,
    OrderParked,
    OrderPaymentOpened,
    OrderRefunded,
    OrderRejected,
    PlaceOrder,
    PlaceOrderIntent,
)
from schemas.payment import GatewayReport, GatewayStatus, RefundRequested
from schemas.record import Record
from streams.admission import admit
from streams.orders.state import pay_no
from streams.pricing import ListPrice
from topologies.load.catalogue import Catalogue
from topologies.load.clients import Kinds, Reader, Sender, Where, ends
from topologies.load.latency import Latency, latency
from topologies.load.payers import EVERYBODY_PAYS
from topologies.load.shopping import BENCH_BASKET_SIZES, purchases

Progress = Callable[[int, int], None]
"""Told (orders done, orders in all)."""

ORDERS = topics.ORDER_COMMANDS.name
PAYMENTS = topics.PAYMENT_COMMANDS.name
CHANNEL = "bench"
"""Asked for by these orders: no simulated gateway answers to it, the driver does."""
_POLL_EVERY = 500  # records produced between two looks at the client

_CREATED, _OPENED, _PAID, _CONFIRMED, _REJECTED, _UNDONE, _PARKED = 1, 2, 4, 8, 16, 32, 64
_MARKS: dict[type[Record], int] = {
    OrderCreated: _CREATED,
    OrderPaymentOpened: _OPENED,
    OrderPaid: _PAID,
    OrderConfirmed: _CONFIRMED,
    OrderRejected: _REJECTED,
    # Only when something outlasted the payment window, or a hold.
    OrderCancelled: _UNDONE,
    OrderExpired: _UNDONE,
    OrderRefunded: _UNDONE,
    OrderParked: _PARKED,
}
_DONE = _PAID | _REJECTED | _UNDONE | _PARKED
_ENDS = _CONFIRMED | _REJECTED | _UNDONE | _PARKED
_QUIET_S = 2.0  # refunds of late money follow at once


@dataclass(frozen=True)
class Bench:
    """What to send: ``orders`` orders, ``window`` of them at a time, or ``rate`` a second.

    The first ``warmup`` orders are not measured. ``single``: each order is one unit of one sku.
    ``timeout_s`` runs from the last fact.
    """

    orders: int
    window: int = 2_000
    rate: float | None = None
    warmup: int = 0
    seed: int = 1
    exponent: float = 1.0
    single: bool = False
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.orders:
            raise ValueError(f"a warm-up of {self.warmup} orders leaves none of {self.orders}")


@dataclass(frozen=True)
class Figures:
    """What was measured, after the warm-up.

    An order is done when it is paid, rejected or undone; ``per_second`` counts those while the
    window was full. ``create``: from producing an order to seeing it created or rejected; ``pay``:
    from there to seeing it paid. ``undone``: orders that ended expired, cancelled, refunded or
    parked. ``missing``: orders that came to no end in time. ``driver_us`` is the processor time of
    this process for one order, with all threads of its Kafka client.
    """

    orders: int
    seconds: float
    per_second: float
    created: int
    paid: int
    rejected: int
    undone: int
    missing: int
    repeated_facts: int
    create: Latency
    pay: Latency
    driver_us: float

    @property
    def ok(self) -> bool:
        """Tell whether every order came to its end."""
        return self.missing == 0


class Admitted(NamedTuple):
    """An order as it goes into the inbox, and the gateway's report that it is paid.

    The report can be written beforehand: the number of an order's first payment follows from its
    own. ``occurred_at_ms`` in it is when it was written.
    """

    key: bytes
    value: bytes
    report: bytes


def admitted_orders(
    where: Where, catalogue: Catalogue, bench: Bench, run: str
) -> Iterator[Admitted]:
    """Yield the encoded orders of a bench, admitted as by the HTTP endpoint."""
    prices = _Prices(catalogue)
    encode = where.codec.encode
    now_ms = time.time_ns() // 1_000_000
    shoppers = purchases(
        catalogue,
        EVERYBODY_PAYS,
        bench.seed,
        bench.exponent,
        single=bench.single,
        basket_sizes=BENCH_BASKET_SIZES,
    )
    for purchase in islice(shoppers, bench.orders):
        intent = PlaceOrderIntent(
            shop_id=catalogue.shop_id,
            user_id=purchase.user_id,
            client_key=f"{run}-{purchase.nth}",
            lines=purchase.lines,
            total_fen=purchase.total_fen,
            placed_at_ms=now_ms,
            pay_channel=CHANNEL,
            trace_id=f"{run:0>16}{purchase.nth:016x}",
        )
        _, order_no, order = admit(intent, prices, now_ms)
        report = _paid(cast("PlaceOrder", order), now_ms)
        yield Admitted(order_no.encode(), encode(order), encode(report))


def run_bench(
    where: Where, catalogue: Catalogue, bench: Bench, run: str, progress: Progress | None = None
) -> Figures:
    """Send the orders, pay them, and follow each until it is confirmed or rejected.

    ``run`` (hex digits, see `clients.run_name`) tells these orders from all others. Raises
    LoadError when Kafka goes away.
    """
    orders = list(admitted_orders(where, catalogue, bench, run))
    driver = _Driver(where, bench, orders)
    try:
        with _no_collections():
            return driver.run(progress)
    finally:
        driver.close()


class _Driver:
    def __init__(self, where: Where, bench: Bench, orders: list[Admitted]) -> None:
        self._bench = bench
        self._orders = orders
        self._decode = where.codec.decode
        self._kind_of = Kinds(where.codec)
        self._mark_of: dict[bytes, int] = {}
        self._sender = Sender(where)
        self._reader = Reader(where, [topics.ORDER_EVENTS.name])
        self._index = {order.key: index for index, order in enumerate(orders)}
        self._marks = bytearray(bench.orders)
        self._sent_s = array("d", bytes(8 * bench.orders))
        self._created_s = array("d", bytes(8 * bench.orders))
        self._create_s: list[float] = []
        self._pay_s: list[float] = []
        self._sent = self._created = self._paid = self._rejected = self._undone = 0
        self._done = self._ended = self._repeats = 0
        self._payments_from = ends(where, [topics.PAYMENT_EVENTS.name])
        self._where = where

    def close(self) -> None:
        self._reader.close()

    def run(self, progress: Progress | None) -> Figures:
        bench, clock = self._bench, time.perf_counter
        # With a window: beyond this it is no longer full.
        steady_until = bench.orders - (bench.window if bench.rate is None else 0)
        cpu_s, started = time.process_time(), clock()
        stopwatch = Stopwatch(bench.warmup, max(bench.warmup + 1, steady_until), started)
        moved = started
        while self._ended < bench.orders:
            now = clock()
            self._send_due(now, now - started)
            self._sender.poll()
            # Waits 5 ms, also at a rate: to wake for every order would take a core of the machine
            # that is measured. Latencies are up to that much too long.
            messages = self._reader.read()
            if messages:
                moved = clock()
                self._take(messages, moved)
                stopwatch.tell(self._done, moved)
                if progress is not None:
                    progress(self._done, bench.orders)
            elif now - moved > bench.timeout_s:
                break
        self._sender.flush()
        cpu_s = time.process_time() - cpu_s
        if self._undone:
            self._answer_refunds()
        return Figures(
            orders=bench.orders,
            seconds=round(moved - started, 3),
            per_second=round(stopwatch.per_second(), 1),
            created=self._created,
            paid=self._paid,
            rejected=self._rejected,
            undone=self._undone,
            missing=bench.orders - self._ended,
            repeated_facts=self._repeats,
            create=latency(self._create_s),
            pay=latency(self._pay_s),
            driver_us=round(cpu_s / bench.orders * 1e6, 1),
        )

    def _send_due(self, now: float, elapsed_s: float) -> None:
        bench, sender, sent = self._bench, self._sender, self._sent
        due = self._done + bench.window
        if bench.rate is not None:
            due = int(elapsed_s * bench.rate) + 1
        due = min(bench.orders, due)
        produce, sent_s = sender.produce, self._sent_s
        for index in range(sent, due):
            key, value, _ = self._orders[index]
            sent_s[index] = now
            produce(ORDERS, value, key)
            if index % _POLL_EVERY == 0:
                sender.poll()
                now = time.perf_counter()
        self._sent = max(sent, due)

    def _take(self, messages: list[Message], now: float) -> None:
        mark_of, index_of, marks = self._mark_of, self._index, self._marks
        warmup = self._bench.warmup
        for message in messages:
            value = cast("bytes", message.value())
            mark = mark_of.get(value[:PREFIX_BYTES])
            if mark is None:
                mark = self._learn(value)
            if not mark:
                continue
            index = index_of.get(cast("bytes", message.key()))
            if index is None:
                continue
            had = marks[index]
            if had & mark:
                self._repeats += 1
                continue
            marks[index] = had | mark
            self._ended += bool(mark & _ENDS and not had & _ENDS)
            self._done += bool(mark & _DONE and not had & _DONE)
            if mark == _OPENED:
                self._pay(index)
            elif mark == _PAID:
                self._paid += 1
                if index >= warmup:
                    self._pay_s.append(now - self._created_s[index])
            elif mark in (_CREATED, _REJECTED):
                self._created += mark == _CREATED
                self._rejected += mark == _REJECTED
                self._created_s[index] = now
                if index >= warmup:
                    self._create_s.append(now - self._sent_s[index])
            elif mark != _CONFIRMED:
                self._undone += not had & (_UNDONE | _PARKED)

    def _pay(self, index: int) -> None:
        """Report the money as the gateway would."""
        key, _, report = self._orders[index]
        self._sender.produce(PAYMENTS, report, key)

    def _learn(self, value: bytes) -> int:
        """Return the mark of facts of this schema (0: none), and remember it."""
        mark = _MARKS.get(self._kind_of(value), 0)
        self._mark_of[value[:PREFIX_BYTES]] = mark
        return mark

    def _send_report(self, report: GatewayReport) -> None:
        sender = self._sender
        sender.produce(PAYMENTS, sender.encode(report), report.order_no)

    def _answer_refunds(self) -> None:
        """Give back, as the gateway would, what came too late; until no more is asked for."""
        reader = Reader(self._where, [], self._payments_from)
        answered: set[str] = set()
        try:
            quiet_since = time.perf_counter()
            while time.perf_counter() - quiet_since < _QUIET_S:
                for message in reader.read_soon(_QUIET_S / 10):
                    value = cast("bytes", message.value())
                    if self._kind_of(value) is not RefundRequested:
                        continue
                    asked = cast("RefundRequested", self._decode(value))
                    if asked.order_no.encode() in self._index and asked.refund_no not in answered:
                        answered.add(asked.refund_no)
                        self._send_report(_returned(asked, time.time_ns() // 1_000_000))
                        quiet_since = time.perf_counter()
                self._sender.poll()
        finally:
            reader.close()
        self._sender.flush()


def _paid(order: PlaceOrder, now_ms: int) -> GatewayReport:
    """Return what the gateway reports of an order's first payment."""
    number = pay_no(order.order_no, 1)
    return GatewayReport(
        order_no=order.order_no,
        pay_no=number,
        refund_no="",
        gateway=CHANNEL,
        gateway_txn_no=f"T{number}",
        status=GatewayStatus.SUCCEEDED,
        amount_fen=order.total_fen,
        currency=order.currency,
        occurred_at_ms=now_ms,
        trace_id=order.trace_id,
    )


def _returned(asked: RefundRequested, now_ms: int) -> GatewayReport:
    return GatewayReport(
        order_no=asked.order_no,
        pay_no=asked.pay_no,
        refund_no=asked.refund_no,
        gateway=CHANNEL,
        gateway_txn_no=f"T{asked.refund_no}",
        status=GatewayStatus.SUCCEEDED,
        amount_fen=asked.amount_fen,
        currency=asked.currency,
        occurred_at_ms=now_ms,
        trace_id=asked.trace_id,
    )


class Stopwatch:
    """Takes the rate between two counts, at the moments when each was first reached."""

    def __init__(self, from_count: int, to_count: int, now_s: float) -> None:
        self._from_count, self._to_count = from_count, to_count
        self._began = (0, now_s) if from_count == 0 else None
        self._last = (0, now_s)
        self._ended = False

    def tell(self, count: int, now_s: float) -> None:
        """Note that ``count`` is reached now."""
        if self._began is None and count >= self._from_count:
            self._began = (count, now_s)
        if not self._ended:
            self._last = (count, now_s)
            self._ended = count >= self._to_count

    def per_second(self) -> float:
        """Return the rate; 0.0 when the first count, or time, was never reached."""
        if self._began is None or self._last[1] <= self._began[1]:
            return 0.0
        return (self._last[0] - self._began[0]) / (self._last[1] - self._began[1])


class _Prices:
    """The catalogue as a price list."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._shop_id = catalogue.shop_id
        self._prices = {sku.sku_id: ListPrice(sku.price_fen, "CNY") for sku in catalogue.skus}

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return self._prices.get(sku_id) if shop_id == self._shop_id else None


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector out of the measured latencies."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
