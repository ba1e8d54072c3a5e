"""What the stores should say: a plain fold over the public facts, as an outside reader has them.

A fact may be in the log twice, for a stage that crashed sends again what it may have sent before.
Versions tell: of an order, of its payments and of a sku in a warehouse each counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from topologies.audit.reader import RawFact
from topologies.consistency.figures import OrderFigures, Picture, StockFigures, StockKey

_STATUSES: Final = {
    "OrderPlaced": "RESERVING",
    "OrderCreated": "CREATED",
    "OrderRejected": "REJECTED",
    "OrderAmended": "CREATED",
    "OrderPaymentOpened": "PAYING",
    "OrderPaid": "PAID",
    "OrderConfirmed": "FULFILLING",
    "OrderPartlyShipped": "PARTLY_SHIPPED",
    "OrderShipped": "SHIPPED",
    "OrderCompleted": "COMPLETED",
    "OrderCancelling": "CANCELLING",
    "OrderCancelled": "CANCELLED",
    "OrderExpired": "EXPIRED",
    "OrderRefunding": "REFUNDING",
    "OrderPartlyRefunded": "PARTLY_REFUNDED",
    "OrderRefunded": "REFUNDED",
    "OrderParked": "PARKED",
    "OrderOperated": None,
}
_PAYMENTS: Final = frozenset(
    {
        "PaymentRequested",
        "PaymentSucceeded",
        "PaymentFailed",
        "PaymentClosed",
        "PaymentSurplus",
        "RefundRequested",
        "RefundSucceeded",
        "RefundFailed",
        "RefundOverpaid",
    }
)
_MONEY_MOVES: Final = frozenset(
    {"PaymentSucceeded", "PaymentSurplus", "RefundSucceeded", "RefundOverpaid"}
)


class _Order:
    """An order so far. One without a fact of its own is not shown: its payments came first."""

    __slots__ = (
        "entries",
        "moved_fen",
        "order_version",
        "paid_fen",
        "payable_fen",
        "payment_version",
        "payments",
        "refunded_fen",
        "shop_id",
        "status",
        "total_fen",
        "units",
        "user_id",
    )

    def __init__(self) -> None:
        self.order_version = self.payment_version = 0
        self.status = ""
        self.shop_id = self.user_id = 0
        self.total_fen = self.paid_fen = self.refunded_fen = 0
        self.units = self.payable_fen = 0
        self.payments = self.entries = self.moved_fen = 0

    def take_order(self, name: str, fact: dict[str, Any]) -> None:
        if fact["version"] <= self.order_version:
            return
        self.order_version = fact["version"]
        self.shop_id, self.user_id = fact["shop_id"], fact["user_id"]
        self.status = _STATUSES[name] or self.status
        if name in ("OrderPlaced", "OrderAmended"):
            self.total_fen = fact["total_fen"]
            self.units = sum(line["qty"] for line in fact["lines"])
            self.payable_fen = sum(line["payable_fen"] for line in fact["lines"])
        elif name == "OrderPaid":
            self.paid_fen = fact["total_fen"]
        elif name in ("OrderRefunded", "OrderPartlyRefunded"):
            self.refunded_fen += fact["amount_fen"]

    def take_payment(self, name: str, fact: dict[str, Any]) -> None:
        if fact["version"] <= self.payment_version:
            return
        self.payment_version = fact["version"]
        if name in _PAYMENTS:
            self.payments += 1
        if _moves_money(name, fact):
            self.entries += 2
            self.moved_fen += fact["amount_fen"]

    def figures(self) -> OrderFigures:
        return OrderFigures(
            self.order_version,
            self.status,
            self.shop_id,
            self.user_id,
            self.total_fen,
            self.paid_fen,
            self.refunded_fen,
            self.units,
            self.payable_fen,
            self.payments,
            self.entries,
            self.moved_fen,
            balance_fen=0,
        )


def _moves_money(name: str, fact: dict[str, Any]) -> bool:
    """Tell whether a fact is a journal entry, as docs/payments.md has it."""
    if name == "RefundRequested":
        return not fact["is_repeat"]
    if name == "PaymentTicketClosed":
        return bool(fact["reason"] == "REFUND_OVERPAID")
    return name in _MONEY_MOVES


def picture(facts: Iterable[RawFact]) -> Picture:
    """Return what a store holds to which all of ``facts`` are written."""
    orders: dict[str, _Order] = {}
    stock: dict[StockKey, StockFigures] = {}
    for fact in facts:
        fields, name = fact.fields, fact.name
        if fact.topic == "inventory.events":
            if "delta_on_hand" in fields:
                key = (fields["sku_id"], fields["warehouse_id"])
                version = fields["version"]
                if key not in stock or stock[key].version < version:
                    # Versions have no gap: there are as many movements.
                    stock[key] = StockFigures(version, fields["on_hand"], fields["held"], version)
            continue
        is_order = fact.topic == "order.events"
        if is_order and name not in _STATUSES:
            continue  # an answer that changes nothing
        order = orders.get(fields["order_no"])
        if order is None:
            order = orders[fields["order_no"]] = _Order()
        if is_order:
            order.take_order(name, fields)
        elif name != "PaymentRefused":
            order.take_payment(name, fields)
    return Picture(
        {order_no: one.figures() for order_no, one in orders.items() if one.order_version}, stock
    )
