"""What a gateway's message means. Money that was reported is money that is there.

For a set of messages about one payment the end is the same in any order and with any repeats: the
state is the highest one reported, and every movement of money counts once, by gateway and number.
Of two movements the first to arrive is kept and the other is given back. Money that is not what was
asked for is refused in public, and a ticket is opened: somebody has to look where it belongs.

A message may also be ahead of the request it belongs to. It is remembered on the order's record
and judged when the request comes; when none has come after ``EARLY_REPORT_MS`` it is refused by a
public fact that names the money.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.payment import (
    GatewayReport,
    GatewayStatus,
    PaymentClosed,
    PaymentFailed,
    PaymentReason,
    PaymentRefused,
    PaymentRequested,
    PaymentSucceeded,
    PaymentSurplus,
    RefundFailed,
    RefundOverpaid,
    RefundRequested,
    RefundSucceeded,
    TicketReason,
)
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.payments.evolve import fold
from streams.payments.facts import PaymentNoted, RefundNoted, ReportRemembered
from streams.payments.machine import AWAITED, OPEN, TRANSITIONS, PayState
from streams.payments.state import (
    GAVE_UP,
    MAX_EARLY_REPORTS,
    MAX_TRIES,
    Attempt,
    OrderPayments,
    Refund,
)
from streams.payments.tickets import answered, ticket_opened

DUPLICATE = "DUPLICATE"
ORDER_CLOSED = "ORDER_CLOSED"
VOID = "VOID"

_SUCCEEDED = GatewayStatus.SUCCEEDED


def report(known: OrderPayments | None, message: GatewayReport, now_ms: int) -> Sequence[Record]:
    """Judge a gateway's message; return the facts.

    Guards, in this order: money without a number (InvalidMessage), a payment or refund that is not
    known yet; then what the message is about decides. A ticket that waited for it is closed.
    """
    facts = _judged(known, message, now_ms)
    if known is None or not known.tickets:
        return facts
    return (*facts, *answered(known, facts))


def _judged(known: OrderPayments | None, message: GatewayReport, now_ms: int) -> Sequence[Record]:
    if message.status == _SUCCEEDED and not message.gateway_txn_no:
        raise InvalidMessage("NO_TXN_NO", "money moved, but the gateway's number of it is missing")
    if message.refund_no:
        refund = known.refund(message.refund_no) if known is not None else None
        if known is None or refund is None:
            return _early(known, message)
        return _refund_report(known, refund, message, now_ms)
    attempt = known.attempt(message.pay_no) if known is not None else None
    if known is None or attempt is None:
        return _early(known, message)
    if message.status == _SUCCEEDED:
        return caught_up(known, _payment_success(known, attempt, message, now_ms), now_ms)
    return _payment_progress(known, attempt, message)


def refused_report(
    known: OrderPayments | None, message: GatewayReport, reason: PaymentReason
) -> PaymentRefused:
    """Return the public refusal of a gateway's message; it names the money."""
    return PaymentRefused(
        order_no=message.order_no,
        version=known.version if known is not None else 0,
        shop_id=known.shop_id if known is not None else 0,
        pay_no=message.pay_no,
        refund_no=message.refund_no,
        message=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
        gateway=message.gateway,
        gateway_txn_no=message.gateway_txn_no,
        amount_fen=message.amount_fen,
        currency=message.currency,
    )


def unknown_reason(message: GatewayReport) -> PaymentReason:
    """Return why a message about something that nobody asked for is refused."""
    return PaymentReason.UNKNOWN_REFUND if message.refund_no else PaymentReason.UNKNOWN_PAYMENT


def caught_up(known: OrderPayments, facts: Sequence[Record], now_ms: int) -> Sequence[Record]:
    """Return ``facts``, then those of remembered messages that belong to a request among them."""
    if not known.early:
        return facts
    all_facts = list(facts)
    now_known: OrderPayments | None = known
    for fact in facts:
        now_known = fold(now_known, fact, now_ms)
    for early in known.early:
        if any(_is_ahead_of(early.report, fact) for fact in facts):
            for fact in report(now_known, early.report, now_ms):
                all_facts.append(fact)
                now_known = fold(now_known, fact, now_ms)
    return all_facts


def _is_ahead_of(message: GatewayReport, fact: Record) -> bool:
    if isinstance(fact, RefundRequested):
        return message.refund_no == fact.refund_no
    if isinstance(fact, PaymentRequested):
        return not message.refund_no and message.pay_no == fact.pay_no
    return False


def _early(known: OrderPayments | None, message: GatewayReport) -> Sequence[Record]:
    """Remember a message about something unknown; once, and only so many."""
    if known is not None:
        if any(_is_same(message, early.report) for early in known.early):
            return ()
        if len(known.early) >= MAX_EARLY_REPORTS:
            return (refused_report(known, message, unknown_reason(message)),)
    return (ReportRemembered(message.order_no, message),)


def _is_same(one: GatewayReport, other: GatewayReport) -> bool:
    return (
        one.pay_no == other.pay_no
        and one.refund_no == other.refund_no
        and one.status == other.status
        and one.gateway == other.gateway
        and one.gateway_txn_no == other.gateway_txn_no
        and one.amount_fen == other.amount_fen
        and one.currency == other.currency
    )


def _payment_progress(
    known: OrderPayments, attempt: Attempt, message: GatewayReport
) -> Sequence[Record]:
    state = TRANSITIONS[attempt.state][message.status]
    if state == attempt.state and not _is_news_of_closed(known, attempt, message.status):
        return ()
    if state != PayState.FAILED:
        return (PaymentNoted(known.order_no, attempt.pay_no, message.status),)
    return (
        PaymentFailed(
            order_no=known.order_no,
            version=known.version + 1,
            shop_id=known.shop_id,
            pay_no=attempt.pay_no,
            reason=message.status.value,
            trace_id=attempt.trace_id,
        ),
    )


def _is_news_of_closed(known: OrderPayments, attempt: Attempt, status: GatewayStatus) -> bool:
    """Tell whether it begins or ends the wait for money that may still come over a closed attempt.

    The order takes none any more, but what the gateway has begun may end with money, and must not
    be lost because its message was.
    """
    if attempt.state != PayState.CLOSED:
        return False
    is_asked = bool(attempt.due_ms or attempt.queries)
    if status in AWAITED:
        return not is_asked and not known.has_money(attempt.pay_no)
    return is_asked


def _payment_success(
    known: OrderPayments, attempt: Attempt, message: GatewayReport, now_ms: int
) -> Sequence[Record]:
    """Guards: other currency, other amount, money that is counted; then it is kept, or surplus."""
    if message.currency != attempt.currency:
        return mismatch(known, message, PaymentReason.CURRENCY_MISMATCH, now_ms)
    if message.amount_fen != attempt.amount_fen:
        return mismatch(known, message, PaymentReason.AMOUNT_MISMATCH, now_ms)
    number = message.gateway_txn_no
    for movement in known.movements:
        if movement.gateway_txn_no == number and movement.gateway == message.gateway:
            if movement.pay_no == attempt.pay_no:
                return ()
            # The same money cannot pay two attempts: counted again, it would be given back unpaid.
            return (refused_report(known, message, PaymentReason.CONFLICT),)
    if known.kept_pay_no:
        return _surplus(known, attempt, message, DUPLICATE)
    if known.is_closed:
        return _surplus(known, attempt, message, ORDER_CLOSED)
    if known.void_attempts and known.is_void(attempt.pay_no):
        return _surplus(known, attempt, message, VOID)
    succeeded = PaymentSucceeded(
        order_no=known.order_no,
        version=known.version + 1,
        shop_id=known.shop_id,
        pay_no=attempt.pay_no,
        gateway=message.gateway,
        gateway_txn_no=number,
        amount_fen=attempt.amount_fen,
        currency=attempt.currency,
        paid_at_ms=message.occurred_at_ms,
        trace_id=attempt.trace_id,
    )
    if len(known.attempts) == 1:
        return (succeeded,)
    others = [a for a in known.attempts if a.pay_no != attempt.pay_no]
    return (succeeded, *closings(known, others, PaymentReason.ALREADY_PAID, known.version + 1))


def mismatch(
    known: OrderPayments, message: GatewayReport, reason: PaymentReason, now_ms: int
) -> Sequence[Record]:
    """Refuse money that is not what was asked for, and have a human look at it."""
    refusal = refused_report(known, message, reason)
    if known.ticket(TicketReason.MONEY_MISMATCH, message.pay_no, message.refund_no) is not None:
        return (refusal,)
    opened = ticket_opened(
        known,
        TicketReason.MONEY_MISMATCH,
        message.pay_no,
        message.refund_no,
        message.amount_fen,
        message.currency,
        now_ms,
        message.trace_id,
        known.version + 1,
    )
    return (refusal, opened)


def closings(
    known: OrderPayments, attempts: Sequence[Attempt], reason: str, version: int
) -> list[PaymentClosed]:
    """Return the closing of each open attempt; ``version`` is that of the fact before."""
    still_open = (attempt for attempt in attempts if attempt.state in OPEN)
    return [
        PaymentClosed(
            order_no=known.order_no,
            version=version + n,
            shop_id=known.shop_id,
            pay_no=attempt.pay_no,
            reason=reason,
            trace_id=attempt.trace_id,
        )
        for n, attempt in enumerate(still_open, 1)
    ]


def _surplus(
    known: OrderPayments, attempt: Attempt, message: GatewayReport, reason: str
) -> Sequence[Record]:
    """Take in money that the order does not need, and ask for it to be given back."""
    own = sum(1 for refund in known.refunds if refund.is_own and refund.pay_no == attempt.pay_no)
    surplus = PaymentSurplus(
        order_no=known.order_no,
        version=known.version + 1,
        shop_id=known.shop_id,
        pay_no=attempt.pay_no,
        gateway=message.gateway,
        gateway_txn_no=message.gateway_txn_no,
        amount_fen=attempt.amount_fen,
        currency=attempt.currency,
        reason=reason,
        trace_id=attempt.trace_id,
    )
    refund = RefundRequested(
        order_no=known.order_no,
        version=known.version + 2,
        shop_id=known.shop_id,
        refund_no=own_refund_no(attempt.pay_no, own + 1),
        pay_no=attempt.pay_no,
        channel=attempt.channel,
        amount_fen=attempt.amount_fen,
        currency=attempt.currency,
        reason=reason,
        trace_id=attempt.trace_id,
        gateway=message.gateway,
        paid_txn_no=message.gateway_txn_no,
        is_surplus=True,
    )
    return (surplus, refund)


def own_refund_no(pay_no: str, nth: int) -> str:
    """Return the number of the nth refund (1, 2 ...) of an attempt's surplus money.

    The order's own refunds end in ``-R<n>``, so the two never meet.
    """
    return f"{pay_no}-S{nth}"


def _refund_report(
    known: OrderPayments, refund: Refund, message: GatewayReport, now_ms: int
) -> Sequence[Record]:
    """Guards: another payment's number; of money: the currency, the amount; then what it says.

    A success wins over a failure, whenever it comes. A second movement of money for one refund is
    not taken back by itself: it is booked as overpaid, and a ticket is opened.
    """
    if message.pay_no != refund.pay_no:
        return (refused_report(known, message, PaymentReason.CONFLICT),)
    if message.status == _SUCCEEDED:
        if message.currency != refund.currency:
            return mismatch(known, message, PaymentReason.CURRENCY_MISMATCH, now_ms)
        if message.amount_fen != refund.amount_fen:
            return mismatch(known, message, PaymentReason.AMOUNT_MISMATCH, now_ms)
        if refund.state != PayState.SUCCEEDED:
            number, version = message.gateway_txn_no, known.version + 1
            return (refund_succeeded(known, refund, message.gateway, number, version),)
        if message.gateway_txn_no in (refund.gateway_txn_no, *refund.extra_txn_nos):
            return ()
        return _overpaid(known, refund, message, now_ms)
    state = TRANSITIONS[refund.state][message.status]
    if state == refund.state:
        return ()
    if state != PayState.FAILED:
        return (RefundNoted(known.order_no, refund.refund_no, message.status),)
    if refund.tries < MAX_TRIES:
        return (refund_failed(known, refund, message.status.value, known.version + 1),)
    gave_up = refund_failed(known, refund, GAVE_UP, known.version + 1)
    if known.ticket(TicketReason.REFUND_UNPAID, refund.pay_no, refund.refund_no) is not None:
        return (gave_up,)
    return (gave_up, refund_unpaid(known, refund, known.version + 2))


def refund_unpaid(known: OrderPayments, refund: Refund, version: int) -> Record:
    """Return the ticket of a refund whose last try is used up."""
    return ticket_opened(
        known,
        TicketReason.REFUND_UNPAID,
        refund.pay_no,
        refund.refund_no,
        refund.amount_fen,
        refund.currency,
        refund.since_ms,
        refund.trace_id,
        version,
    )


def _overpaid(
    known: OrderPayments, refund: Refund, message: GatewayReport, now_ms: int
) -> Sequence[Record]:
    overpaid = RefundOverpaid(
        order_no=known.order_no,
        version=known.version + 1,
        shop_id=known.shop_id,
        refund_no=refund.refund_no,
        pay_no=refund.pay_no,
        gateway=message.gateway,
        gateway_txn_no=message.gateway_txn_no,
        amount_fen=refund.amount_fen,
        currency=refund.currency,
        trace_id=refund.trace_id,
    )
    opened = ticket_opened(
        known,
        TicketReason.REFUND_OVERPAID,
        refund.pay_no,
        refund.refund_no,
        refund.amount_fen,
        refund.currency,
        now_ms,
        refund.trace_id,
        known.version + 2,
    )
    return (overpaid, opened)


def refund_succeeded(
    known: OrderPayments, refund: Refund, gateway: str, gateway_txn_no: str, version: int
) -> RefundSucceeded:
    """Return the fact that the money of ``refund`` went back."""
    return RefundSucceeded(
        order_no=known.order_no,
        version=version,
        shop_id=known.shop_id,
        refund_no=refund.refund_no,
        pay_no=refund.pay_no,
        gateway_txn_no=gateway_txn_no,
        amount_fen=refund.amount_fen,
        currency=refund.currency,
        trace_id=refund.trace_id,
        gateway=gateway,
    )


def refund_failed(known: OrderPayments, refund: Refund, reason: str, version: int) -> RefundFailed:
    """Return the fact that the gateway did not give the money of ``refund`` back."""
    return RefundFailed(
        order_no=known.order_no,
        version=version,
        shop_id=known.shop_id,
        refund_no=refund.refund_no,
        pay_no=refund.pay_no,
        reason=reason,
        trace_id=refund.trace_id,
    )
