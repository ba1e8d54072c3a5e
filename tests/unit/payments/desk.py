"""One partition of the payments stage, driven by hand, and the messages to drive it with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from schemas.payment import (
    ClosePayments,
    GatewayReport,
    GatewayStatus,
    PaymentClosed,
    PaymentFailed,
    PaymentQueried,
    PaymentReason,
    PaymentRefused,
    PaymentRequested,
    PaymentSucceeded,
    PaymentSurplus,
    PaymentTicketClosed,
    PaymentTicketOpened,
    RefundFailed,
    RefundOverpaid,
    RefundQueried,
    RefundRequested,
    RefundSucceeded,
    RequestPayment,
    RequestRefund,
    ResolveTicket,
    TicketReason,
    TicketResolution,
)
from schemas.record import Record
from schemas.topics import ORDER_COMMANDS, PAYMENT_EVENTS
from streams.engine.store import MemoryStore, PartitionState
from streams.kernel.stage import Output
from streams.payments import payments_stage
from streams.payments.state import OrderPayments

ORDER, SHOP, USER, PAY, FEN, TRACE = "O1", 7, 42, "O1-1", 12_500, "0af7651916cd43dd8448eb211c80319c"
START_MS = 1_790_000_000_000


class Desk:
    """Keeps what was decided: ``facts`` and ``outputs`` of all messages so far."""

    def __init__(self) -> None:
        self.stage = payments_stage()
        self.state = PartitionState(MemoryStore(self.stage.entities), self.stage.entities)
        self.now_ms = START_MS
        self.facts: list[Record] = []
        self.outputs: list[Output] = []

    def take(self, *messages: Record) -> list[Record]:
        """Take messages in; return the facts of the last one."""
        facts: Sequence[Record] = ()
        for message in messages:
            facts = self.stage.decide(self.state, message, self.now_ms)
            self._fold(facts)
        return list(facts)

    def pass_time(self, ms: int) -> list[Record]:
        """Let time pass and every timer that came fire; return the facts."""
        self.now_ms += ms
        all_facts: list[Record] = []
        while (due := self.state.next_due(self.now_ms)) is not None:
            key, record = due
            facts = self.stage.wake(self.state, record, self.now_ms)
            self._fold(facts)
            all_facts += facts
            after = self.state.get(OrderPayments, key)
            assert after is None or after.due_ms != record.due_ms, "a timer that fires for ever"
        return all_facts

    def known(self) -> OrderPayments:
        """Return the order's record."""
        known = self.state.get(OrderPayments, ORDER)
        assert known is not None
        return known

    def is_forgotten(self) -> bool:
        """Tell whether nothing is left of the order."""
        return self.state.get(OrderPayments, ORDER) is None

    def public(self) -> list[Any]:
        """Return everything on payment.events."""
        return [output.message for output in self.outputs if output.topic == PAYMENT_EVENTS.name]

    def told(self) -> list[Any]:
        """Return everything the order was told."""
        return [output.message for output in self.outputs if output.topic == ORDER_COMMANDS.name]

    def _fold(self, facts: Sequence[Record]) -> None:
        for fact in facts:
            self.stage.evolve(self.state, fact, self.now_ms)
            self.facts.append(fact)
            outputs = self.stage.react(self.state, fact)
            assert all(output.key == ORDER for output in outputs)
            self.outputs += outputs


# --- messages ------------------------------------------------------------------------------------


def pay(pay_no: str = PAY, channel: str = "sim", amount_fen: int = FEN) -> RequestPayment:
    return RequestPayment(pay_no, ORDER, SHOP, USER, channel, amount_fen, "CNY", TRACE)


def close(reason: str = "EXPIRED") -> ClosePayments:
    return ClosePayments(ORDER, SHOP, reason, TRACE)


def refund(refund_no: str = f"{PAY}-R1", pay_no: str = PAY, amount_fen: int = FEN) -> RequestRefund:
    return RequestRefund(refund_no, pay_no, ORDER, SHOP, amount_fen, "CNY", "BUYER", TRACE)


def says(
    status: GatewayStatus,
    pay_no: str = PAY,
    *,
    txn: str = "T1",
    refund_no: str = "",
    amount_fen: int = FEN,
) -> GatewayReport:
    txn_no = txn if status is GatewayStatus.SUCCEEDED else ""
    return GatewayReport(
        order_no=ORDER,
        pay_no=pay_no,
        refund_no=refund_no,
        gateway="sim",
        gateway_txn_no=txn_no,
        status=status,
        amount_fen=amount_fen,
        currency="CNY",
        occurred_at_ms=START_MS - 5,
        trace_id=TRACE,
    )


ANSWERED, RETRY = TicketResolution.ANSWERED, TicketResolution.RETRY
SETTLED, WRITTEN_OFF = TicketResolution.SETTLED, TicketResolution.WRITTEN_OFF
PENDING, UNKNOWN = GatewayStatus.PENDING, GatewayStatus.UNKNOWN
SUCCEEDED, FAILED, CLOSED = GatewayStatus.SUCCEEDED, GatewayStatus.FAILED, GatewayStatus.CLOSED


# --- facts ---------------------------------------------------------------------------------------


def requested(version: int, pay_no: str = PAY, channel: str = "sim") -> PaymentRequested:
    return PaymentRequested(ORDER, version, SHOP, USER, pay_no, channel, FEN, "CNY", TRACE)


def succeeded(version: int, pay_no: str = PAY, txn: str = "T1") -> PaymentSucceeded:
    paid_at_ms = START_MS - 5
    return PaymentSucceeded(ORDER, version, SHOP, pay_no, "sim", txn, FEN, "CNY", paid_at_ms, TRACE)


def failed(version: int, reason: str = "FAILED", pay_no: str = PAY) -> PaymentFailed:
    return PaymentFailed(ORDER, version, SHOP, pay_no, reason, TRACE)


def closed(version: int, pay_no: str = PAY, reason: str = "EXPIRED") -> PaymentClosed:
    return PaymentClosed(ORDER, version, SHOP, pay_no, reason, TRACE)


def surplus(version: int, reason: str, pay_no: str = PAY, txn: str = "T1") -> PaymentSurplus:
    return PaymentSurplus(ORDER, version, SHOP, pay_no, "sim", txn, FEN, "CNY", reason, TRACE)


def refund_requested(
    version: int,
    refund_no: str = f"{PAY}-R1",
    pay_no: str = PAY,
    *,
    reason: str = "BUYER",
    txn: str = "T1",
    amount_fen: int = FEN,
    channel: str = "sim",
    is_repeat: bool = False,
) -> RefundRequested:
    return RefundRequested(
        order_no=ORDER,
        version=version,
        shop_id=SHOP,
        refund_no=refund_no,
        pay_no=pay_no,
        channel=channel,
        amount_fen=amount_fen,
        currency="CNY",
        reason=reason,
        trace_id=TRACE,
        gateway="sim",
        paid_txn_no=txn,
        is_surplus="-S" in refund_no,
        is_repeat=is_repeat,
    )


def refund_succeeded(
    version: int,
    refund_no: str = f"{PAY}-R1",
    pay_no: str = PAY,
    *,
    txn: str = "B1",
    amount_fen: int = FEN,
    gateway: str = "sim",
) -> RefundSucceeded:
    return RefundSucceeded(
        ORDER, version, SHOP, refund_no, pay_no, txn, amount_fen, "CNY", TRACE, gateway
    )


def refund_failed(
    version: int, refund_no: str = f"{PAY}-R1", pay_no: str = PAY, reason: str = "FAILED"
) -> RefundFailed:
    return RefundFailed(ORDER, version, SHOP, refund_no, pay_no, reason, TRACE)


def queried(
    version: int, nth: int = 1, pay_no: str = PAY, *, is_closed: bool = False, channel: str = "sim"
) -> PaymentQueried:
    return PaymentQueried(ORDER, version, SHOP, pay_no, channel, FEN, "CNY", nth, is_closed, TRACE)


def refund_queried(
    version: int, nth: int = 2, refund_no: str = f"{PAY}-R1", *, amount_fen: int = FEN
) -> RefundQueried:
    return RefundQueried(
        order_no=ORDER,
        version=version,
        shop_id=SHOP,
        refund_no=refund_no,
        pay_no=PAY,
        channel="sim",
        gateway="sim",
        paid_txn_no="T1",
        amount_fen=amount_fen,
        currency="CNY",
        nth=nth,
        trace_id=TRACE,
    )


def overpaid(version: int, refund_no: str = f"{PAY}-R1", txn: str = "B2") -> RefundOverpaid:
    return RefundOverpaid(ORDER, version, SHOP, refund_no, PAY, "sim", txn, FEN, "CNY", TRACE)


def ticket(
    version: int,
    reason: TicketReason,
    refund_no: str = "",
    *,
    nth: int = 1,
    amount_fen: int = FEN,
    since_ms: int = START_MS,
    pay_no: str = PAY,
) -> PaymentTicketOpened:
    return PaymentTicketOpened(
        order_no=ORDER,
        version=version,
        shop_id=SHOP,
        ticket_no=f"{ORDER}-T{nth}",
        reason=reason,
        pay_no=pay_no,
        refund_no=refund_no,
        amount_fen=amount_fen,
        currency="CNY",
        since_ms=since_ms,
        trace_id=TRACE,
    )


def ticket_closed(
    opened: PaymentTicketOpened, version: int, resolution: TicketResolution, operator: str = ""
) -> PaymentTicketClosed:
    return PaymentTicketClosed(
        order_no=ORDER,
        version=version,
        shop_id=SHOP,
        ticket_no=opened.ticket_no,
        reason=opened.reason,
        pay_no=opened.pay_no,
        refund_no=opened.refund_no,
        amount_fen=opened.amount_fen,
        currency="CNY",
        resolution=resolution,
        operator=operator,
        note="looked" if operator else "",
        trace_id=TRACE,
    )


def resolve(
    resolution: TicketResolution, nth: int = 1, operator: str = "mia", shop_id: int = SHOP
) -> ResolveTicket:
    return ResolveTicket(f"{ORDER}-T{nth}", ORDER, shop_id, operator, resolution, "looked", TRACE)


def refused(
    version: int, message: RequestPayment | RequestRefund | ResolveTicket, reason: PaymentReason
) -> PaymentRefused:
    return PaymentRefused(
        order_no=ORDER,
        version=version,
        shop_id=SHOP,
        pay_no="" if isinstance(message, ResolveTicket) else message.pay_no,
        refund_no=message.refund_no if isinstance(message, RequestRefund) else "",
        message=type(message).__name__,
        reason=reason,
        trace_id=TRACE,
    )


def refused_report(
    version: int, report: GatewayReport, reason: PaymentReason, shop_id: int = SHOP
) -> PaymentRefused:
    return PaymentRefused(
        order_no=ORDER,
        version=version,
        shop_id=shop_id,
        pay_no=report.pay_no,
        refund_no=report.refund_no,
        message="GatewayReport",
        reason=reason,
        trace_id=TRACE,
        gateway="sim",
        gateway_txn_no=report.gateway_txn_no,
        amount_fen=report.amount_fen,
        currency=report.currency,
    )


def but(message: Any, **fields: Any) -> Any:
    """Return ``message`` with ``fields`` changed."""
    return replace(message, **fields)
