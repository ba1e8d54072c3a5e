"""Stages around the orders stage, reduced to what an order sees of them, over unreliable queues."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from random import Random

from msgspec.structs import replace

from schemas.inventory import (
    CancelHold,
    ConfirmHold,
    HoldEndRefused,
    HoldFenced,
    ReleaseCause,
    ReturnStock,
    StockDeducted,
    StockHeld,
    StockReason,
    StockRefused,
    StockReleased,
    TryHold,
)
from schemas.payment import (
    ClosePayments,
    PaymentClosed,
    PaymentFailed,
    PaymentReason,
    PaymentRefused,
    PaymentSucceeded,
    RefundFailed,
    RefundSucceeded,
    RequestPayment,
    RequestRefund,
)
from schemas.record import Record
from streams.kernel.stage import Output

HELD, SOLD, CANCELLED, EXPIRED, FENCED = "HELD", "SOLD", "CANCELLED", "EXPIRED", "FENCED"
RETURNED = "RETURNED"


class Inventory:
    """Holds by id; ``stock`` units of every sku to begin with."""

    def __init__(self, stock: int) -> None:
        self.available: defaultdict[int, int] = defaultdict(lambda: stock)
        self.holds: dict[str, str] = {}
        self._asked: dict[str, tuple[TryHold, int]] = {}

    def answer(self, message: Record, now_ms: int) -> list[Record]:
        if isinstance(message, TryHold):
            return [self._try(message, now_ms)]
        if isinstance(message, ConfirmHold):
            return [self._end(message, SOLD)]
        if isinstance(message, ReturnStock) and self.holds.get(message.hold_id) == SOLD:
            self.holds[message.hold_id] = RETURNED
            ask, _ = self._asked[message.hold_id]
            self.available[ask.sku_id] += ask.qty
            return []
        assert isinstance(message, CancelHold | ReturnStock)
        return [self._end(message, CANCELLED)]

    def expire(self, now_ms: int) -> list[Record]:
        facts: list[Record] = []
        for hold_id, (ask, expires_at_ms) in self._asked.items():
            if self.holds[hold_id] == HELD and expires_at_ms <= now_ms:
                self.holds[hold_id] = EXPIRED
                self.available[ask.sku_id] += ask.qty
                facts.append(self._released(ask, ReleaseCause.EXPIRED))
        return facts

    def sold(self) -> Counter[int]:
        """Return the units of each sku that are sold."""
        units: Counter[int] = Counter()
        for hold_id, (ask, _) in self._asked.items():
            if self.holds[hold_id] == SOLD:
                units[ask.sku_id] += ask.qty
        return units

    def _try(self, ask: TryHold, now_ms: int) -> Record:
        known = self.holds.get(ask.hold_id)
        if known == FENCED or (known is None and self.available[ask.sku_id] < ask.qty):
            reason = StockReason.FENCED if known else StockReason.INSUFFICIENT
            return StockRefused(
                ask.sku_id,
                ask.shop_id,
                ask.hold_id,
                ask.order_no,
                ask.qty,
                self.available[ask.sku_id],
                reason,
                ask.trace_id,
            )
        if known is None:
            self.available[ask.sku_id] -= ask.qty
            self.holds[ask.hold_id] = HELD
            self._asked[ask.hold_id] = (ask, now_ms + ask.ttl_ms)
        _, expires_at_ms = self._asked[ask.hold_id]
        return StockHeld(
            ask.sku_id,
            "W1",
            1,
            ask.shop_id,
            ask.hold_id,
            ask.order_no,
            ask.qty,
            expires_at_ms,
            9,
            ask.qty,
            0,
            ask.qty,
            ask.trace_id,
        )

    def _end(self, message: ConfirmHold | CancelHold | ReturnStock, end: str) -> Record:
        known = self.holds.get(message.hold_id)
        ask, _ = self._asked.get(message.hold_id, (None, 0))
        if ask is not None and known in (HELD, end):
            if known == HELD and end == CANCELLED:
                self.available[ask.sku_id] += ask.qty
            self.holds[message.hold_id] = end
            if end == CANCELLED:
                return self._released(ask, ReleaseCause.CANCELLED)
            return StockDeducted(
                ask.sku_id,
                "W1",
                2,
                ask.shop_id,
                ask.hold_id,
                ask.order_no,
                ask.qty,
                8,
                0,
                -ask.qty,
                -ask.qty,
                ask.trace_id,
            )
        if known in (None, FENCED) and end == CANCELLED:
            self.holds[message.hold_id] = FENCED
            return HoldFenced(
                message.sku_id, message.shop_id, message.hold_id, message.order_no, message.trace_id
            )
        reasons = {
            SOLD: StockReason.ALREADY_CONFIRMED,
            CANCELLED: StockReason.ALREADY_CANCELLED,
            EXPIRED: StockReason.HOLD_EXPIRED,
        }
        return HoldEndRefused(
            message.sku_id,
            message.shop_id,
            message.hold_id,
            message.order_no,
            type(message).__name__,
            reasons.get(known or "", StockReason.UNKNOWN_HOLD),
            message.trace_id,
        )

    def _released(self, ask: TryHold, cause: ReleaseCause) -> Record:
        return StockReleased(
            ask.sku_id,
            "W1",
            2,
            ask.shop_id,
            ask.hold_id,
            ask.order_no,
            ask.qty,
            cause,
            9,
            0,
            0,
            -ask.qty,
            ask.trace_id,
        )


class Payments:
    """The attempts of one order; after a close or a success further money is refunded silently."""

    def __init__(self, random: Random, refund_failures: int) -> None:
        self.open: dict[str, RequestPayment] = {}
        self._void: set[str] = set()  # attempts whose money is not wanted any more
        self.kept: dict[str, PaymentSucceeded] = {}  # money that was told to the order
        self.refund_answers: dict[str, Record] = {}
        self._closed = False
        self._random = random
        self._refund_failures = refund_failures

    def answer(self, message: Record) -> list[Record]:
        if isinstance(message, RequestPayment):
            if self._closed or self.kept:
                reason = PaymentReason.ORDER_CLOSED if self._closed else PaymentReason.ALREADY_PAID
                return [self._refused(message, "", reason)]
            self.open[message.pay_no] = message
            return []
        if isinstance(message, ClosePayments):
            return self._close(message)
        assert isinstance(message, RequestRefund)
        return [self._refund(message)]

    def gateway(self) -> list[Record]:
        """Let the gateway decide one open attempt."""
        if not self.open:
            return []
        pay_no = self._random.choice(sorted(self.open))
        ask = self.open.pop(pay_no)
        if self._random.random() < 0.3:
            failed = PaymentFailed(ask.order_no, 2, ask.shop_id, pay_no, "NO", ask.trace_id)
            return [failed]
        if self._closed or self.kept or pay_no in self._void:
            return []  # PaymentSurplus: refunded here, the order does not hear of it
        self.kept[pay_no] = PaymentSucceeded(
            ask.order_no,
            2,
            ask.shop_id,
            pay_no,
            "sim",
            f"T{pay_no}",
            ask.amount_fen,
            ask.currency,
            1,
            ask.trace_id,
        )
        return [self.kept[pay_no]]

    def _close(self, ask: ClosePayments) -> list[Record]:
        self._void |= set(self.open)
        if not ask.pay_no:
            self._closed = True
            return []
        if self.kept:
            return list(self.kept.values())
        closed = PaymentClosed(ask.order_no, 2, ask.shop_id, ask.pay_no, ask.reason, ask.trace_id)
        return [closed]

    def _refund(self, ask: RequestRefund) -> Record:
        if ask.refund_no not in self.refund_answers:
            if self._refund_failures:
                self._refund_failures -= 1
                self.refund_answers[ask.refund_no] = RefundFailed(
                    ask.order_no, 3, ask.shop_id, ask.refund_no, ask.pay_no, "NO", ask.trace_id
                )
            elif ask.pay_no not in self.kept:
                return self._refused(ask, ask.refund_no, PaymentReason.NOTHING_TO_REFUND)
            else:
                money = self.kept.pop(ask.pay_no)
                assert 0 < ask.amount_fen <= money.amount_fen
                if ask.amount_fen < money.amount_fen:
                    left_fen = money.amount_fen - ask.amount_fen
                    self.kept[ask.pay_no] = replace(money, amount_fen=left_fen)
                self.refund_answers[ask.refund_no] = RefundSucceeded(
                    ask.order_no,
                    3,
                    ask.shop_id,
                    ask.refund_no,
                    ask.pay_no,
                    "R",
                    ask.amount_fen,
                    ask.currency,
                    ask.trace_id,
                )
        return self.refund_answers[ask.refund_no]

    def _refused(
        self, ask: RequestPayment | RequestRefund, refund_no: str, reason: PaymentReason
    ) -> Record:
        return PaymentRefused(
            ask.order_no,
            1,
            ask.shop_id,
            ask.pay_no,
            refund_no,
            type(ask).__name__,
            reason,
            ask.trace_id,
        )


class Queues:
    """In order from each sender to each receiver, in no order between them, as slow as you like."""

    def __init__(self) -> None:
        self.asked: defaultdict[tuple[str, str], deque[Record]] = defaultdict(deque)
        self.answered: defaultdict[tuple[str, str], deque[Record]] = defaultdict(deque)

    def ask(self, outputs: list[Output]) -> None:
        for topic, key, message in outputs:
            if not topic.endswith(".events"):
                self.asked[topic, key].append(message)

    def busy(self) -> bool:
        return any(self.asked.values()) or any(self.answered.values())
