"""The janitor: what is done about a payment or a refund whose end does not come by itself.

The gateway is asked again with a growing wait (``ask_again_ms``), up to MAX_TRIES times; then a
ticket is opened. A question is a public fact that the effect worker answers with a report; a report
that comes by itself meanwhile is as good.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.payment import PaymentQueried, RefundQueried, RefundRequested, TicketReason
from schemas.record import Record
from streams.payments.evolve import fold
from streams.payments.facts import EarlyReportsDropped, PaymentsForgotten
from streams.payments.machine import PayState
from streams.payments.reports import refund_unpaid, refused_report, unknown_reason
from streams.payments.state import EARLY_REPORT_MS, MAX_TRIES, Attempt, OrderPayments, Refund
from streams.payments.tickets import ticket_opened


def wake(known: OrderPayments, now_ms: int) -> Sequence[Record]:
    """Do what is due: refuse early messages, ask the gateway again, open tickets; else forget."""
    facts: list[Record] = []
    until_ms = now_ms - EARLY_REPORT_MS
    expired = [early.report for early in known.early if early.since_ms <= until_ms]
    if expired:
        facts += (refused_report(known, message, unknown_reason(message)) for message in expired)
        facts.append(EarlyReportsDropped(known.order_no, until_ms))
    for refund in known.refunds:
        if 0 < refund.due_ms <= now_ms:
            known = _and(known, facts, _refund_due(known, refund), now_ms)
    for attempt in known.attempts:
        if 0 < attempt.due_ms <= now_ms:
            known = _and(known, facts, _attempt_due(known, attempt), now_ms)
    return facts or (PaymentsForgotten(known.order_no),)


def _and(known: OrderPayments, facts: list[Record], fact: Record, now_ms: int) -> OrderPayments:
    """Add ``fact``; return what is known after it, for its version and the next ticket's number."""
    facts.append(fact)
    now_known = fold(known, fact, now_ms)
    return known if now_known is None else now_known


def _refund_due(known: OrderPayments, refund: Refund) -> Record:
    if refund.tries >= MAX_TRIES:
        return refund_unpaid(known, refund, known.version + 1)
    return refund_asked_again(known, refund, refund.tries + 1, known.version + 1)


def _attempt_due(known: OrderPayments, attempt: Attempt) -> Record:
    version = known.version + 1
    if attempt.queries < MAX_TRIES:
        return payment_queried(known, attempt, attempt.queries + 1, version)
    return ticket_opened(
        known,
        TicketReason.PAYMENT_UNKNOWN,
        attempt.pay_no,
        "",
        attempt.amount_fen,
        attempt.currency,
        attempt.since_ms,
        attempt.trace_id,
        version,
    )


def payment_queried(
    known: OrderPayments, attempt: Attempt, nth: int, version: int
) -> PaymentQueried:
    """Ask how a payment ended."""
    return PaymentQueried(
        order_no=known.order_no,
        version=version,
        shop_id=known.shop_id,
        pay_no=attempt.pay_no,
        channel=attempt.channel,
        amount_fen=attempt.amount_fen,
        currency=attempt.currency,
        nth=nth,
        is_closed=attempt.state == PayState.CLOSED,
        trace_id=attempt.trace_id,
    )


def refund_asked_again(
    known: OrderPayments, refund: Refund, nth: int, version: int
) -> RefundRequested | RefundQueried:
    """Ask for a refund that failed under the same number, or how one that is open ended.

    A gateway that did give the money back will not do it twice under one number.
    """
    attempt = known.attempt(refund.pay_no)
    channel = attempt.channel if attempt is not None else ""
    if refund.state == PayState.FAILED:
        return RefundRequested(
            order_no=known.order_no,
            version=version,
            shop_id=known.shop_id,
            refund_no=refund.refund_no,
            pay_no=refund.pay_no,
            channel=channel,
            amount_fen=refund.amount_fen,
            currency=refund.currency,
            reason=refund.reason,
            trace_id=refund.trace_id,
            gateway=refund.gateway,
            paid_txn_no=refund.paid_txn_no,
            is_surplus=refund.is_own,
            is_repeat=True,
        )
    return RefundQueried(
        order_no=known.order_no,
        version=version,
        shop_id=known.shop_id,
        refund_no=refund.refund_no,
        pay_no=refund.pay_no,
        channel=channel,
        gateway=refund.gateway,
        paid_txn_no=refund.paid_txn_no,
        amount_fen=refund.amount_fen,
        currency=refund.currency,
        nth=nth,
        trace_id=refund.trace_id,
    )
