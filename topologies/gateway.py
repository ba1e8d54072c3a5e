"""The simulated payment gateway: an effect worker that pays, refunds, and can be made to misbehave.

Who pays is decided by the channel of the payment:

- ``sim-late``: pays after ``late_ms``, PENDING until then;
- ``sim-never``: is never heard of;
- ``sim-twice``: two real charges for one payment;
- ``sim-decline``: fails;
- ``sim`` and any other that begins with ``sim-``: pays, at once unless the faults say otherwise;
- every other channel is somebody else's, and is left to them.

Which money moves depends on nothing but the numbers and the seed, and the gateway's number of a
movement is made of the payment's: a simulator that was killed and started again answers a repeated
call with the same transaction. A lost message is sent later by itself, as gateways do; a silent end
is only told to who asks. A query is answered with how the payment or refund stands now, and moves
no money; about ``sim-never`` the answer is that nobody paid yet, or CLOSED when the order has.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple, TypeVar

import uvloop

from schemas import topics
from schemas.codec import Codec
from schemas.payment import (
    GatewayReport,
    GatewayStatus,
    PaymentQueried,
    PaymentRequested,
    RefundQueried,
    RefundRequested,
)
from schemas.record import Record
from schemas.registry import connected_codec
from streams.engine.effects import Call, EffectSettings, EffectWorker, Send
from streams.kernel.stage import Output
from topologies.calling_back import callback_client, over_http

T = TypeVar("T")

GATEWAY = "sim"
LATE, NEVER, TWICE, DECLINE = "sim-late", "sim-never", "sim-twice", "sim-decline"
GROUP = "gateway-sim"

MAX_REMEMBERED = (
    200_000  # payments, and refunds: about 100 MB; older ones are made up anew, the same
)

_PENDING, _UNKNOWN = GatewayStatus.PENDING, GatewayStatus.UNKNOWN
_SUCCEEDED, _FAILED = GatewayStatus.SUCCEEDED, GatewayStatus.FAILED
_CLOSED = GatewayStatus.CLOSED


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Probabilities are from 0 to 1, times in milliseconds.

    Raises ValueError for a probability or a time that cannot be.
    """

    slow_ms: tuple[int, int] = (0, 0)
    """A payment or refund takes between these two, and is PENDING until then."""
    duplicate: float = 0.0
    """The last message comes twice."""
    reordered: float = 0.0
    """PENDING comes after the end."""
    lost: float = 0.0
    """The end is first heard of ``lost_resend_ms`` later."""
    unknown: float = 0.0
    """UNKNOWN comes first, the truth ``lost_resend_ms`` later. A query is answered so as well."""
    declined: float = 0.0
    """A payment fails."""
    refund_failed: float = 0.0
    """A try to refund fails; the next try is another throw of the dice."""
    lost_resend_ms: int = 5_000
    late_ms: int = 5_000
    """How long ``sim-late`` takes."""
    silent: float = 0.0
    """PENDING comes, and the end only to who asks."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, float) and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is {value}: a probability is from 0 to 1")
            if isinstance(field.default, int) and value < 0:
                raise ValueError(f"{field.name} is {value}: a time is not negative")
        if not 0 <= self.slow_ms[0] <= self.slow_ms[1]:
            raise ValueError(f"slow_ms is {self.slow_ms}: the least first, none negative")


@dataclass(frozen=True)
class Callback:
    """Where reports are posted to, and the secret that signs them."""

    url: str
    secret: bytes


class Delivery(NamedTuple):
    """A message that leaves the gateway ``after_ms`` from now."""

    after_ms: int
    report: GatewayReport


class _Payment:
    """A payment as the gateway has it: one end, reached at ``end_at_ms``."""

    __slots__ = ("end_at_ms", "ends", "refunded_fen")

    def __init__(self, ends: tuple[GatewayReport, ...], end_at_ms: int) -> None:
        self.ends = ends
        self.end_at_ms = end_at_ms
        self.refunded_fen = 0

    @property
    def paid_fen(self) -> int:
        """What the payment brought, all charges together."""
        return sum(end.amount_fen for end in self.ends if end.status == _SUCCEEDED)


class _Refund:
    """A refund as the gateway has it; after a failure it may be tried again."""

    __slots__ = ("end", "end_at_ms", "tries")

    def __init__(self) -> None:
        self.end: GatewayReport | None = None
        self.end_at_ms = 0
        self.tries = 0


class SimulatedGateway:
    """Keeps payments and refunds by their numbers and answers calls as ``faults`` want it.

    ``now_ms`` is the gateway's clock (epoch milliseconds); it waits by ``asyncio.sleep``.
    """

    def __init__(self, faults: Faults, dice: random.Random, now_ms: Callable[[], int]) -> None:
        self._faults = faults
        self._dice = dice
        self._seed = dice.getrandbits(32)
        self._now_ms = now_ms
        self._payments: OrderedDict[str, _Payment] = OrderedDict()
        self._refunds: OrderedDict[str, _Refund] = OrderedDict()

    def calls(self) -> Mapping[type[Record], Call]:
        """Return what an effect worker has to call for which fact."""
        return {
            PaymentRequested: self.pay,
            RefundRequested: self.refund,
            PaymentQueried: self.query_payment,
            RefundQueried: self.query_refund,
        }

    def pay(self, fact: PaymentRequested, send: Send) -> Awaitable[None] | None:
        """Take a payment; the same ``pay_no`` again is the same payment."""
        return _deliver(self.plan_payment(fact), send)

    def refund(self, fact: RefundRequested, send: Send) -> Awaitable[None] | None:
        """Give money back; the same ``refund_no`` again is the same refund, or its next try."""
        return _deliver(self.plan_refund(fact), send)

    def query_payment(self, fact: PaymentQueried, send: Send) -> None:
        """Say how a payment stands; one that was made before a restart has ended meanwhile."""
        if not _is_ours(fact.channel):
            return
        if fact.channel == NEVER:
            unpaid = self._end(fact, "", _CLOSED if fact.is_closed else _PENDING)
            self._answer((unpaid,), 0, send)
            return
        known = self._payments.get(fact.pay_no) or self._new_payment(fact, 0)
        self._answer(known.ends, known.end_at_ms, send)

    def query_refund(self, fact: RefundQueried, send: Send) -> None:
        """Say how a refund stands; one that is not remembered was not made: FAILED."""
        if not _is_ours(fact.channel):
            return
        known = self._refunds.get(fact.refund_no)
        end = known.end if known is not None else None
        if known is None or end is None:
            self._answer((self._end(fact, fact.refund_no, _FAILED),), 0, send)
        else:
            self._answer((end,), known.end_at_ms, send)

    def _answer(self, ends: tuple[GatewayReport, ...], end_at_ms: int, send: Send) -> None:
        if self._happens(self._faults.unknown):
            ends = (_before(ends[0], _UNKNOWN),)
        elif end_at_ms > self._now_ms():
            ends = (_before(ends[0], _PENDING),)
        for end in ends:
            _send(end, send)

    def plan_payment(self, fact: PaymentRequested) -> list[Delivery]:
        """Return the messages that a call for a payment leads to, in the order they leave."""
        if fact.channel == NEVER or not _is_ours(fact.channel):
            return []
        known = self._payments.get(fact.pay_no)
        if known is not None:
            return _timeline(known.ends, max(0, known.end_at_ms - self._now_ms()))
        wait_ms = self._faults.late_ms if fact.channel == LATE else self._slowness_ms()
        return self._spoilt(self._new_payment(fact, wait_ms).ends, wait_ms)

    def _new_payment(self, fact: PaymentRequested | PaymentQueried, wait_ms: int) -> _Payment:
        now_ms = self._now_ms()
        is_declined = fact.channel == DECLINE or self._falls(self._faults.declined, fact.pay_no)
        if is_declined:
            ends: tuple[GatewayReport, ...] = (self._end(fact, "", _FAILED, "", wait_ms),)
        else:
            charges = 2 if fact.channel == TWICE else 1
            numbers = (_txn_no(fact.pay_no, nth) for nth in range(1, charges + 1))
            ends = tuple(self._end(fact, "", _SUCCEEDED, number, wait_ms) for number in numbers)
        payment = _Payment(ends, now_ms + wait_ms)
        _remember(self._payments, fact.pay_no, payment)
        return payment

    def _end(
        self,
        fact: PaymentRequested | PaymentQueried | RefundRequested | RefundQueried,
        refund_no: str,
        status: GatewayStatus,
        txn_no: str = "",
        wait_ms: int = 0,
    ) -> GatewayReport:
        """Return what the gateway says in ``wait_ms``."""
        return GatewayReport(
            order_no=fact.order_no,
            pay_no=fact.pay_no,
            refund_no=refund_no,
            gateway=GATEWAY,
            gateway_txn_no=txn_no,
            status=status,
            amount_fen=fact.amount_fen,
            currency=fact.currency,
            occurred_at_ms=self._now_ms() + wait_ms,
            trace_id=fact.trace_id,
        )

    def plan_refund(self, fact: RefundRequested) -> list[Delivery]:
        """Return the messages that a call for a refund leads to, in the order they leave."""
        if not _is_ours(fact.channel):
            return []
        now_ms = self._now_ms()
        refund = self._refunds.get(fact.refund_no)
        if refund is None:
            refund = _Refund()
            _remember(self._refunds, fact.refund_no, refund)
        end = refund.end
        if end is not None and (end.status == _SUCCEEDED or now_ms < refund.end_at_ms):
            return _timeline((end,), max(0, refund.end_at_ms - now_ms))
        refund.tries += 1
        wait_ms = self._slowness_ms()
        payment = self._payments.get(fact.pay_no)
        # A payment that is not remembered was made before a restart: it is not doubted.
        is_covered = payment is None or payment.refunded_fen + fact.amount_fen <= payment.paid_fen
        throw = f"{fact.refund_no}/{refund.tries}"
        is_returned = is_covered and not self._falls(self._faults.refund_failed, throw)
        if is_returned and payment is not None:
            payment.refunded_fen += fact.amount_fen
        refund.end_at_ms = now_ms + wait_ms
        status = _SUCCEEDED if is_returned else _FAILED
        txn_no = _txn_no(fact.refund_no, 1) if is_returned else ""
        refund.end = self._end(fact, fact.refund_no, status, txn_no, wait_ms)
        return self._spoilt((refund.end,), wait_ms)

    def _slowness_ms(self) -> int:
        least_ms, most_ms = self._faults.slow_ms
        return self._dice.randint(least_ms, most_ms) if most_ms else 0

    def _falls(self, probability: float, what: str) -> bool:
        """Throw dice that fall the same way for the same ``what``, also after a restart."""
        if not probability:
            return False
        # Not a CRC: the numbers of two tries differ in one digit, and it would fall alike for both.
        throw = hashlib.blake2b(f"{self._seed}/{what}".encode(), digest_size=4).digest()
        return int.from_bytes(throw, "big") < probability * (1 << 32)

    def _happens(self, probability: float) -> bool:
        return bool(probability) and self._dice.random() < probability

    def _spoilt(self, ends: tuple[GatewayReport, ...], wait_ms: int) -> list[Delivery]:
        """Return the messages of a new payment or refund, with the faults that fall on them."""
        faults = self._faults
        if self._happens(faults.silent):
            return [Delivery(0, _before(ends[0], _PENDING))]
        is_unknown = self._happens(faults.unknown)
        is_late = self._happens(faults.lost) or is_unknown
        heard_ms = wait_ms + faults.lost_resend_ms if is_late else wait_ms
        last = [Delivery(heard_ms, end) for end in ends]
        if self._happens(faults.duplicate):
            last.append(last[-1])
        if is_unknown:
            return [Delivery(0, _before(ends[0], _UNKNOWN)), *last]
        pending = _before(ends[0], _PENDING)
        if self._happens(faults.reordered):
            return [*last, Delivery(heard_ms, pending)]
        return [Delivery(0, pending), *last] if heard_ms else last


def _is_ours(channel: str) -> bool:
    return channel == GATEWAY or channel.startswith(f"{GATEWAY}-")


def _timeline(ends: tuple[GatewayReport, ...], wait_ms: int) -> list[Delivery]:
    last = [Delivery(wait_ms, end) for end in ends]
    return [Delivery(0, _before(ends[0], _PENDING)), *last] if wait_ms else last


def _before(end: GatewayReport, status: GatewayStatus) -> GatewayReport:
    """Return what the gateway says before the end."""
    return GatewayReport(
        order_no=end.order_no,
        pay_no=end.pay_no,
        refund_no=end.refund_no,
        gateway=end.gateway,
        gateway_txn_no="",
        status=status,
        amount_fen=end.amount_fen,
        currency=end.currency,
        occurred_at_ms=end.occurred_at_ms,
        trace_id=end.trace_id,
    )


def _txn_no(number: str, nth: int) -> str:
    return f"SIM-{number}" if nth == 1 else f"SIM-{number}-{nth}"


def _remember(kept: OrderedDict[str, T], number: str, value: T) -> None:
    kept[number] = value
    if len(kept) > MAX_REMEMBERED:
        kept.popitem(last=False)


def _deliver(plan: list[Delivery], send: Send) -> Awaitable[None] | None:
    """Send what leaves at once; return what has to be awaited for the rest, or None."""
    left = iter(plan)
    for delivery in left:
        if delivery.after_ms:
            return _deliver_later(delivery, left, send)
        _send(delivery.report, send)
    return None


async def _deliver_later(first: Delivery, rest: Iterator[Delivery], send: Send) -> None:
    passed_ms = 0
    for after_ms, report in (first, *rest):
        if after_ms > passed_ms:
            await asyncio.sleep((after_ms - passed_ms) / 1000)
            passed_ms = after_ms
        _send(report, send)


def _send(report: GatewayReport, send: Send) -> None:
    send(Output(topics.PAYMENT_COMMANDS.name, report.order_no, report))


def run_gateway(
    kafka: str,
    registry: str,
    faults: Faults,
    *,
    seed: int = 0,
    group: str = GROUP,
    max_in_flight: int = EffectSettings.max_in_flight,
    callback: Callback | None = None,
) -> None:
    """Run the simulated gateway until SIGTERM or SIGINT; then leave nothing undone uncommitted.

    ``kafka`` is host:port, ``registry`` the base URL of the Confluent-compatible interface. Reports
    go to ``callback`` by HTTP, without one into the payments inbox. Raises
    SchemasMissing when the schemas are not registered, StageDefect or KafkaException when it cannot
    go on.
    """
    codec = connected_codec(registry, (*topics.PAYMENT_EVENTS.records, GatewayReport))
    gateway = SimulatedGateway(faults, random.Random(seed), lambda: time.time_ns() // 1_000_000)
    settings = EffectSettings(
        kafka=kafka, group=group, source=topics.PAYMENT_EVENTS, max_in_flight=max_in_flight
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, codec, gateway.calls(), callback))


async def _run(
    settings: EffectSettings,
    codec: Codec,
    calls: Mapping[type[Record], Call],
    callback: Callback | None,
) -> None:
    if callback is None:
        await _work(EffectWorker(settings, codec, calls))
        return
    async with callback_client(callback.url, callback.secret) as deliver:
        await _work(EffectWorker(settings, codec, over_http(calls, deliver)))


async def _work(worker: EffectWorker) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await worker.run(stop)
