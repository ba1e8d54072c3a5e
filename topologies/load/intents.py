"""The public way in: intents at a rate or in a window, each order followed to its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Message

from schemas import topics
from schemas.errors import InvalidMessage
from schemas.order import CancelOrder, CompleteOrder, OrderRefused, PlaceOrder, PlaceOrderIntent
from schemas.record import Record
from topologies.load.accounting import STATES, Accounts, State
from topologies.load.catalogue import Catalogue
from topologies.load.clients import Kinds, LoadError, Reader, Sender, Where
from topologies.load.payers import CHANNELS, EVERYBODY_PAYS, Mix, Payer
from topologies.load.report import Report, report
from topologies.load.shopping import Purchase, purchases

Progress = Callable[[int, int], None]
"""Told (orders settled, orders in all)."""

INTENTS = topics.ORDER_INTENTS.name
_FOREIGN = -1  # an order that this run did not send
_IDLE_S = 0.005
_POLL_EVERY = 500  # records produced between two looks at the client
_RUN_DIGITS = 16  # of a trace id's 32; the rest counts the orders


@dataclass(frozen=True)
class Load:
    """What to send. ``rate`` orders a second (open loop), or else ``window`` orders at a time.

    ``completes``: buyers confirm that they have the goods. ``repeated``: every so many intents one
    is sent twice, as a client does that lost the answer (0: none). ``timeout_s`` runs from the last
    fact or intent: an order that waits longer for its end is missing.
    """

    orders: int
    rate: float | None = None
    window: int = 1_000
    mix: Mix = field(default_factory=lambda: EVERYBODY_PAYS)
    seed: int = 1
    exponent: float = 1.0
    completes: bool = True
    repeated: int = 0
    single: bool = False
    timeout_s: float = 60.0


def run_load(
    where: Where, catalogue: Catalogue, load: Load, run: str, progress: Progress | None = None
) -> Report:
    """Send the load and follow every order until all are settled or nothing moves any more.

    ``run`` (hex digits, see `clients.run_name`) tells this run's orders from all others. Raises
    LoadError when Kafka goes away.
    """
    driver = _Driver(where, catalogue, load, run)
    try:
        return driver.run(progress)
    finally:
        driver.close()


class _Driver:
    def __init__(self, where: Where, catalogue: Catalogue, load: Load, run: str) -> None:
        self._load = load
        self._run = run
        self._trace_head = run.rjust(_RUN_DIGITS, "0")
        if len(self._trace_head) != _RUN_DIGITS:
            raise ValueError(f"the name of a run has at most {_RUN_DIGITS} hex digits: {run}")
        self._shop_id = catalogue.shop_id
        self._purchases = purchases(
            catalogue, load.mix, load.seed, load.exponent, single=load.single
        )
        self._decode = where.codec.decode
        self._accounts = Accounts(load.completes)
        self._users: list[int] = []
        self._refused: Counter[str] = Counter()
        self._index: dict[str, int] = {}
        self._kind_of = Kinds(where.codec)
        self._sender = Sender(where)
        self._dead_letters = topics.ORDER_INTENTS.dead_letters
        self._reader = Reader(where, [topics.ORDER_EVENTS.name, self._dead_letters])
        self._behind_s = 0.0

    def close(self) -> None:
        self._reader.close()

    def run(self, progress: Progress | None) -> Report:
        load, accounts = self._load, self._accounts
        started = moved = time.perf_counter()
        while accounts.settled < load.orders:
            now = time.perf_counter()
            sent, settled = accounts.sent, accounts.settled
            self._send_due(now - started)
            self._sender.poll()
            # Late in the run only the last few are awaited: no need to spin.
            messages = self._reader.read_soon(self._idle_s(started))
            for message in messages:
                self._take(message, time.perf_counter())
            if messages or accounts.sent != sent:
                moved = time.perf_counter()
            elif time.perf_counter() - moved > load.timeout_s:
                break
            if progress is not None and accounts.settled != settled:
                progress(accounts.settled, load.orders)
        self._sender.flush()
        seconds = time.perf_counter() - started
        return report(accounts, self._run, seconds, self._refused, self._behind_s * 1000)

    def _send_due(self, elapsed_s: float) -> None:
        load, accounts = self._load, self._accounts
        if load.rate is None:
            due = min(load.orders, accounts.settled + load.window)
        else:
            due = min(load.orders, int(elapsed_s * load.rate) + 1)
            if accounts.sent < due:
                self._behind_s = max(self._behind_s, elapsed_s - accounts.sent / load.rate)
        for n in range(accounts.sent, due):
            self._send(next(self._purchases))
            if n % _POLL_EVERY == 0:
                self._sender.poll()

    def _idle_s(self, started: float) -> float:
        load, sent = self._load, self._accounts.sent
        if load.rate is None or sent >= load.orders:
            return _IDLE_S
        return max(0.0, min(_IDLE_S, started + sent / load.rate - time.perf_counter()))

    def _send(self, purchase: Purchase) -> None:
        sender = self._sender
        client_key = f"{self._run}-{purchase.nth}"
        value = sender.encode(
            PlaceOrderIntent(
                shop_id=self._shop_id,
                user_id=purchase.user_id,
                client_key=client_key,
                lines=purchase.lines,
                total_fen=purchase.total_fen,
                placed_at_ms=time.time_ns() // 1_000_000,
                pay_channel=CHANNELS[purchase.payer],
                trace_id=f"{self._trace_head}{purchase.nth:016x}",
            )
        )
        self._users.append(purchase.user_id)
        self._accounts.send(purchase.payer, time.perf_counter())
        sender.produce(INTENTS, value, client_key)
        if self._load.repeated and purchase.nth % self._load.repeated == 0:
            sender.produce(INTENTS, value, client_key)

    def _take(self, message: Message, now: float) -> None:
        value = cast("bytes", message.value())
        if message.topic() == self._dead_letters:
            self._take_refused_intent(message, value)
            return
        state = STATES.get(self._kind_of(value))
        order_no = cast("bytes", message.key()).decode()
        index = self._index.get(order_no)
        if index is None:
            index = self._index[order_no] = self._index_of(self._decode(value))
        if index == _FOREIGN:
            return
        if state is None:
            self._take_refusal(index, self._decode(value))
        elif self._accounts.take(index, order_no, state, now):
            self._act(index, order_no, state)

    def _act(self, index: int, order_no: str, state: State) -> None:
        """Do what the buyer does next."""
        request: CancelOrder | CompleteOrder
        shop_id, user_id = self._shop_id, self._users[index]
        trace_id = f"{self._trace_head}{index:016x}"
        if state is State.CREATED and self._accounts.payer(index) is Payer.CANCEL:
            request = CancelOrder(order_no, shop_id, user_id, "changed my mind", trace_id)
        elif state is State.CONFIRMED and self._load.completes:
            request = CompleteOrder(order_no, shop_id, user_id, trace_id)
        else:
            return
        self._sender.produce(INTENTS, self._sender.encode(request), order_no)

    def _take_refusal(self, index: int, fact: Record) -> None:
        if isinstance(fact, OrderRefused):
            self._refused[f"{fact.command} {fact.reason}"] += 1
            if fact.command == PlaceOrder.__name__:
                self._accounts.refuse(index)

    def _take_refused_intent(self, message: Message, value: bytes) -> None:
        try:
            intent = self._decode(value)
        except InvalidMessage:
            return  # not readable, so not ours
        index = self._index_of(intent)
        if index == _FOREIGN:
            return
        headers = dict(cast("list[tuple[str, bytes]]", message.headers() or []))
        self._refused[f"{type(intent).__name__} {headers.get('dlq_code', b'?').decode()}"] += 1
        if isinstance(intent, PlaceOrderIntent):
            self._accounts.refuse(index)

    def _index_of(self, record: Record) -> int:
        trace_id: str = getattr(record, "trace_id", "")
        if not trace_id.startswith(self._trace_head):
            return _FOREIGN
        index = int(trace_id[_RUN_DIGITS:], 16)
        if index >= self._accounts.sent:
            raise LoadError(f"trace id {trace_id} is of this run, but such an order was never sent")
        return index
