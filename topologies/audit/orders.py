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
    "OrderCreated": ("OrderPaymentOpened", "OrderAmended", "OrderCancelling"),
    "OrderAmended": ("OrderPaymentOpened", "OrderAmended", "OrderCancelling"),
    "OrderPaymentOpened": (
        "OrderPaymentOpened",
        "OrderAmended",
        "OrderPaid",
        "OrderCancelling",
        "OrderParked",
    ),
    "OrderPaid": ("OrderConfirmed", "OrderRefunding", "OrderParked"),
    "OrderConfirmed": ("OrderPartlyShipped", "OrderShipped", "OrderCompleted", "OrderRefunding"),
    "OrderPartlyShipped": ("OrderPartlyShipped", "OrderShipped", "OrderRefunding"),
    "OrderShipped": ("OrderCompleted", "OrderRefunding"),
    "OrderCompleted": ("OrderRefunding",),
    "OrderRejected": (),
    "OrderCancelling": ("OrderCancelled", "OrderExpired", "OrderPaid", "OrderParked"),
    "OrderCancelled": (),
    "OrderExpired": (),
    "OrderRefunding": ("OrderPartlyRefunded", "OrderRefunded", "OrderParked"),
    "OrderPartlyRefunded": (
        "OrderPartlyShipped",
        "OrderShipped",
        "OrderCompleted",
        "OrderRefunding",
    ),
    "OrderRefunded": (),
    # The answer came after all, or a human decided.
    "OrderParked": (
        "OrderConfirmed",
        "OrderCancelling",
        "OrderCancelled",
        "OrderExpired",
        "OrderRefunding",
        "OrderPartlyRefunded",
        "OrderRefunded",
    ),
}
"""Last fact of an order -> facts that may come next. This is the auditor's own reading of the
domain, on purpose not the table that the orders stage runs on. OrderOperated is left out: it may
come to any order that has not ended, and what may follow stays the same."""

ENDED_UNPAID: Final = ("OrderRejected", "OrderCancelled", "OrderExpired", "OrderRefunded")
_ON_THE_WAY: Final = (
    "OrderConfirmed",
    "OrderPartlyShipped",
    "OrderShipped",
    "OrderPartlyRefunded",
    "OrderCompleted",
)
PAID: Final = ("OrderPaid", *_ON_THE_WAY)
SETTLED: Final = (*ENDED_UNPAID, *_ON_THE_WAY, "OrderParked")
FACTS: Final = frozenset(MAY_FOLLOW) - {""} | {"OrderRefused", "OrderRepeated", "OrderOperated"}


class Order:
    """What is remembered of one order; ``last`` is the name of its last fact.

    ``refunded_fen`` went back, ``by_hand_fen`` of it outside of the books, ``asked_fen`` is on its
    way. ``shipped``: (sku, units) so far.
    """

    __slots__ = (
        "asked_fen",
        "at",
        "by_hand_fen",
        "confirmed",
        "currency",
        "last",
        "paid_at",
        "paid_fen",
        "parked",
        "pay_no",
        "promotions",
        "refunded_fen",
        "shipped",
        "skips",
        "total_fen",
        "units",
        "version",
    )

    def __init__(self) -> None:
        self.last = ""
        self.version = self.total_fen = self.paid_fen = 0
        self.currency = self.pay_no = self.parked = ""
        self.refunded_fen = self.by_hand_fen = self.asked_fen = 0
        self.confirmed = self.skips = False
        self.units: tuple[tuple[int, int], ...] = ()  # (sku, units), each sku once
        self.shipped: tuple[tuple[int, int], ...] = ()
        self.promotions: tuple[tuple[str, int], ...] = ()  # (resource, amount), each once
        self.at = self.paid_at = NOWHERE

    @property
    def kept_fen(self) -> int:
        """What the books have to keep of it once it was paid."""
        return self.total_fen - self.refunded_fen + self.by_hand_fen


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
            "OrderAmended": self._amended,
            "OrderPartlyShipped": self._shipped,
            "OrderShipped": self._shipped,
            "OrderRefunding": self._refunding,
            "OrderPartlyRefunded": self._partly_refunded,
            "OrderRefunded": self._refunded,
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
        if name == "OrderRepeated":
            self._repeated(order, fact, at)
            return
        if order is None:
            order = self.orders[order_no] = Order()
        if version != order.version + 1:
            expected, found = f"version {order.version + 1}", f"{version} ({name})"
            self._findings.broken(Law.ORDER_VERSION, order_no, expected, found, at)
        if name == "OrderOperated":
            self._operated(order, fact, at)
            return
        if name not in MAY_FOLLOW[order.last]:
            self._illegal(order, order_no, name, at)
        effect = self._effects.get(name)
        if effect is not None:
            effect(order, fact, at)
        order.last, order.version, order.at, order.skips = name, version, at, False

    def _repeated(self, order: Order | None, fact: Fact, at: At) -> None:
        """Judge an answer that something is done already: an order must be there that did it."""
        order_no, now = fact["order_no"], order.version if order is not None else 0
        if not now or fact["version"] != now:
            found = f"a repeat at version {fact['version']}"
            expected = f"version {now}" if now else "no answer for an order that is not there"
            self._findings.broken(Law.ORDER_VERSION, order_no, expected, found, at)
        if order is not None and order.last == "OrderPlaced" and fact["command"] == "PlaceOrder":
            expected = "no repeat before the decision"
            self._findings.broken(Law.ORDER_SEQUENCE, order_no, expected, "OrderRepeated", at)

    def _illegal(self, order: Order, order_no: str, name: str, at: At) -> None:
        if name == "OrderPlaced":
            found = f"placed again after {order.last} at {order.at}"
            self._findings.broken(Law.ORDER_PLACED_ONCE, order_no, "one OrderPlaced", found, at)
            return
        legal = ", ".join(MAY_FOLLOW[order.last]) or "nothing"
        expected = f"after {order.last or 'nothing'}: {legal}"
        self._findings.broken(Law.ORDER_SEQUENCE, order_no, expected, name, at)

    def _operated(self, order: Order, fact: Fact, at: At) -> None:
        if order.last in ("", *ENDED_UNPAID, "OrderCompleted"):
            expected = f"no operator after {order.last or 'nothing'}"
            self._findings.broken(
                Law.ORDER_SEQUENCE, fact["order_no"], expected, "OrderOperated", at
            )
        if not (fact["operator"] and fact["reason"]):
            expected, found = "who and why", f"{fact['operator']!r}: {fact['reason']!r}"
            self._findings.broken(Law.ORDER_OPERATED, fact["order_no"], expected, found, at)
        order.version, order.at, order.skips = fact["version"], at, fact["action"] == "SKIP"

    def _amended(self, order: Order, fact: Fact, at: At) -> None:
        if fact["currency"] != order.currency:
            found = f"amended to {fact['currency']}"
            self._findings.broken(Law.ORDER_AMOUNT, fact["order_no"], order.currency, found, at)
        self._placed(order, fact, at)

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
        promotions: Counter[str] = Counter()
        for hold in fact["holds"]:
            if hold["kind"] == "stock":
                held[int(hold["resource_id"])] += hold["amount"]
            else:
                promotions[hold["resource_id"]] += hold["amount"]
        if held != wanted:
            broken(Law.ORDER_PRICE, key, f"holds of {dict(wanted)}", str(dict(held)), at)
        order.units = tuple(wanted.items())
        order.promotions = tuple(promotions.items())

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

    def _shipped(self, order: Order, fact: Fact, at: At) -> None:
        shipped = Counter(dict(order.shipped))
        for part in fact["units"]:
            shipped[part["sku_id"]] += part["qty"]
        order.shipped = tuple(shipped.items())
        ordered = Counter(dict(order.units))
        if not fact["units"] or not fact["waybill_no"] or not shipped <= ordered:
            expected, found = f"a parcel out of {dict(ordered)}", f"{dict(shipped)} shipped"
            self._findings.broken(Law.ORDER_SHIPPED, fact["order_no"], expected, found, at)

    def _refunding(self, order: Order, fact: Fact, at: At) -> None:
        order.asked_fen = fact["amount_fen"]
        left_fen = order.paid_fen - order.refunded_fen
        if not order.paid_fen:
            return  # money that is not the price was never taken as a payment
        if not 0 < order.asked_fen <= left_fen or fact["currency"] != order.currency:
            expected = f"1 to {left_fen} {order.currency}"
            found = f"{order.asked_fen} {fact['currency']}"
            self._findings.broken(Law.ORDER_REFUND, fact["order_no"], expected, found, at)

    def _partly_refunded(self, order: Order, fact: Fact, at: At) -> None:
        self._returned(order, fact, at)
        if order.paid_fen <= order.refunded_fen:
            expected, found = f"less than {order.paid_fen} back", str(order.refunded_fen)
            self._findings.broken(Law.ORDER_REFUND, fact["order_no"], expected, found, at)

    def _refunded(self, order: Order, fact: Fact, at: At) -> None:
        self._returned(order, fact, at)
        if order.paid_fen and order.paid_fen != order.refunded_fen:
            expected, found = f"{order.paid_fen} back in all", str(order.refunded_fen)
            self._findings.broken(Law.ORDER_REFUND, fact["order_no"], expected, found, at)

    def _returned(self, order: Order, fact: Fact, at: At) -> None:
        amount_fen = fact["amount_fen"]
        order.refunded_fen += amount_fen
        order.by_hand_fen += amount_fen if order.skips else 0
        if amount_fen != order.asked_fen:
            expected, found = f"{order.asked_fen} back, as asked", str(amount_fen)
            self._findings.broken(Law.ORDER_REFUND, fact["order_no"], expected, found, at)

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
