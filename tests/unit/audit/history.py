"""Histories of public facts as plain dicts: lawful ones, to be broken by a test in one place."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from topologies.audit.auditor import Auditor, Verdict

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SHOP, USER, SKU, OTHER_SKU, WAREHOUSE = 1, 7, 1001, 1002, "east"
SCARCE, OTHER_PLACE = 1003, "west"


class History:
    """Facts in the order in which they happened; keeps versions and amounts right by itself."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, str, dict[str, Any]]] = []
        self._versions: Counter[tuple[str, Any]] = Counter()
        self._stock: defaultdict[Any, list[int]] = defaultdict(lambda: [0, 0])
        self._backordered: Counter[int] = Counter()
        self._holds: dict[str, tuple[str, int, int]] = {}
        self._orders: dict[str, dict[str, Any]] = {}
        self._surplus: dict[str, str] = {}
        self._refunds: set[str] = set()

    # --- changing what happened

    def find(self, name: str, nth: int = 0) -> int:
        """Return the place of the nth fact of this name."""
        return [i for i, fact in enumerate(self.facts) if fact[1] == name][nth]

    def change(self, name: str, nth: int = 0, **fields: Any) -> None:
        """Change fields of the nth fact of this name."""
        self.facts[self.find(name, nth)][2].update(fields)

    def drop(self, name: str, nth: int = 0) -> None:
        """Take the nth fact of this name out."""
        del self.facts[self.find(name, nth)]

    def repeat(self, name: str, **fields: Any) -> None:
        """Add the first fact of this name once more, with other fields."""
        topic, _, fact = self.facts[self.find(name)]
        self.facts.append((topic, name, fact | fields))

    # --- stock

    def received(self, qty: int, sku: int = SKU) -> None:
        self._movement("StockReceived", sku, qty, 0, ref=f"delivery-{len(self.facts)}")

    def adjusted(self, delta: int, sku: int = SKU) -> None:
        self._movement("StockAdjusted", sku, delta, 0, ref=f"count-{len(self.facts)}", reason="")

    def held(self, hold_id: str, order_no: str, qty: int, sku: int = SKU) -> None:
        self._holds[hold_id] = (order_no, qty, sku)
        self._movement("StockHeld", sku, 0, qty, **self._hold(hold_id), expires_at_ms=9)

    def deducted(self, hold_id: str) -> None:
        _, qty, sku = self._holds[hold_id]
        self._movement("StockDeducted", sku, -qty, -qty, **self._hold(hold_id))

    def released(self, hold_id: str) -> None:
        _, qty, sku = self._holds[hold_id]
        self._movement("StockReleased", sku, 0, -qty, **self._hold(hold_id), cause="CANCELLED")

    def returned(self, hold_id: str, qty: int | None = None) -> None:
        order_no, held, sku = self._holds[hold_id]
        qty = held if qty is None else qty
        fields: dict[str, Any] = {"hold_id": hold_id, "order_no": order_no, "qty": qty}
        self._movement("StockReturned", sku, qty, 0, **fields, reason="HOLD_LOST")

    def counted(self, delta: int, sku: int = SKU) -> None:
        self._movement("StockCounted", sku, delta, 0, ref=f"take-{len(self.facts)}", operator="ada")

    def transferred(self, qty: int, sku: int = SKU, ref: str = "") -> None:
        ref = ref or f"transfer-{len(self.facts)}"
        for place, other, delta in ((WAREHOUSE, OTHER_PLACE, -qty), (OTHER_PLACE, WAREHOUSE, qty)):
            fields = {"ref": ref, "operator": "ada", "other_warehouse_id": other}
            self._movement("StockTransferred", sku, delta, 0, place, **fields)

    def share(
        self, name: str, hold_id: str, order_no: str, qty: int, place: str, asked: int
    ) -> None:
        """Add what one warehouse does for a hold over several."""
        fields: dict[str, Any] = {"hold_id": hold_id, "order_no": order_no, "qty": qty}
        if name == "StockHeld":
            why = {"allocation": "NEAREST", "passed_over": [], "asked": asked, "qty": asked}
            self._movement(name, SKU, 0, qty, place, **fields, allocated=why, expires_at_ms=9)
        else:
            self._movement(name, SKU, -qty, -qty, place, **fields)

    def share_of_scarce(self, hold_id: str, order_no: str, qty: int, asked: int) -> None:
        why = {"allocation": "SINGLE_FIRST", "passed_over": [], "asked": asked, "qty": asked}
        fields: dict[str, Any] = {"hold_id": hold_id, "order_no": order_no, "qty": qty}
        self._movement("StockHeld", SCARCE, 0, qty, **fields, allocated=why, expires_at_ms=9)

    def promised(self, hold_id: str, order_no: str, qty: int, asked: int, cap: int = 9) -> None:
        self._holds[hold_id] = (order_no, asked, SCARCE)
        self._backordered[SCARCE] += qty
        self._promise("StockBackordered", hold_id, qty, asked=asked, cap=cap, expires_at_ms=9)

    def served(self, hold_id: str, qty: int, *, owed: bool) -> None:
        order_no, _, sku = self._holds[hold_id]
        self._backordered[sku] -= qty
        on_hand, held = (-qty, 0) if owed else (0, qty)
        fields: dict[str, Any] = {
            "hold_id": hold_id,
            "order_no": order_no,
            "qty": qty,
            "owed": owed,
        }
        backordered = self._backordered[sku]
        self._movement("BackorderServed", sku, on_hand, held, **fields, backordered=backordered)

    def owed(self, hold_id: str, qty: int) -> None:
        self._promise("BackorderConfirmed", hold_id, qty)

    def promise_released(self, hold_id: str, qty: int) -> None:
        self._backordered[SCARCE] -= qty
        self._promise("BackorderReleased", hold_id, qty, cause="CANCELLED")

    def _promise(self, name: str, hold_id: str, qty: int, **fields: Any) -> None:
        key = {"sku_id": SCARCE, "shop_id": SHOP, "hold_id": hold_id, "qty": qty}
        more = {"order_no": self._holds[hold_id][0], "backordered": self._backordered[SCARCE]}
        self.facts.append(("inventory.events", name, key | more | fields))

    def buyer(self, units: int, delta: int, limit: int = 3, hold_id: str = "HA") -> None:
        fact = {"sku_id": SKU, "shop_id": SHOP, "user_id": USER, "hold_id": hold_id}
        more = {"order_no": "A", "limit": limit, "units": units, "delta": delta}
        self.facts.append(("inventory.events", "BuyerCounted", fact | more))

    def fenced(self, hold_id: str, order_no: str) -> None:
        fact = {"sku_id": SKU, "shop_id": SHOP, "hold_id": hold_id, "order_no": order_no}
        self.facts.append(("inventory.events", "HoldFenced", fact))

    def _hold(self, hold_id: str) -> dict[str, Any]:
        order_no, qty, _ = self._holds[hold_id]
        return {"hold_id": hold_id, "order_no": order_no, "qty": qty}

    def _movement(
        self,
        name: str,
        sku: int,
        on_hand: int,
        held: int,
        place: str = WAREHOUSE,
        **fields: Any,
    ) -> None:
        stock = self._stock[sku, place]
        stock[0] += on_hand
        stock[1] += held
        fact = {
            "sku_id": sku,
            "warehouse_id": place,
            "version": self._next("stock", (sku, place)),
            "shop_id": SHOP,
            "on_hand": stock[0],
            "held": stock[1],
            "delta_on_hand": on_hand,
            "delta_held": held,
            "trace_id": TRACE,
        }
        self.facts.append(("inventory.events", name, fact | fields))

    # --- orders

    def order(self, name: str, order_no: str, **fields: Any) -> None:
        """Add an order's fact; the amounts are those it was placed with."""
        placed = self._orders.get(order_no, {})
        total_fen = placed.get("total_fen", 0)
        amounts = {
            "OrderCreated": {"total_fen": total_fen, "currency": "CNY", "expires_at_ms": 9},
            "OrderPaymentOpened": {
                "pay_no": f"P{order_no}",
                "channel": "sim",
                "amount_fen": total_fen,
                "currency": "CNY",
            },
            "OrderPaid": {
                "total_fen": total_fen,
                "currency": "CNY",
                "pay_no": f"P{order_no}",
                "paid_at_ms": 5,
            },
            "OrderRefunding": {"amount_fen": total_fen, "currency": "CNY"},
            "OrderPartlyRefunded": {"amount_fen": total_fen},
            "OrderRefunded": {"amount_fen": total_fen},
            "OrderOperated": {"operator": "li", "reason": "the warehouse called"},
            "OrderParked": {"step": "PAID", "reason": "no answer"},
        }.get(name, {})
        key = {"order_no": order_no, "shop_id": SHOP, "user_id": USER, "trace_id": TRACE}
        version = {"version": self._next("order", order_no)}
        self.facts.append(("order.events", name, key | version | amounts | fields))

    def placed(self, order_no: str, qty: int = 2, sku: int = SKU, price_fen: int = 500) -> None:
        total_fen = qty * price_fen - 100
        line = {
            "sku_id": sku,
            "qty": qty,
            "unit_price_fen": price_fen,
            "discount_fen": 100,
            "payable_fen": total_fen,
        }
        hold = {"kind": "stock", "hold_id": f"H{order_no}", "resource_id": str(sku), "amount": qty}
        fields = {"lines": [line], "holds": [hold], "total_fen": total_fen, "currency": "CNY"}
        self._orders[order_no] = fields
        self.order("OrderPlaced", order_no, **fields)

    def amended(self, order_no: str, qty: int, sku: int = SKU, price_fen: int = 500) -> None:
        """Add units of the order's sku, under a hold of their own."""
        placed = self._orders[order_no]
        (line,), (hold,) = placed["lines"], placed["holds"]
        units = line["qty"] + qty
        total_fen = units * price_fen - 100
        line = line | {"qty": units, "payable_fen": total_fen}
        extra = hold | {"hold_id": f"{hold['hold_id']}/1", "amount": qty}
        self.held(extra["hold_id"], order_no, qty, sku)
        fields = {"lines": [line], "holds": [hold, extra], "total_fen": total_fen}
        self._orders[order_no] = placed | fields
        self.order("OrderAmended", order_no, currency="CNY", amend_key="a1", **fields)

    def shipped(self, name: str, order_no: str, qty: int, sku: int = SKU) -> None:
        units = [{"sku_id": sku, "qty": qty}]
        self.order(name, order_no, waybill_no=f"SF{len(self.facts)}", units=units)

    # --- money

    def payment(self, name: str, order_no: str, attempt: str = "P", **fields: Any) -> None:
        """Add a payment's fact; the amounts are the order's total, numbers follow from names."""
        total_fen = self._orders.get(order_no, {}).get("total_fen", 900)
        pay_no, refund_no = attempt + order_no, f"R{attempt}{order_no}"
        money = {"pay_no": pay_no, "amount_fen": total_fen, "currency": "CNY"}
        more: dict[str, Any] = {
            "PaymentRequested": money | {"channel": "sim"},
            "PaymentSucceeded": money | {"gateway": "sim", "gateway_txn_no": f"T{pay_no}"},
            "PaymentSurplus": money
            | {"gateway": "sim", "gateway_txn_no": f"T{pay_no}", "reason": "DUPLICATE"},
            "RefundRequested": money
            | {
                "refund_no": refund_no,
                "channel": "sim",
                "gateway": "sim",
                "paid_txn_no": self._surplus.get(pay_no, f"T{pay_no}"),
                "is_surplus": pay_no in self._surplus,
                "is_repeat": fields.get("refund_no", refund_no) in self._refunds,
            },
            "RefundOverpaid": money
            | {"refund_no": refund_no, "gateway": "sim", "gateway_txn_no": f"U{refund_no}"},
            "PaymentQueried": money | {"channel": "sim", "nth": 1, "is_closed": False},
            "RefundQueried": money | {"refund_no": refund_no, "channel": "sim", "nth": 2},
            "PaymentTicketOpened": money,
            "PaymentTicketClosed": money,
            "RefundSucceeded": money | {"refund_no": refund_no, "gateway_txn_no": f"T{refund_no}"},
        }.get(name, {"pay_no": pay_no, "reason": ""})
        if name == "RefundFailed":
            more["refund_no"] = refund_no
        if name == "PaymentSurplus":
            self._surplus[pay_no] = fields.get("gateway_txn_no", f"T{pay_no}")
        if name == "RefundRequested":
            self._refunds.add(fields.get("refund_no", refund_no))
        key = {"order_no": order_no, "shop_id": SHOP, "trace_id": TRACE}
        version = {"version": self._next("payment", order_no)}
        self.facts.append(("payment.events", name, key | version | more | fields))

    def ticket(self, order_no: str, reason: str, refund_no: str = "", **fields: Any) -> None:
        """Open a ticket; with a resolution, close it."""
        about = {"ticket_no": f"{order_no}-T1", "reason": reason, "refund_no": refund_no}
        if "resolution" in fields:
            self.payment("PaymentTicketClosed", order_no, operator="mia", **about | fields)
        else:
            self.payment("PaymentTicketOpened", order_no, since_ms=5, **about | fields)

    def _next(self, kind: str, key: Any) -> int:
        self._versions[kind, key] += 1
        return self._versions[kind, key]

    # --- whole lives of orders

    def created(self, order_no: str, qty: int = 2, sku: int = SKU) -> None:
        self.placed(order_no, qty, sku)
        self.held(f"H{order_no}", order_no, qty, sku)
        self.order("OrderCreated", order_no)

    def opened(self, order_no: str, qty: int = 2, sku: int = SKU) -> None:
        self.created(order_no, qty, sku)
        self.order("OrderPaymentOpened", order_no)
        self.payment("PaymentRequested", order_no)

    def paid(self, order_no: str, qty: int = 2, sku: int = SKU) -> None:
        self.opened(order_no, qty, sku)
        self.payment("PaymentSucceeded", order_no)
        self.order("OrderPaid", order_no)

    def confirmed(self, order_no: str, qty: int = 2, sku: int = SKU) -> None:
        self.paid(order_no, qty, sku)
        self.deducted(f"H{order_no}")
        self.order("OrderConfirmed", order_no)

    def cancelled(self, order_no: str) -> None:
        self.opened(order_no)
        self.order("OrderCancelling", order_no)
        self.released(f"H{order_no}")
        self.payment("PaymentClosed", order_no)
        self.order("OrderCancelled", order_no)

    def rejected(self, order_no: str) -> None:
        self.placed(order_no, qty=99)
        refusal = {"resource_id": str(SKU), "reason": "INSUFFICIENT", "requested": 99}
        self.order("OrderRejected", order_no, refusals=[refusal | {"available": 3}])


def cause(offset: int, index: int = 0, partition: int = 0) -> list[tuple[str, bytes | None]]:
    """Return headers as the engine writes them."""
    place = partition.to_bytes(4, "big") + offset.to_bytes(8, "big") + index.to_bytes(4, "big")
    return [("traceparent", b"00-"), ("cause", b"incarnat" + place)]


def judge(history: History, final: bool = True, **options: Any) -> Verdict:
    """Feed a history to a new auditor, each fact with a cause of its own."""
    auditor = Auditor()
    for offset, (topic, name, fact) in enumerate(history.facts):
        auditor.take(topic, 0, cause(offset), name, fact, offset)
    return auditor.verdict(final, **options)


def lawful() -> History:
    """Return a history with every kind of life of an order, in which every law holds."""
    history = History()
    history.received(100)
    history.adjusted(-3)
    history.received(50, OTHER_SKU)
    history.confirmed("A")
    history.order("OrderCompleted", "A")
    history.confirmed("B", qty=3, sku=OTHER_SKU)
    # B was paid a second time over the same attempt; that went back.
    history.payment("PaymentSurplus", "B", gateway_txn_no="second")
    history.payment("RefundRequested", "B")
    history.payment("RefundSucceeded", "B")
    history.cancelled("C")
    history.rejected("D")
    # E: nobody paid in time, the money came afterwards and went back.
    history.opened("E")
    history.order("OrderCancelling", "E")
    history.released("HE")
    history.payment("PaymentClosed", "E")
    history.order("OrderExpired", "E")
    history.payment("PaymentSurplus", "E")
    history.payment("RefundRequested", "E")
    history.payment("RefundSucceeded", "E")
    # F: the first attempt failed, the second was paid, the first came late and went back.
    history.opened("F")
    history.payment("PaymentFailed", "F")
    history.order("OrderPaymentOpened", "F", pay_no="QF")
    history.payment("PaymentRequested", "F", "Q")
    history.payment("PaymentSucceeded", "F", "Q")
    history.order("OrderPaid", "F", pay_no="QF")
    history.deducted("HF")
    history.order("OrderConfirmed", "F")
    history.payment("PaymentSurplus", "F")
    history.payment("RefundRequested", "F")
    history.payment("RefundFailed", "F")
    history.payment("RefundRequested", "F")
    history.payment("RefundSucceeded", "F")
    # G: the hold was lost before the payment; the money went back.
    history.paid("G")
    history.released("HG")
    history.order("OrderRefunding", "G", pay_no="PG", refund_no="RPG")
    history.payment("RefundRequested", "G")
    history.payment("RefundSucceeded", "G")
    history.order("OrderRefunded", "G", refund_no="RPG")
    changed_and_shipped(history)
    given_back_by_hand(history)
    # K: nobody knows how the refund ended; an operator settled it outside.
    history.paid("K")
    history.released("HK")
    history.order("OrderRefunding", "K", pay_no="PK", refund_no="RPK")
    history.payment("RefundRequested", "K")
    history.payment("RefundQueried", "K")
    history.ticket("K", "REFUND_UNPAID", "RPK")
    history.ticket("K", "REFUND_UNPAID", "RPK", resolution="SETTLED")
    history.payment("RefundSucceeded", "K", gateway="manual")
    history.order("OrderRefunded", "K", refund_no="RPK")
    # L: paid after the order was closed; found by asking; refunded twice; written off.
    history.cancelled("L")
    history.payment("PaymentQueried", "L", is_closed=True)
    history.payment("PaymentSurplus", "L")
    history.payment("RefundRequested", "L")
    history.payment("RefundSucceeded", "L")
    history.payment("RefundOverpaid", "L")
    history.ticket("L", "REFUND_OVERPAID", "RPL")
    history.ticket("L", "REFUND_OVERPAID", "RPL", resolution="WRITTEN_OFF")
    # H: a human is needed.
    history.paid("H")
    history.order("OrderParked", "H")
    return history


def changed_and_shipped(history: History) -> None:
    """I: amended, paid, shipped in two parcels, refunded in part, completed by an operator."""
    history.created("I")
    history.amended("I", qty=1)
    history.order("OrderPaymentOpened", "I")
    history.payment("PaymentRequested", "I")
    history.payment("PaymentSucceeded", "I")
    history.order("OrderPaid", "I")
    history.deducted("HI")
    history.deducted("HI/1")
    history.order("OrderConfirmed", "I")
    history.shipped("OrderPartlyShipped", "I", 1)
    history.shipped("OrderShipped", "I", 2)
    history.order("OrderRefunding", "I", pay_no="PI", refund_no="RPI", amount_fen=467)
    history.payment("RefundRequested", "I", amount_fen=467)
    history.payment("RefundSucceeded", "I", amount_fen=467)
    history.order("OrderPartlyRefunded", "I", refund_no="RPI", amount_fen=467)
    history.order("OrderOperated", "I", action="SKIP")
    history.order("OrderCompleted", "I")


def given_back_by_hand(history: History) -> None:
    """J: the refund failed for good; an operator gave the money back outside of the gateway."""
    history.confirmed("J")
    history.order("OrderRefunding", "J", pay_no="PJ", refund_no="RPJ")
    history.payment("RefundRequested", "J")
    history.payment("RefundFailed", "J")
    history.ticket("J", "REFUND_UNPAID", "RPJ")
    history.order("OrderParked", "J", step="REFUNDING", reason="REFUND_FAILED")
    history.order("OrderOperated", "J", action="SKIP")
    history.order("OrderRefunded", "J", refund_no="RPJ")
