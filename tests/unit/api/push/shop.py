"""Orders whose facts come one after the other, as the follower hands them over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from api.push.feed import Unreadable
from api.push.hub import Hub
from api.push.metrics import PushMetrics
from schemas.order import (
    OperatorAction,
    OrderConfirmed,
    OrderCreated,
    OrderOperated,
    OrderPaid,
    OrderPaymentOpened,
    OrderPlaced,
    OrderRefused,
    OrderShipped,
)
from schemas.read_model import CHANGES, OrderView, view_after
from schemas.record import Record

SHOP, BUYER, NO = 7, 1_001, "0123456789ABCDEF"
START_MS = 1_790_000_000_000


class Fact(NamedTuple):
    """A fact as the follower has it."""

    key: str
    record: Any
    timestamp_ms: int

    @property
    def kind(self) -> type[Record]:
        return type(self.record)


def life(order_no: str = NO, user_id: int = BUYER, shop_id: int = SHOP) -> list[Fact]:
    """Return seven versions of an order; the status stays what it was at the fourth."""
    whose: dict[str, Any] = {
        "order_no": order_no,
        "shop_id": shop_id,
        "user_id": user_id,
        "trace_id": "5" * 32,
    }
    money: dict[str, Any] = {"currency": "CNY", "total_fen": 10}
    records = (
        OrderPlaced(
            version=1,
            lines=(),
            rules=(),
            holds=(),
            placed_at_ms=START_MS,
            fingerprint="",
            flow="standard",
            pay_channel=None,
            **whose,
            **money,
        ),
        OrderCreated(version=2, expires_at_ms=START_MS + 9, **whose, **money),
        OrderPaymentOpened(
            version=3, pay_no="1", channel="sim", amount_fen=10, currency="CNY", **whose
        ),
        OrderOperated(version=4, operator="mei", action=OperatorAction.PAUSE, reason="", **whose),
        OrderPaid(version=5, pay_no="1", paid_at_ms=START_MS, **whose, **money),
        OrderConfirmed(version=6, **whose),
        OrderShipped(version=7, waybill_no="w", carrier="c", units=(), **whose),
    )
    return [Fact(order_no, record, START_MS + record.version) for record in records]


STATUSES = ["RESERVING", "CREATED", "PAYING", "PAYING", "PAID", "FULFILLING", "SHIPPED"]


def refusal(order_no: str = NO) -> Fact:
    record = OrderRefused(order_no, 3, SHOP, BUYER, "PayOrder", "ORDER_PAID", "5" * 32)
    return Fact(order_no, record, START_MS)


class Log:
    """The facts so far, and what each reader has of them: the hub's window is the whole log.

    It is a History too, as far behind as ``stale`` says: facts that it does not show.
    """

    def __init__(self, capacity: int = 1_000) -> None:
        self.facts: list[Fact] = []
        self.metrics = PushMetrics()
        self.hub = Hub(self.of, self.metrics, capacity)
        self.reads = 0
        self.is_away = False

    def of(self, order_no: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.key == order_no]

    def happen(self, *facts: Fact) -> None:
        """Facts enter the log and reach the hub."""
        self.facts += facts
        self.hub.publish(facts)

    async def views(self, order_nos: Sequence[str]) -> dict[str, OrderView]:
        self.reads += 1
        if self.is_away:
            raise Unreadable
        found: dict[str, OrderView] = {}
        for fact in self.facts:
            if fact.key in order_nos and fact.kind in CHANGES:
                found[fact.key] = view_after(found.get(fact.key), fact.record, fact.timestamp_ms)
        return found

    async def changed(self, shop_id: int, user_id: int, since_ms: int) -> list[str]:
        owner = (shop_id, user_id)
        return list(
            dict.fromkeys(
                fact.key
                for fact in self.facts
                if (fact.record.shop_id, fact.record.user_id) == owner
                and fact.timestamp_ms >= since_ms
            )
        )


def statuses(texts: list[str | None]) -> list[tuple[int, str]]:
    """Return (seq, status) of messages."""
    found = [msgspec.json.decode(text or "null") for text in texts]
    return [(message["seq"], message["data"]["status"]) for message in found]
