"""All stages over a log in memory, orders with promotions, and the auditor over their facts."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from schemas import topics
from schemas.codec import local_codec
from schemas.inventory import Restock
from schemas.order import CompleteOrder, HoldRef, PlaceOrder, PricedLine, RefundOrder, SkuUnits
from schemas.payment import (
    GatewayReport,
    GatewayStatus,
    PaymentRequested,
    RefundRequested,
)
from schemas.record import Record
from schemas.resource import PromotionHeld, PromotionSpent, partition_key
from streams.engine.memory import MemoryHost
from streams.orders import OrderLimits
from tests.unit.promotions.desk import SHOP, TRACE, USER, grant
from topologies.audit.auditor import Auditor, Verdict
from topologies.pipeline import all_records, stages

CODEC = local_codec(all_records())
LIMITS = OrderLimits()
SKU, PRICE_FEN, OFF_FEN = 1, 2_000, 300
FACTS = (
    topics.ORDER_EVENTS,
    topics.PAYMENT_EVENTS,
    topics.INVENTORY_EVENTS,
    topics.PROMOTION_EVENTS,
)


class Shop:
    """A shop with ``stock`` units of one sku."""

    def __init__(self, stock: int = 1_000_000, partitions: int = 2) -> None:
        self.host = MemoryHost(stages(LIMITS), CODEC, partitions=partitions)
        self.orders: list[str] = []
        self._answered: list[Record] = []
        self.send(topics.INVENTORY_COMMANDS, str(SKU), Restock("r", SHOP, SKU, "W1", stock, TRACE))

    def send(self, topic: topics.Topic, key: str, message: Record) -> None:
        self.host.send(topic.name, key, message)

    def grant(self, resource_id: str, delta: int = 1, **terms: Any) -> None:
        message = grant(resource_id, delta, **terms)
        self.send(topics.PROMOTION_COMMANDS, partition_key(resource_id), message)

    def place(self, order_no: str, *promotions: HoldRef, user_id: int = USER, qty: int = 1) -> None:
        """Place an order of ``qty`` units, with promotions (``use``), to be paid at once."""
        self.orders.append(order_no)
        off_fen = OFF_FEN if promotions else 0
        payable_fen = qty * PRICE_FEN - off_fen
        holds = (
            HoldRef(f"{order_no}/{SKU}", "stock", str(SKU), qty),
            *(
                msgspec.structs.replace(one, hold_id=f"{order_no}/{one.resource_id}")
                for one in promotions
            ),
        )
        order = PlaceOrder(
            order_no=order_no,
            shop_id=SHOP,
            user_id=user_id,
            currency="CNY",
            lines=(PricedLine(SKU, qty, PRICE_FEN, off_fen, payable_fen),),
            rules=(),
            holds=holds,
            total_fen=payable_fen,
            placed_at_ms=self.host.log.clock_ms,
            fingerprint="00112233aabbccdd",
            flow="standard",
            pay_channel="sim",
            trace_id=TRACE,
        )
        self.send(topics.ORDER_COMMANDS, order_no, order)

    def ask(self, request: Record) -> None:
        self.send(topics.ORDER_COMMANDS, request.order_no, request)  # type: ignore[attr-defined]
        self.host.run()

    def refund(self, order_no: str, units: int = 0) -> None:
        part = (SkuUnits(SKU, units),) if units else ()
        key = f"refund-{units}"
        self.ask(RefundOrder(order_no, SHOP, USER, "broken", TRACE, key, part))
        self.gateway_answers()

    def complete(self, order_no: str) -> None:
        self.ask(CompleteOrder(order_no, SHOP, USER, TRACE))

    def gateway_answers(self) -> None:
        """Let the gateway grant whatever is asked of it, until nothing more is."""
        while asked := [fact for fact in self._asked() if fact not in self._answered]:
            self._answered += asked
            self._answer(asked)
            self.host.run()

    def _asked(self) -> list[PaymentRequested | RefundRequested]:
        return [
            fact
            for fact in self.facts(topics.PAYMENT_EVENTS)
            if isinstance(fact, PaymentRequested | RefundRequested)
        ]

    def _answer(self, asked: list[PaymentRequested | RefundRequested]) -> None:
        for fact in asked:
            refund_no = fact.refund_no if isinstance(fact, RefundRequested) else ""
            report = GatewayReport(
                order_no=fact.order_no,
                pay_no=fact.pay_no,
                refund_no=refund_no,
                gateway="sim",
                gateway_txn_no=f"T{refund_no or fact.pay_no}",
                status=GatewayStatus.SUCCEEDED,
                amount_fen=fact.amount_fen,
                currency="CNY",
                occurred_at_ms=self.host.log.clock_ms,
                trace_id=TRACE,
            )
            self.send(topics.PAYMENT_COMMANDS, fact.order_no, report)

    def run_with_crashes(self, dice: random.Random, batch: int, one_in: int = 8) -> None:
        """Let everybody read, in any order; a turn in ``one_in`` is the reader's last, and the next
        begins at a checkpoint again.
        """
        moved = 1
        while moved:
            readers, moved = self.host.readers(), 0
            dice.shuffle(readers)
            for at in readers:
                moved += self.host.turn(*at, dice.choice((1, batch // 2, batch)))
                match dice.randrange(one_in):
                    case 0:
                        self.host.crash(*at)
                        moved += 1  # it has to read again
                    case last if last <= one_in // 2:
                        self.host.checkpoint(*at)

    def facts(self, topic: topics.Topic = topics.PROMOTION_EVENTS) -> list[Record]:
        return self.host.facts(topic.name)

    def statuses(self) -> dict[str, str]:
        """Return the name of each order's last fact."""
        facts = self.facts(topics.ORDER_EVENTS)
        return {fact.order_no: type(fact).__name__ for fact in facts}  # type: ignore[attr-defined]

    def used(self, resource_id: str) -> list[str]:
        """Return the orders that used the resource up, in order."""
        return [
            fact.order_no
            for fact in self.facts()
            if isinstance(fact, PromotionSpent) and fact.resource_id == resource_id
        ]

    def holders(self, resource_id: str) -> list[PromotionHeld]:
        return [
            fact
            for fact in self.facts()
            if isinstance(fact, PromotionHeld) and fact.resource_id == resource_id
        ]

    def told(self) -> list[tuple[str, int, Any, str, dict[str, Any], int]]:
        """Return all facts as the auditor takes them."""
        found = []
        for topic in FACTS:
            for partition in range(self.host.log.partitions):
                for record in self.host.log.read(topic.name, partition):
                    fact = CODEC.decode(record.value)
                    fields = msgspec.to_builtins(fact, builtin_types=(bytes,))
                    name = type(fact).__name__
                    found.append(
                        (topic.name, partition, record.headers, name, fields, record.offset)
                    )
        return found

    def verdict(self) -> Verdict:
        auditor = Auditor()
        for fact in self.told():
            auditor.take(*fact)
        return auditor.verdict(final=True, expected=set(self.orders))


def use(resource_id: str, amount: int = 1, capacity: int = 0) -> HoldRef:
    """A promotion of an order; the order gives the hold its name."""
    return HoldRef("", "promotion", resource_id, amount, None, capacity)
