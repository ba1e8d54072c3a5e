"""A whole shop on the memory host: orders of every outcome, with the log that they leave behind."""

from __future__ import annotations

import random

from schemas import inventory, order, payment, topics
from schemas.codec import Codec, local_codec
from schemas.record import Record
from streams.engine.memory import MemoryHost
from streams.orders import OrderLimits
from topologies.gateway import Faults, SimulatedGateway
from topologies.pipeline import all_records, stages
from topologies.replay.log import MemoryRecordedLog

WINDOW_MS = 60_000
LATE_MS = 90_000  # sim-late pays when the payment window is over
LIMITS = OrderLimits(payment_window_ms=WINDOW_MS)
SHOP, BUYER, CURRENCY = 1, 42, "CNY"
PRICE_FEN = 1_000
SKU, SCARCE = 100_001, 100_002


class Shop:
    """Ask it with ``place`` and its like; ``wait`` lets time pass and the gateway answer."""

    def __init__(self, limits: OrderLimits = LIMITS, stock: int = 100) -> None:
        self.codec: Codec = local_codec(all_records())
        self.host = MemoryHost(stages(limits), self.codec, partitions=2)
        self.log = MemoryRecordedLog(self.host.log, batch_records=7)
        self._gateway = SimulatedGateway(
            Faults(late_ms=LATE_MS), random.Random(1), lambda: self.host.log.clock_ms
        )
        self._asked: set[str] = set()
        self._under_way: list[tuple[int, payment.GatewayReport]] = []
        for sku, qty in ((SKU, stock), (SCARCE, 1)):
            restock = inventory.Restock("first", SHOP, sku, "east", qty, trace(str(sku)))
            self.host.send(topics.INVENTORY_COMMANDS.name, str(sku), restock)
        self.wait(1_000)

    def place(
        self, order_no: str, *skus: int, qty: int = 1, channel: str | None = "sim", ms: int = 2_000
    ) -> None:
        """Place an order (default: one unit of SKU, paid at once) and wait ``ms``."""
        wanted = skus or (SKU,)
        total_fen = len(wanted) * qty * PRICE_FEN
        lines = [order.PricedLine(s, qty, PRICE_FEN, 0, qty * PRICE_FEN) for s in wanted]
        holds = [order.HoldRef(f"{order_no}/{sku}", "stock", str(sku), qty) for sku in wanted]
        self.tell(
            order_no,
            order.PlaceOrder(
                order_no=order_no,
                shop_id=SHOP,
                user_id=BUYER,
                currency=CURRENCY,
                lines=tuple(lines),
                rules=(),
                holds=tuple(holds),
                total_fen=total_fen,
                placed_at_ms=self.host.log.clock_ms,
                fingerprint="00112233aabbccdd",
                flow="standard",
                pay_channel=channel,
                trace_id=trace(order_no),
            ),
            ms,
        )

    def complete(self, order_no: str) -> None:
        """The buyer has the goods."""
        self.tell(order_no, order.CompleteOrder(order_no, SHOP, BUYER, trace(order_no)))

    def cancel(self, order_no: str) -> None:
        """The buyer gives up."""
        message = order.CancelOrder(order_no, SHOP, BUYER, "changed my mind", trace(order_no))
        self.tell(order_no, message)

    def refund(self, order_no: str) -> None:
        """The buyer wants the money back."""
        message = order.RefundOrder(order_no, SHOP, BUYER, "broken", trace(order_no))
        self.tell(order_no, message)

    def pay_wrongly(self, order_no: str) -> None:
        """Tell the order of money that does not fit it: it is parked."""
        message = payment.PaymentSucceeded(
            order_no, 2, SHOP, f"{order_no}-1", "sim", "T1", 1, CURRENCY, 5, trace(order_no)
        )
        self.tell(order_no, message)

    def tell(self, order_no: str, message: Record, ms: int = 2_000) -> None:
        """Send a command to an order and wait ``ms``."""
        self.host.send(topics.ORDER_COMMANDS.name, order_no, message)
        self.wait(ms)

    def wait(self, ms: int) -> None:
        """Let time pass, second by second; the gateway answers when its time has come."""
        self.host.run()
        for _ in range(0, ms, 1_000):
            self._call_gateway()
            self.host.advance(1_000)

    def _call_gateway(self) -> None:
        now_ms = self.host.log.clock_ms
        for fact in self.host.facts(topics.PAYMENT_EVENTS.name):
            match fact:
                case payment.PaymentRequested(pay_no=number):
                    plan = self._gateway.plan_payment
                case payment.RefundRequested(refund_no=number):
                    plan = self._gateway.plan_refund  # type: ignore[assignment]  # by its number
                case _:
                    continue
            if number not in self._asked:
                self._asked.add(number)
                self._under_way += [(now_ms + d.after_ms, d.report) for d in plan(fact)]  # type: ignore[arg-type]  # the plan of its kind
        for due_ms, report in list(self._under_way):
            if due_ms <= now_ms:
                self._under_way.remove((due_ms, report))
                self.host.send(topics.PAYMENT_COMMANDS.name, report.order_no, report)
        self.host.run()


def trace(text: str) -> str:
    return text.encode().hex().ljust(32, "0")[:32]


def every_outcome() -> Shop:
    """Orders that were completed, rejected, expired, paid late or twice, refunded, parked ..."""
    shop = Shop()
    for order_no in ("COMPLETED", "REFUNDED", "TWO-SKUS"):
        shop.place(order_no, *((SKU, SCARCE) if order_no == "TWO-SKUS" else ()))
        shop.complete(order_no)
    shop.refund("REFUNDED")
    shop.place("REJECTED", SKU, SCARCE, qty=2)
    shop.place("PAID-TWICE", channel="sim-twice")
    shop.place("DECLINED", channel="sim-decline")
    shop.place("CANCELLED", channel=None)
    shop.cancel("CANCELLED")
    shop.place("PARKED", channel="sim-never")
    shop.pay_wrongly("PARKED")
    shop.place("EXPIRED", channel="sim-never")
    shop.place("PAID-LATE", channel="sim-late")
    shop.wait(LATE_MS + 60_000)
    return shop
