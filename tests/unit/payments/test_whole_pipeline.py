"""Orders, stock, payments and a gateway together: how money that goes astray comes home."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.codec import local_codec
from schemas.inventory import Restock
from schemas.order import CartLine, PayOrder, PlaceOrderIntent, RefundOrder
from schemas.payment import (
    PaymentQueried,
    PaymentRequested,
    RefundQueried,
    RefundRequested,
    ResolveTicket,
    TicketResolution,
)
from schemas.record import Record
from streams.admission.identity import derive_order_no
from streams.engine.memory import MemoryHost
from streams.kernel.stage import Output
from streams.orders import OrderLimits
from streams.pricing import ListPrice
from topologies.audit.auditor import Auditor, Verdict
from topologies.gateway import Faults, SimulatedGateway
from topologies.pipeline import all_records, relays, stages

SHOP, USER, SKU, PRICE_FEN = 7, 42, 1, 500
NO = derive_order_no(SHOP, USER, "key")
CODEC = local_codec(all_records())
MINUTE_MS = 60_000
FACTS = (topics.ORDER_EVENTS, topics.PAYMENT_EVENTS, topics.INVENTORY_EVENTS)


class Prices:
    def lookup(self, shop_id: int, sku_id: int) -> ListPrice:
        return ListPrice(PRICE_FEN, "CNY")


class Shop:
    """The pipeline in memory, and a gateway whose ``faults`` may change."""

    def __init__(self, faults: Faults) -> None:
        self.host = MemoryHost(stages(OrderLimits()), CODEC, relays(Prices()))
        self._heard = 0
        self._on_their_way: list[tuple[int, Record]] = []
        self.mend(faults)
        self.host.send("inventory.intents", str(SKU), Restock("R1", SHOP, SKU, "east", 10))

    def mend(self, faults: Faults) -> None:
        """Start the gateway again, with other faults; its memory is gone."""
        self.gateway = SimulatedGateway(faults, random.Random(1), lambda: self.host.log.clock_ms)

    def place(self, channel: str) -> None:
        line = CartLine(SKU, 1, PRICE_FEN)
        intent = PlaceOrderIntent(
            shop_id=SHOP,
            user_id=USER,
            client_key="key",
            lines=(line,),
            total_fen=PRICE_FEN,
            placed_at_ms=self.host.log.clock_ms,
            pay_channel=channel,
        )
        self.host.send("order.intents", "key", intent)
        self.pass_time(2_000)

    def ask(self, topic: str, intent: Record) -> None:
        self.host.send(topic, NO, intent)
        self.pass_time(2_000)

    def pass_time(self, ms: int, step_ms: int = 1_000) -> None:
        for _ in range(ms // step_ms):
            self.host.advance(step_ms)
            self._call()
            due = [one for one in self._on_their_way if one[0] <= self.host.log.clock_ms]
            self._on_their_way = [o for o in self._on_their_way if o[0] > self.host.log.clock_ms]
            for _, report in due:
                self.host.send("payment.commands", NO, report)
            self.host.run()
            self._call()

    def said(self, topic: str) -> list[str]:
        return [type(fact).__name__ for fact in self.host.facts(topic)]

    def verdict(self) -> Verdict:
        auditor, offset = Auditor(), 0
        for topic in FACTS:
            for record in self.host.log.records(topic.name):
                fact = CODEC.decode(record.value)
                fields: dict[str, Any] = msgspec.to_builtins(fact, builtin_types=(bytes,))
                auditor.take(topic.name, 0, record.headers, type(fact).__name__, fields, offset)
                offset += 1
        return auditor.verdict(final=True, expected=1)

    def _call(self) -> None:
        facts = self.host.facts("payment.events")
        for fact in facts[self._heard :]:
            plan: Any = ()
            if isinstance(fact, PaymentRequested):
                plan = self.gateway.plan_payment(fact)
            elif isinstance(fact, RefundRequested):
                plan = self.gateway.plan_refund(fact)
            elif isinstance(fact, PaymentQueried):
                self.gateway.query_payment(fact, self._send)
            elif isinstance(fact, RefundQueried):
                self.gateway.query_refund(fact, self._send)
            self._on_their_way += [(self.host.log.clock_ms + ms, report) for ms, report in plan]
        self._heard = len(facts)

    def _send(self, output: Output) -> None:
        self._on_their_way.append((self.host.log.clock_ms, output.message))


def test_money_of_a_lost_callback_pays_the_order_once_it_is_asked_for() -> None:
    shop = Shop(Faults(silent=1.0))

    shop.place("sim")
    assert "OrderPaid" not in shop.said("order.events")
    shop.pass_time(10_000)

    assert "OrderConfirmed" in shop.said("order.events")
    assert shop.said("payment.events") == [
        "PaymentRequested",
        "PaymentQueried",
        "PaymentSucceeded",
    ]
    assert shop.verdict().ok


def test_money_that_comes_after_the_order_expired_goes_back_by_itself() -> None:
    shop = Shop(Faults(late_ms=20 * MINUTE_MS))

    shop.place("sim-late")
    shop.pass_time(40 * MINUTE_MS)

    assert shop.said("order.events")[-1] == "OrderExpired"
    assert shop.said("payment.events")[-3:] == [
        "PaymentSurplus",
        "RefundRequested",
        "RefundSucceeded",
    ]
    assert shop.verdict().ok


@pytest.mark.parametrize("faults", [Faults(), Faults(silent=1.0), Faults(unknown=0.5)])
def test_of_two_payments_over_two_channels_one_is_kept_and_the_other_goes_back(
    faults: Faults,
) -> None:
    shop = Shop(faults)

    shop.place("sim-late")
    shop.ask("order.intents", PayOrder(NO, SHOP, USER, "sim-other"))
    shop.pass_time(20 * MINUTE_MS)

    said = shop.said("payment.events")
    assert (said.count("PaymentSucceeded"), said.count("PaymentSurplus")) == (1, 1)
    assert said.count("RefundSucceeded") == 1
    assert shop.said("order.events")[-1] == "OrderConfirmed"
    assert shop.verdict().ok


@pytest.mark.parametrize("resolution", [TicketResolution.RETRY, TicketResolution.SETTLED])
def test_a_refund_that_cannot_be_paid_parks_the_order_until_an_operator_resolves_its_ticket(
    resolution: TicketResolution,
) -> None:
    shop = Shop(Faults(refund_failed=1.0))
    shop.place("sim")
    shop.ask("order.intents", RefundOrder(NO, SHOP, USER, "broken"))

    shop.pass_time(70 * MINUTE_MS, step_ms=5_000)
    assert shop.said("order.events")[-1] == "OrderParked"
    assert shop.said("payment.events")[-2:] == ["RefundFailed", "PaymentTicketOpened"]
    assert shop.verdict().ok

    shop.mend(Faults())
    word = ResolveTicket(f"{NO}-T1", NO, SHOP, "mia", resolution, "talked to them")
    shop.ask("payment.intents", word)
    shop.pass_time(MINUTE_MS)

    assert shop.said("order.events")[-1] == "OrderRefunded"
    assert shop.said("payment.events")[-1] == "RefundSucceeded"
    verdict = shop.verdict()
    assert verdict.ok
    assert verdict.counters["kept_fen"] == 0
