"""The laws of orders: versions, the legal sequence of facts, amounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from topologies.audit.laws import NOWHERE, At, Findings, Law

Fact = Mapping[str, Any]

MAY_FOLLOW: Final[dict[str, tuple[str, ...]]] = {
    "": ("OrderPlaced",),
    "OrderPlaced": ("OrderCreated", "OrderRejected", "OrderCancelling"),
    "OrderCreated": ("OrderPaymentOpened", "OrderCancelling"),
    "OrderPaymentOpened": ("OrderPaymentOpened", "OrderPaid", "OrderCancelling", "OrderParked"),
    "OrderPaid": ("OrderConfirmed", "OrderRefunding", "OrderParked"),
    "OrderConfirmed": ("OrderCompleted", "OrderRefunding"),
    "OrderCompleted": ("OrderRefunding",),
    "OrderRejected": (),
    "OrderCancelling": ("OrderCancelled", "OrderExpired", "OrderParked"),
    "OrderCancelled": (),
    "OrderExpired": (),
    "OrderRefunding": ("OrderRefunded", "OrderParked"),
    "OrderRefunded": (),
    # The answer came after all, or a human decided.
    "OrderParked": (
        "OrderConfirmed",
        "OrderCancelling",
        "OrderCancelled",
        "OrderExpired",
        "OrderRefunding",
        "OrderRefunded",
    ),
}
"""Last fact of an order -> facts that may come next. This is the auditor's own reading of the
domain, on purpose not the table that the orders stage runs on."""

ENDED_UNPAID: Final = ("OrderRejected", "OrderCancelled", "OrderExpired", "OrderRefunded")
PAID: Final = ("OrderPaid", "OrderConfirmed", "OrderCompleted")
SETTLED: Final = (*ENDED_UNPAID, "OrderConfirmed", "OrderCompleted", "OrderParked")
FACTS: Final = frozenset(MAY_FOLLOW) - {""} | {"OrderRefused"}


class Order:
    """What is remembered of one order; ``last`` is the name of its last fact."""

    __slots__ = (
        "at",
        "confirmed",
        "currency",
        "last",
        "paid_at",
        "paid_fen",
        "parked",
        "pay_no",
        "total_fen",
        "units",
        "version",
    )

    def __init__(self) -> None:
        self.last = ""
        self.version = self.total_fen = self.paid_fen = 0
        self.currency = self.pay_no = self.parked = ""
        self.confirmed = False
        self.units: tuple[tuple[int, int], ...] = ()  # (sku, units), each sku once
        self.at = self.paid_at = NOWHERE


class OrderBook:
    """Takes the facts of ``order.events`` in the order of each partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.orders: dict[str, Order] = {}
        self.refused = 0
        self._effects: dict[str, Callable[[Order, Fact, At], None]] = {
            "OrderPlaced": self._placed,
            "OrderCreated": self._has_total,
            "OrderRejected": self._rejected,
            "OrderPaymentOpened": self._has_amount,
            "OrderPaid": self._paid,
            "OrderConfirmed": self._confirmed,
            "OrderRefunding": self._has_amount,
            "OrderRefunded": self._has_amount,
            "OrderParked": self._parked,
        }

    def take(self, name: str, fact: Fact, at: At) -> None:
        """Judge one fact of a kind in FACTS."""
        order_no, version = fact["order_no"], fact["version"]
        order = self.orders.get(order_no)
        if name == "OrderRefused":
            self.refused += 1
            now = order.version if order is not None else 0
            if version not in (0, now):
                found = f"a refusal at version {version}"
                self._findings.broken(Law.ORDER_VERSION, order_no, f"version {now} or 0", found, at)
            return
        if order is None:
            order = self.orders[order_no] = Order()
        if version != order.version + 1:
            expected, found = f"version {order.version + 1}", f"{version} ({name})"
            self._findings.broken(Law.ORDER_VERSION, order_no, expected, found, at)
        if name not in MAY_FOLLOW[order.last]:
            self._illegal(order, order_no, name, at)
        effect = self._effects.get(name)
        if effect is not None:
            effect(order, fact, at)
        order.last, order.version, order.at = name, version, at

    def _illegal(self, order: Order, order_no: str, name: str, at: At) -> None:
        if name == "OrderPlaced":
            found = f"placed again after {order.last} at {order.at}"
            self._findings.broken(Law.ORDER_PLACED_ONCE, order_no, "one OrderPlaced", found, at)
            return
        legal = ", ".join(MAY_FOLLOW[order.last]) or "nothing"
        expected = f"after {order.last or 'nothing'}: {legal}"
        self._findings.broken(Law.ORDER_SEQUENCE, order_no, expected, name, at)

    def _placed(self, order: Order, fact: Fact, at: At) -> None:
        order.total_fen, order.currency = fact["total_fen"], fact["currency"]
        broken, key = self._findings.broken, fact["order_no"]
        wanted: Counter[int] = Counter()
        payable_fen = 0
        for line in fact["lines"]:
            wanted[line["sku_id"]] += line["qty"]
            payable_fen += line["payable_fen"]
            price_fen = line["qty"] * line["unit_price_fen"] - line["discount_fen"]
            if price_fen != line["payable_fen"] or price_fen < 0:
                found = f"{line['payable_fen']} for sku {line['sku_id']}"
                broken(Law.ORDER_PRICE, key, f"payable {price_fen} >= 0", found, at)
        if payable_fen != order.total_fen:
            broken(Law.ORDER_PRICE, key, f"total {payable_fen}", str(order.total_fen), at)
        held: Counter[int] = Counter()
        for hold in fact["holds"]:
            if hold["kind"] == "stock":
                held[int(hold["resource_id"])] += hold["amount"]
        if held != wanted:
            broken(Law.ORDER_PRICE, key, f"holds of {dict(wanted)}", str(dict(held)), at)
        order.units = tuple(wanted.items())

    def _amount(self, order: Order, fact: Fact, at: At, amount_fen: int) -> None:
        currency = fact.get("currency", order.currency)
        if (amount_fen, currency) != (order.total_fen, order.currency):
            expected, found = f"{order.total_fen} {order.currency}", f"{amount_fen} {currency}"
            self._findings.broken(Law.ORDER_AMOUNT, fact["order_no"], expected, found, at)

    def _has_total(self, order: Order, fact: Fact, at: At) -> None:
        self._amount(order, fact, at, fact["total_fen"])

    def _has_amount(self, order: Order, fact: Fact, at: At) -> None:
        self._amount(order, fact, at, fact["amount_fen"])

    def _paid(self, order: Order, fact: Fact, at: At) -> None:
        self._amount(order, fact, at, fact["total_fen"])
        order.pay_no, order.paid_at, order.paid_fen = fact["pay_no"], at, fact["total_fen"]

    def _rejected(self, order: Order, fact: Fact, at: At) -> None:
        refusals = fact["refusals"]
        if not refusals or not all(r["resource_id"] and r["reason"] for r in refusals):
            expected, found = "at least one refusal, each named", str(refusals)
            self._findings.broken(Law.ORDER_REJECTION, fact["order_no"], expected, found, at)

    def _confirmed(self, order: Order, fact: Fact, at: At) -> None:
        order.confirmed = True

    def _parked(self, order: Order, fact: Fact, at: At) -> None:
        order.parked = f"{fact['step']}: {fact['reason']}"

    def settle(self, findings: Findings, expected: Collection[str] | int | None) -> None:
        """Judge what holds when everything is at rest. ``expected``: order numbers or a count."""
        for order_no, order in self.orders.items():
            if order.last not in SETTLED:
                found = f"{order.last} (version {order.version})"
                findings.broken(Law.ORDER_SETTLED, order_no, "an order at rest", found, order.at)
        if isinstance(expected, int):
            if len(self.orders) != expected:
                found = f"{len(self.orders)} orders"
                findings.broken(Law.ORDER_LOST, "all orders", f"{expected} orders", found, NOWHERE)
        elif expected is not None:
            for order_no in sorted(set(expected) - self.orders.keys()):
                findings.broken(Law.ORDER_LOST, order_no, "OrderPlaced", "no fact at all", NOWHERE)
