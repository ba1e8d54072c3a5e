"""Tickets: what a human has to decide, because nothing more happens by itself."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.payment import (
    PaymentFailed,
    PaymentSucceeded,
    PaymentSurplus,
    PaymentTicketClosed,
    PaymentTicketOpened,
    RefundSucceeded,
    TicketReason,
    TicketResolution,
)
from schemas.record import Record
from streams.payments.facts import PaymentNoted
from streams.payments.machine import AWAITED
from streams.payments.state import OrderPayments, Ticket


def ticket_opened(
    known: OrderPayments,
    reason: TicketReason,
    pay_no: str,
    refund_no: str,
    amount_fen: int,
    currency: str,
    since_ms: int,
    trace_id: str,
    version: int,
) -> PaymentTicketOpened:
    """Return a new ticket; tickets of an order are numbered 1, 2, 3 ..."""
    return PaymentTicketOpened(
        order_no=known.order_no,
        version=version,
        shop_id=known.shop_id,
        ticket_no=f"{known.order_no}-T{known.tickets_opened + 1}",
        reason=reason,
        pay_no=pay_no,
        refund_no=refund_no,
        amount_fen=amount_fen,
        currency=currency,
        since_ms=since_ms,
        trace_id=trace_id,
    )


def ticket_closed(
    known: OrderPayments,
    ticket: Ticket,
    resolution: TicketResolution,
    version: int,
    operator: str = "",
    note: str = "",
) -> PaymentTicketClosed:
    """Return the end of a ticket."""
    return PaymentTicketClosed(
        order_no=known.order_no,
        version=version,
        shop_id=known.shop_id,
        ticket_no=ticket.ticket_no,
        reason=ticket.reason,
        pay_no=ticket.pay_no,
        refund_no=ticket.refund_no,
        amount_fen=ticket.amount_fen,
        currency=ticket.currency,
        resolution=resolution,
        operator=operator,
        note=note,
        trace_id=ticket.trace_id,
    )


def answered(known: OrderPayments, facts: Sequence[Record]) -> list[Record]:
    """Return the end of each ticket that ``facts``, which follow from a report, answer."""
    version = max((getattr(fact, "version", 0) for fact in facts), default=0)
    done = [ticket for fact in facts if (ticket := _answered_by(known, fact)) is not None]
    return [
        ticket_closed(known, ticket, TicketResolution.ANSWERED, max(version, known.version) + n)
        for n, ticket in enumerate(done, 1)
    ]


def _answered_by(known: OrderPayments, fact: Record) -> Ticket | None:
    if isinstance(fact, RefundSucceeded):
        return known.ticket(TicketReason.REFUND_UNPAID, fact.pay_no, fact.refund_no)
    if isinstance(fact, PaymentNoted) and fact.status in AWAITED:
        return None
    if isinstance(fact, PaymentSucceeded | PaymentSurplus | PaymentFailed | PaymentNoted):
        return known.ticket(TicketReason.PAYMENT_UNKNOWN, fact.pay_no, "")
    return None
