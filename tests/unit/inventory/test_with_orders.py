"""Orders, stock and money together: what a paid order whose hold ran out does, and the auditor."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from schemas import topics
from schemas.codec import local_codec
from schemas.inventory import (
    Allocation,
    ExtendHold,
    HoldTerms,
    Restock,
    SetStockRules,
    Shortage,
    StockHeld,
    StockReturned,
    TryHold,
)
from schemas.order import HoldRef, OrderConfirmed, OrderRefunded, PlaceOrder, PricedLine
from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record
from schemas.topics import Topic
from streams.engine.memory import MemoryHost, MemoryLog, distinct
from streams.inventory.stage import inventory_stage
from streams.orders import OrderLimits, orders_stage
from streams.orders.limits import HOUR_MS, MINUTE_MS
from streams.payments.stage import payments_stage
from topologies.audit.auditor import Auditor, Verdict
from topologies.pipeline import all_records

NO, SHOP, BUYER, TRACE = "0123456789ABCDEF", 7, 1_001, "5" * 32
PAY_NO = f"{NO}-1"
CODEC = local_codec(all_records())
EVENTS = (topics.ORDER_EVENTS, topics.INVENTORY_EVENTS, topics.PAYMENT_EVENTS)


@dataclass
class Shop:
    """Three stages over one log; each reads only when it is told to, as when others are away."""

    log: MemoryLog = field(default_factory=lambda: MemoryLog(1))

    def __post_init__(self) -> None:
        self.orders = MemoryHost([orders_stage(OrderLimits())], CODEC, log=self.log)
        self.stock = MemoryHost([inventory_stage()], CODEC, log=self.log)
        self.money = MemoryHost([payments_stage()], CODEC, log=self.log)

    def run(self) -> None:
        for _ in range(12):
            for host in (self.orders, self.stock, self.money):
                host.run()

    def send(self, topic: Topic, key: str, message: Record) -> None:
        self.orders.send(topic.name, key, message)

    def gateway(self, pay_no: str, refund_no: str = "", amount_fen: int = 600) -> None:
        report = GatewayReport(
            order_no=NO,
            pay_no=pay_no,
            refund_no=refund_no,
            gateway="sim",
            gateway_txn_no=f"T{pay_no}{refund_no}",
            status=GatewayStatus.SUCCEEDED,
            amount_fen=amount_fen,
            currency="CNY",
            occurred_at_ms=self.log.clock_ms,
            trace_id=TRACE,
        )
        self.send(topics.PAYMENT_COMMANDS, NO, report)

    def facts(self, kind: type[Record]) -> list[Record]:
        found = [fact for topic in EVENTS for fact in self.orders.facts(topic.name)]
        return [fact for fact in found if isinstance(fact, kind)]

    def audit(self) -> Verdict:
        auditor = Auditor()
        for topic in EVENTS:
            for offset, record in enumerate(distinct(self.log, topic.name)):
                fact = CODEC.decode(record.value)
                name, fields = type(fact).__name__, msgspec.to_builtins(fact)
                auditor.take(topic.name, 0, record.headers, name, fields, offset)
        return auditor.verdict(final=True)


def paid_after_its_holds_ran_out() -> Shop:
    """Two units of skus 1 and 2 each; the hold of sku 2 was extended, that of sku 1 ran out."""
    shop = Shop()
    for sku in (1, 2):
        restock = Restock("d", SHOP, sku, "east", 2, TRACE)
        shop.send(topics.INVENTORY_COMMANDS, str(sku), restock)
    lines = (PricedLine(1, 2, 100, 0, 200), PricedLine(2, 2, 200, 0, 400))
    holds = tuple(HoldRef(f"{NO}/{sku}", "stock", str(sku), 2) for sku in (1, 2))
    now_ms, body = shop.log.clock_ms, "00112233aabbccdd"
    order = PlaceOrder(
        NO, SHOP, BUYER, "CNY", lines, (), holds, 600, now_ms, body, "standard", "sim", TRACE
    )
    shop.send(topics.ORDER_COMMANDS, NO, order)
    shop.run()
    extend = ExtendHold(f"{NO}/2", NO, SHOP, 2, HOUR_MS, TRACE, "ada")
    shop.send(topics.INVENTORY_COMMANDS, "2", extend)
    shop.run()
    shop.gateway(PAY_NO)
    shop.money.run()  # in time; but the orders stage is away until the holds ran out
    shop.log.clock_ms += 30 * MINUTE_MS
    return shop


def test_a_paid_order_whose_hold_expired_meanwhile_holds_and_sells_the_same_units_anew() -> None:
    shop = paid_after_its_holds_ran_out()
    shop.run()

    held = [fact.hold_id for fact in shop.facts(StockHeld) if isinstance(fact, StockHeld)]
    assert held == [f"{NO}/1", f"{NO}/2", f"{NO}/1~1"]
    assert len(shop.facts(OrderConfirmed)) == 1
    assert shop.audit().violations == ()


def test_when_they_are_gone_the_money_goes_back_and_the_sold_siblings_return_to_stock() -> None:
    shop = paid_after_its_holds_ran_out()
    other = TryHold("other", "other", SHOP, 9, 1, 1, HOUR_MS, TRACE)
    shop.send(topics.INVENTORY_COMMANDS, "1", other)
    shop.run()
    shop.gateway(PAY_NO, f"{PAY_NO}-R1")
    shop.run()

    returned = shop.facts(StockReturned)
    assert [(f.sku_id, f.qty) for f in returned if isinstance(f, StockReturned)] == [(2, 2)]
    assert len(shop.facts(OrderRefunded)) == 1
    broken = [(v.law, v.key) for v in shop.audit().violations]
    assert broken == [("hold-of-order", "other")]  # it was nobody's order


def shop_of_one_unit(shortage: Shortage) -> Shop:
    """Three units at 100 fen were ordered; there is one, and two may be promised."""
    shop = Shop()
    shop.send(topics.INVENTORY_COMMANDS, "1", Restock("d", SHOP, 1, "east", 1, TRACE))
    rules = SetStockRules("r", SHOP, 1, 0, 2, "ada", TRACE)
    shop.send(topics.INVENTORY_COMMANDS, "1", rules)
    terms = HoldTerms(Allocation.NEAREST, shortage)
    lines, holds = (
        (PricedLine(1, 3, 100, 0, 300),),
        (HoldRef(f"{NO}/1", "stock", "1", 3, terms),),
    )
    now_ms, body = shop.log.clock_ms, "00112233aabbccdd"
    order = PlaceOrder(
        NO, SHOP, BUYER, "CNY", lines, (), holds, 300, now_ms, body, "standard", "sim", TRACE
    )
    shop.send(topics.ORDER_COMMANDS, NO, order)
    shop.run()
    return shop


def test_an_order_on_partial_terms_is_sold_what_there_is_at_its_price() -> None:
    shop = shop_of_one_unit(Shortage.PARTIAL)
    shop.gateway(PAY_NO, amount_fen=100)
    shop.run()

    assert len(shop.facts(OrderConfirmed)) == 1
    verdict = shop.audit()
    assert verdict.violations == ()
    assert (verdict.counters["units_sold"], verdict.counters["kept_fen"]) == (1, 100)


def test_an_order_of_promised_units_is_sold_them_before_and_served_when_they_come() -> None:
    shop = shop_of_one_unit(Shortage.BACKORDER)
    shop.gateway(PAY_NO, amount_fen=300)
    shop.run()

    assert len(shop.facts(OrderConfirmed)) == 1
    verdict = shop.audit()
    assert verdict.violations == ()
    assert (verdict.counters["units_sold"], verdict.counters["kept_fen"]) == (1, 300)
    shop.send(topics.INVENTORY_COMMANDS, "1", Restock("e", SHOP, 1, "west", 5, TRACE))
    shop.run()
    verdict = shop.audit()
    assert verdict.violations == ()
    assert verdict.counters["units_sold"] == 3


@pytest.mark.parametrize("crashing", ["orders", "stock"])
def test_a_crash_on_the_way_changes_nothing(crashing: str) -> None:
    shop = paid_after_its_holds_ran_out()
    for _ in range(12):
        for host in (shop.orders, shop.stock, shop.money):
            host.run()
            getattr(shop, crashing).crash()

    assert len(shop.facts(OrderConfirmed)) == 1
    assert shop.audit().violations == ()
