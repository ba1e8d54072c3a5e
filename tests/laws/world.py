"""The whole pipeline over a log in memory: admission, all stages and a payment gateway."""

from __future__ import annotations

import random
from dataclasses import fields
from heapq import heappop, heappush

from schemas import topics
from schemas.codec import local_codec
from schemas.inventory import (
    AdjustStock,
    Allocation,
    CountStock,
    HoldTerms,
    Restock,
    SetStockRules,
    Shortage,
    TransferStock,
)
from schemas.order import (
    AmendOrderIntent,
    CancelOrder,
    CartLine,
    CompleteOrder,
    OperateOrder,
    OperatorAction,
    PayOrder,
    PlaceOrderIntent,
    RefundOrder,
    ShipOrder,
    SkuUnits,
)
from schemas.payment import (
    PaymentRequested,
    PaymentTicketOpened,
    RefundRequested,
    ResolveTicket,
    TicketResolution,
)
from schemas.promotion import AmountOff, Effect, Level, Rule, RulePack
from schemas.record import Record
from streams.admission.identity import derive_order_no
from streams.engine.fold import cause_of
from streams.engine.memory import MemoryHost, MemoryLog, Reader
from streams.engine.store import MemoryStore, NewStore
from streams.kernel.stage import Output
from streams.orders import OrderLimits
from streams.pricing import (
    Cart,
    CompiledPack,
    ListPrice,
    PricedCart,
    Shopper,
    compile_pack,
    price,
)
from tests.laws.history import (
    MINUTE_MS,
    RESOLUTIONS,
    SECOND_MS,
    Amend,
    AnyStep,
    Cancel,
    Complete,
    Count,
    History,
    Lines,
    Operate,
    Pay,
    Place,
    Refund,
    Resolve,
    Rules,
    Ship,
    Stock,
    Transfer,
    Wait,
)
from topologies.audit.resends import Resends
from topologies.gateway import Faults, SimulatedGateway
from topologies.pipeline import all_records, relays, stages

PARTITIONS = 2
SHOP = 7
CODEC = local_codec(all_records())
STAGES = {stage.name: stage for stage in stages(OrderLimits())}

# A payment window (15 min), a hold (25), a step's retries (4.5), a late payment (20) and a refund's
# retries (51), one after the other: 116 min.
_REST_MS = 150 * MINUTE_MS
_REST_STEP_MS = 5 * MINUTE_MS


_FAULTS = [field.name for field in fields(Faults) if isinstance(field.default, float)]


class Prices:
    """Every sku costs a hundred times its number."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice:
        return ListPrice(100 * sku_id, "CNY")


PACK = compile_pack(
    RulePack(
        "fest",
        SHOP,
        (
            Rule(
                "full",
                Level.ORDER,
                Effect(amount_off=AmountOff(30)),
                when="cart.fen >= 400",
                budget_fen=270,
                quota=10,
                per_user=6,
            ),
        ),
        version=1,
    )
)
"""For carts of some size: now and then a budget, a quota or a buyer's limit runs out."""


class Packs:
    """The shop has one pack."""

    def in_force(self, shop_id: int, at_ms: int) -> CompiledPack:
        return PACK


class Gateway:
    """The simulated gateway, called for each fact; with ``repeats`` for those sent again, too."""

    def __init__(self, log: MemoryLog, seed: int, *, repeats: bool) -> None:
        dice = random.Random(seed)
        chances = {name: dice.choice((0.0, 0.5)) for name in _FAULTS}
        if dice.randrange(3) == 0:  # then nothing comes to an end without a human
            chances[dice.choice(("unknown", "refund_failed"))] = 1.0
        self._faults = Faults(
            **chances,
            slow_ms=dice.choice(((0, 0), (SECOND_MS, MINUTE_MS))),
            lost_resend_ms=dice.choice((5 * SECOND_MS, 10 * MINUTE_MS)),
            late_ms=dice.choice((30 * SECOND_MS, 20 * MINUTE_MS)),
        )
        self._gateway = SimulatedGateway(self._faults, dice, lambda: log.clock_ms)
        self._calls = self._gateway.calls()
        self._log = log
        self._resends = None if repeats else Resends()
        self._read = [0] * log.partitions
        self._sent = 0
        self._under_way: list[tuple[int, int, Record]] = []

    def next_ms(self) -> int | None:
        """Return when the next message is due to leave; None: nothing is under way."""
        return self._under_way[0][0] if self._under_way else None

    def turn(self) -> int:
        """Take the calls that new facts ask for and send what is due; return how many it was."""
        moved = 0
        for partition in range(self._log.partitions):
            records = self._log.read(topics.PAYMENT_EVENTS.name, partition, self._read[partition])
            self._read[partition] += len(records)
            moved += len(records)
            for record in records:
                if self._resends is None or not self._resends.is_resend(
                    topics.PAYMENT_EVENTS.name, partition, cause_of(record.headers) or b""
                ):
                    self._take(CODEC.decode(record.value))
        while self._under_way and self._under_way[0][0] <= self._log.clock_ms:
            _, _, report = heappop(self._under_way)
            key = report.order_no  # type: ignore[attr-defined]  # a GatewayReport
            self._log.append(topics.PAYMENT_COMMANDS.name, key, CODEC.encode(report))
            moved += 1
        return moved

    def _take(self, fact: Record) -> None:
        if isinstance(fact, PaymentRequested):
            plan = self._gateway.plan_payment(fact)
        elif isinstance(fact, RefundRequested):
            plan = self._gateway.plan_refund(fact)
        else:
            call = self._calls.get(type(fact))
            if call is not None:
                call(fact, self._answer)
            return
        for after_ms, report in plan:
            self._sent += 1
            heappush(self._under_way, (self._log.clock_ms + after_ms, self._sent, report))

    def _answer(self, output: Output) -> None:
        self._log.append(output.topic, output.key, CODEC.encode(output.message))


class World:
    """Plays a history, everybody reading in turn until nothing moves after each step."""

    gateway_hears_repeats = False

    def __init__(
        self, history: History, log: MemoryLog | None = None, new_store: NewStore = MemoryStore
    ) -> None:
        self.log = log or MemoryLog(PARTITIONS)
        self.host = MemoryHost(
            tuple(STAGES.values()),
            CODEC,
            relays(Prices(), Packs()),
            partitions=self.log.partitions,
            log=self.log,
            new_store=new_store,
        )
        self._gateway = Gateway(self.log, history.seed, repeats=self.gateway_hears_repeats)
        self._intents: list[PlaceOrderIntent] = []
        self._entries = 0

    def play(self, history: History) -> None:
        """Do the steps, then let everything come to rest.

        Nothing stays paused for ever, and operators decide on the tickets that are opened, wisely
        or not.
        """
        for step in history.steps:
            self.act(step)
        dice = random.Random(history.seed)
        for order in range(len(self._intents)):
            self.act(Operate(order, OperatorAction.RESUME))
        self._rest()
        if any(isinstance(f, PaymentTicketOpened) for f in self._payment_facts()):
            for order in range(len(self._intents)):
                self.act(Resolve(order, dice.choice(RESOLUTIONS)))
            self._rest()

    def _rest(self) -> None:
        for _ in range(_REST_MS // _REST_STEP_MS):
            self.wait(_REST_STEP_MS)

    def order_numbers(self) -> list[str]:
        """Return the numbers of the orders that clients sent."""
        return [_order_no(intent) for intent in self._intents]

    def act(self, step: AnyStep) -> None:
        """Do one step of a history."""
        match step:
            case Wait(ms):
                self.wait(ms)
                return
            case Place():
                self._intents.append(self._intent(step))
                self._send_intent(self._intents[-1])
            case Stock() | Transfer() | Count() | Rules():
                self._send_entry(step)
            case _:
                if self._intents:
                    self._request(step, self._intents[step.order % len(self._intents)])
        self.settle()

    def settle(self) -> None:
        """Let everybody read until nothing moves."""
        while sum(self.turn(at) for at in self.host.readers()) + self._gateway.turn():
            pass

    def turn(self, at: Reader) -> int:
        """Let one reader read what there is; return how many records it was."""
        return self.host.turn(*at)

    def stands_still(self, _at: Reader) -> bool:
        """Tell whether a reader does nothing for now, not even tick its inbox."""
        return False

    def wait(self, ms: int) -> None:
        """Let time pass, with a stop whenever the gateway has something to say."""
        until_ms = self.log.clock_ms + ms
        while (due_ms := self._gateway.next_ms()) is not None and due_ms <= until_ms:
            self.log.clock_ms = max(due_ms, self.log.clock_ms)
            self._gateway.turn()
            self._tick_and_settle()
        self.log.clock_ms = until_ms
        self._tick_and_settle()

    def _tick_and_settle(self) -> None:
        for at in self.host.readers():
            if at[0] in STAGES and not self.stands_still(at):
                self.host.tick(*at)
        self.settle()

    def _intent(self, step: Place) -> PlaceOrderIntent:
        lines = _cart(step.lines, step.terms)
        return PlaceOrderIntent(
            shop_id=SHOP,
            user_id=step.user,
            client_key=f"key-{len(self._intents)}",
            lines=lines,
            total_fen=_total_fen(lines, self.log.clock_ms),
            placed_at_ms=self.log.clock_ms,
            pay_channel=step.channel,
        )

    def _send_intent(self, intent: PlaceOrderIntent) -> None:
        self.host.send(topics.ORDER_INTENTS.name, intent.client_key, intent)

    def _send_entry(self, step: Stock | Transfer | Count | Rules) -> None:
        self._entries += 1
        ref = f"entry-{self._entries}"
        entry: Record
        match step:
            case Stock(sku, delta, warehouse) if delta > 0:
                entry = Restock(ref, SHOP, sku, warehouse, delta)
            case Stock(sku, delta, warehouse):
                entry = AdjustStock(ref, SHOP, sku, warehouse, delta, "count")
            case Transfer(sku, qty, warehouse, other):
                entry = TransferStock(ref, SHOP, sku, warehouse, other, qty, "somebody")
            case Count(sku, counted, warehouse):
                entry = CountStock(ref, SHOP, sku, warehouse, counted, "somebody")
            case Rules(sku, limit, cap):
                entry = SetStockRules(ref, SHOP, sku, limit, cap, "somebody")
        self.host.send(topics.INVENTORY_INTENTS.name, str(step.sku), entry)

    def _request(self, step: AnyStep, intent: PlaceOrderIntent) -> None:
        number, user = _order_no(intent), intent.user_id
        request: Record
        match step:
            case Pay(_, channel):
                request = PayOrder(number, SHOP, user, channel)
            case Cancel():
                request = CancelOrder(number, SHOP, user, "changed my mind")
            case Complete():
                request = CompleteOrder(number, SHOP, user)
            case Refund(_, key, units):
                request = RefundOrder(
                    number, SHOP, user, "broken", refund_key=f"refund-{key}", units=_units(units)
                )
            case Amend(_, key, units):
                lines = _cart(units)
                request = AmendOrderIntent(
                    number, SHOP, user, f"amend-{key}", lines, _total_fen(lines, self.log.clock_ms)
                )
            case Ship(_, key, units):
                request = ShipOrder(number, SHOP, f"waybill-{key}", units=_units(units))
            case Resolve(_, resolution):
                self._resolve(number, TicketResolution(resolution))
                return
            case Operate(_, action):
                request = OperateOrder(number, SHOP, "somebody", OperatorAction(action), "because")
            case _:
                self._send_intent(intent)
                return
        self.host.send(topics.ORDER_INTENTS.name, number, request)

    def _payment_facts(self) -> list[Record]:
        return self.host.facts(topics.PAYMENT_EVENTS.name)

    def _resolve(self, order_no: str, resolution: TicketResolution) -> None:
        opened = [
            fact
            for fact in self._payment_facts()
            if isinstance(fact, PaymentTicketOpened) and fact.order_no == order_no
        ]
        if opened:
            ticket_no = opened[-1].ticket_no
            request = ResolveTicket(ticket_no, order_no, SHOP, "somebody", resolution, "because")
            self.host.send(topics.PAYMENT_INTENTS.name, order_no, request)


def _cart(lines: Lines, terms: tuple[str, str] | None = None) -> tuple[CartLine, ...]:
    hold_terms = HoldTerms(Allocation(terms[0]), Shortage(terms[1])) if terms else None
    return tuple(CartLine(sku, qty, 100 * sku, hold_terms) for sku, qty in lines)


def _total_fen(lines: tuple[CartLine, ...], now_ms: int) -> int:
    priced = price(Cart(SHOP, "CNY", lines), Prices(), PACK, Shopper(now_ms))
    assert isinstance(priced, PricedCart)
    return priced.total_fen


def _units(units: Lines) -> tuple[SkuUnits, ...]:
    return tuple(SkuUnits(sku, qty) for sku, qty in units)


def _order_no(intent: PlaceOrderIntent) -> str:
    return derive_order_no(intent.shop_id, intent.user_id, intent.client_key)
