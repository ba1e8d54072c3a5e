"""How each fact changes what is remembered of an order's payments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec.structs import replace

from schemas import payment
from schemas.payment import GatewayStatus, TicketReason
from schemas.record import Record
from streams.payments import facts
from streams.payments.machine import ASK_AGAIN, AWAITED, CLOSE, OPEN, TRANSITIONS, PayState
from streams.payments.state import (
    EARLY_REPORT_MS,
    FORGET_KEPT_MS,
    FORGET_MS,
    GAVE_UP,
    MAX_TRIES,
    Attempt,
    EarlyReport,
    Movement,
    OrderPayments,
    Refund,
    Ticket,
    ask_again_ms,
)

_SUCCEEDED = GatewayStatus.SUCCEEDED

# --- one function per fact: (what was known, the fact, now) -> what is known now ------------------

Known: TypeAlias = OrderPayments | None
Fold: TypeAlias = Callable[[Known, Any, int], Known]


def fold(known: Known, fact: Record, now_ms: int) -> Known:
    """Return what is known after ``fact``, or None. KeyError: not a fact of payments."""
    step = FOLDS[type(fact)]
    return known if step is None else step(known, fact, now_ms)


def _settled(known: OrderPayments, now_ms: int) -> OrderPayments:
    """Set the next moment at which something has to be done."""
    due_ms = _due_ms(known, now_ms)
    return known if due_ms == known.due_ms else replace(known, due_ms=due_ms)


def _due_ms(known: OrderPayments, now_ms: int) -> int:
    due_ms = 0
    if known.early:
        due_ms = known.early[0].since_ms + EARLY_REPORT_MS
    is_open = bool(known.tickets)
    waiting: tuple[Refund | Attempt, ...] = (*known.refunds, *known.attempts)
    for one in waiting:
        if one.due_ms:
            due_ms = min(due_ms, one.due_ms) if due_ms else one.due_ms
        elif one.state in OPEN:
            is_open = True
    if due_ms or is_open:
        return due_ms
    return now_ms + (FORGET_KEPT_MS if known.refundable_fen() > 0 else FORGET_MS)


def _known(known: Known) -> OrderPayments:
    if known is None:
        raise LookupError("a fact about payments that nobody remembers")
    return known


def _with_attempt(known: OrderPayments, changed: Attempt) -> tuple[Attempt, ...]:
    if len(known.attempts) == 1:
        return (changed,)
    return tuple(changed if a.pay_no == changed.pay_no else a for a in known.attempts)


def _with_refund(known: OrderPayments, changed: Refund) -> tuple[Refund, ...]:
    return tuple(changed if r.refund_no == changed.refund_no else r for r in known.refunds)


def _the_attempt(known: OrderPayments, pay_no: str) -> Attempt:
    attempt = known.attempt(pay_no)
    if attempt is None:
        raise LookupError(f"a fact about attempt {pay_no}, which nobody remembers")
    return attempt


def _the_refund(known: OrderPayments, refund_no: str) -> Refund:
    refund = known.refund(refund_no)
    if refund is None:
        raise LookupError(f"a fact about refund {refund_no}, which nobody remembers")
    return refund


def _requested(known: Known, fact: payment.PaymentRequested, now_ms: int) -> Known:
    attempt = Attempt(
        fact.pay_no,
        fact.user_id,
        fact.channel,
        fact.amount_fen,
        fact.currency,
        fact.trace_id,
        PayState.REQUESTED,
    )
    if known is None:
        return OrderPayments(fact.order_no, fact.shop_id, fact.version, (attempt,))
    early = tuple(
        e for e in known.early if e.report.pay_no != fact.pay_no or e.report.refund_no != ""
    )
    requested = replace(
        known,
        shop_id=fact.shop_id,
        version=fact.version,
        attempts=(*known.attempts, attempt),
        early=early,
    )
    return _settled(requested, now_ms)


def _noted(known: Known, fact: facts.PaymentNoted, now_ms: int) -> Known:
    """Start the janitor's clock when the end is awaited; stop it when there is none to await."""
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    state = TRANSITIONS[attempt.state][fact.status]
    if fact.status not in AWAITED:
        noted = replace(attempt, state=state, queries=0, due_ms=0, since_ms=0)
    elif attempt.due_ms or attempt.queries:
        noted = replace(attempt, state=state)
    else:
        noted = replace(attempt, state=state, due_ms=now_ms + ask_again_ms(0), since_ms=now_ms)
    return _settled(replace(known, attempts=_with_attempt(known, noted)), now_ms)


def _ended_attempt(attempt: Attempt, state: PayState, version: int, reason: str = "") -> Attempt:
    return Attempt(
        attempt.pay_no,
        attempt.user_id,
        attempt.channel,
        attempt.amount_fen,
        attempt.currency,
        attempt.trace_id,
        state,
        reason or attempt.reason,
        version,
    )


def _succeeded(known: Known, fact: payment.PaymentSucceeded, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    state = TRANSITIONS[attempt.state][_SUCCEEDED]
    paid = _ended_attempt(attempt, state, fact.version)
    kept = Movement(fact.pay_no, fact.gateway, fact.gateway_txn_no, fact.paid_at_ms, True)
    has_more = known.early or known.movements or known.tickets_opened
    if len(known.attempts) == 1 and not has_more and fact.amount_fen:
        # Nearly every payment: what follows in general, without looking for it.
        return OrderPayments(
            known.order_no,
            known.shop_id,
            fact.version,
            (paid,),
            (kept,),
            known.refunds,
            known.early,
            fact.pay_no,
            known.is_closed,
            now_ms + FORGET_KEPT_MS,
        )
    return _settled(
        replace(
            known,
            version=fact.version,
            attempts=_with_attempt(known, paid),
            movements=(*known.movements, kept),
            kept_pay_no=fact.pay_no,
        ),
        now_ms,
    )


def _surplus(known: Known, fact: payment.PaymentSurplus, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    state = TRANSITIONS[attempt.state][_SUCCEEDED]
    ended = replace(attempt, state=state, queries=0, due_ms=0, since_ms=0)
    surplus = Movement(fact.pay_no, fact.gateway, fact.gateway_txn_no, now_ms, False)
    return _settled(
        replace(
            known,
            version=fact.version,
            attempts=_with_attempt(known, ended),
            movements=(*known.movements, surplus),
        ),
        now_ms,
    )


def _failed(known: Known, fact: payment.PaymentFailed, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    state = TRANSITIONS[attempt.state][GatewayStatus.FAILED]
    failed = _ended_attempt(attempt, state, fact.version, fact.reason)
    attempts = _with_attempt(known, failed)
    return _settled(replace(known, version=fact.version, attempts=attempts), now_ms)


def _closed(known: Known, fact: payment.PaymentClosed, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    closed = replace(attempt, state=TRANSITIONS[attempt.state][CLOSE], reason=fact.reason)
    if attempt.due_ms:  # the question is another one now, so it is asked soon again
        closed = replace(closed, queries=0, due_ms=now_ms + ask_again_ms(0))
    attempts = _with_attempt(known, closed)
    return _settled(replace(known, version=fact.version, attempts=attempts), now_ms)


def _refund_requested(known: Known, fact: payment.RefundRequested, now_ms: int) -> Known:
    known = _known(known)
    refund = known.refund(fact.refund_no)
    if refund is not None:
        again = replace(
            refund,
            state=TRANSITIONS[refund.state][ASK_AGAIN],
            tries=refund.tries + 1,
            due_ms=now_ms + ask_again_ms(refund.tries + 1),
        )
        refunds = _with_refund(known, again)
        return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)
    refund = Refund(
        fact.refund_no,
        fact.pay_no,
        fact.gateway,
        fact.paid_txn_no,
        fact.amount_fen,
        fact.currency,
        fact.reason,
        fact.trace_id,
        fact.is_surplus,
        PayState.REQUESTED,
        due_ms=now_ms + ask_again_ms(1),
        since_ms=now_ms,
    )
    early = tuple(e for e in known.early if e.report.refund_no != fact.refund_no)
    refunds = (*known.refunds, refund)
    return _settled(replace(known, version=fact.version, refunds=refunds, early=early), now_ms)


def _refund_noted(known: Known, fact: facts.RefundNoted, _now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    noted = replace(refund, state=TRANSITIONS[refund.state][fact.status])
    return replace(known, refunds=_with_refund(known, noted))


def _refund_succeeded(known: Known, fact: payment.RefundSucceeded, now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    returned = replace(
        refund,
        state=TRANSITIONS[refund.state][_SUCCEEDED],
        gateway=fact.gateway,
        gateway_txn_no=fact.gateway_txn_no,
        answer_version=fact.version,
        due_ms=0,
    )
    refunds = _with_refund(known, returned)
    return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)


def _refund_failed(known: Known, fact: payment.RefundFailed, now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    is_tried_again = refund.tries < MAX_TRIES
    failed = replace(
        refund,
        state=TRANSITIONS[refund.state][GatewayStatus.FAILED],
        failure=GAVE_UP if refund.failure == GAVE_UP else fact.reason,
        answer_version=fact.version,
        due_ms=now_ms + ask_again_ms(refund.tries) if is_tried_again else 0,
    )
    refunds = _with_refund(known, failed)
    return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)


def _refund_overpaid(known: Known, fact: payment.RefundOverpaid, _now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    numbers = (*refund.extra_txn_nos, fact.gateway_txn_no)
    refunds = _with_refund(known, replace(refund, extra_txn_nos=numbers))
    return replace(known, version=fact.version, refunds=refunds)


def _queried(known: Known, fact: payment.PaymentQueried, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    queried = replace(attempt, queries=fact.nth, due_ms=now_ms + ask_again_ms(fact.nth))
    attempts = _with_attempt(known, queried)
    return _settled(replace(known, version=fact.version, attempts=attempts), now_ms)


def _refund_queried(known: Known, fact: payment.RefundQueried, now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    queried = replace(refund, tries=fact.nth, due_ms=now_ms + ask_again_ms(fact.nth))
    refunds = _with_refund(known, queried)
    return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)


def _ticket_opened(known: Known, fact: payment.PaymentTicketOpened, now_ms: int) -> Known:
    """Keep the ticket; what it is about waits for a human now, not for a time."""
    known = _known(known)
    ticket = Ticket(
        fact.ticket_no,
        fact.reason,
        fact.pay_no,
        fact.refund_no,
        fact.amount_fen,
        fact.currency,
        fact.trace_id,
    )
    attempts, refunds = known.attempts, known.refunds
    if fact.reason == TicketReason.PAYMENT_UNKNOWN:
        attempts = _with_attempt(known, replace(_the_attempt(known, fact.pay_no), due_ms=0))
    elif fact.reason == TicketReason.REFUND_UNPAID:
        refunds = _with_refund(known, replace(_the_refund(known, fact.refund_no), due_ms=0))
    opened = replace(
        known,
        version=fact.version,
        attempts=attempts,
        refunds=refunds,
        tickets=(*known.tickets, ticket),
        tickets_opened=known.tickets_opened + 1,
    )
    return _settled(opened, now_ms)


def _ticket_closed(known: Known, fact: payment.PaymentTicketClosed, now_ms: int) -> Known:
    """Forget the ticket; what it was about may be asked for from the beginning again."""
    known = _known(known)
    attempts, refunds = known.attempts, known.refunds
    if fact.reason == TicketReason.PAYMENT_UNKNOWN:
        anew = replace(_the_attempt(known, fact.pay_no), queries=0)
        attempts = _with_attempt(known, anew)
    elif fact.reason == TicketReason.REFUND_UNPAID:
        refunds = _with_refund(known, replace(_the_refund(known, fact.refund_no), tries=0))
    tickets = tuple(t for t in known.tickets if t.ticket_no != fact.ticket_no)
    closed = replace(
        known, version=fact.version, attempts=attempts, refunds=refunds, tickets=tickets
    )
    return _settled(closed, now_ms)


def _ended(known: Known, fact: facts.PaymentsEnded, now_ms: int) -> Known:
    if known is None:
        known = OrderPayments(fact.order_no, fact.shop_id)
    return _settled(replace(known, shop_id=fact.shop_id, is_closed=True), now_ms)


def _voided(known: Known, _fact: facts.AttemptsVoided, _now_ms: int) -> Known:
    known = _known(known)
    return replace(known, void_attempts=len(known.attempts))


def _remembered(known: Known, fact: facts.ReportRemembered, now_ms: int) -> Known:
    if known is None:
        known = OrderPayments(fact.order_no, 0)
    early = (*known.early, EarlyReport(now_ms, fact.report))
    return _settled(replace(known, early=early), now_ms)


def _dropped(known: Known, fact: facts.EarlyReportsDropped, now_ms: int) -> Known:
    known = _known(known)
    early = tuple(e for e in known.early if e.since_ms > fact.until_ms)
    if not (early or known.version or known.is_closed):
        return None
    return _settled(replace(known, early=early), now_ms)


def _forgotten(_known: Known, _fact: facts.PaymentsForgotten, _now_ms: int) -> Known:
    return None


FOLDS: Mapping[type[Record], Fold | None] = {
    payment.PaymentRequested: _requested,
    payment.PaymentSucceeded: _succeeded,
    payment.PaymentFailed: _failed,
    payment.PaymentClosed: _closed,
    payment.PaymentSurplus: _surplus,
    payment.RefundRequested: _refund_requested,
    payment.RefundSucceeded: _refund_succeeded,
    payment.RefundFailed: _refund_failed,
    payment.RefundOverpaid: _refund_overpaid,
    payment.PaymentQueried: _queried,
    payment.RefundQueried: _refund_queried,
    payment.PaymentTicketOpened: _ticket_opened,
    payment.PaymentTicketClosed: _ticket_closed,
    payment.PaymentRefused: None,  # a refusal changes nothing
    facts.PaymentNoted: _noted,
    facts.RefundNoted: _refund_noted,
    facts.ReportRemembered: _remembered,
    facts.EarlyReportsDropped: _dropped,
    facts.PaymentsEnded: _ended,
    facts.AttemptsVoided: _voided,
    facts.PaymentsForgotten: _forgotten,
    facts.AnsweredAgain: None,
}
"""Every kind of fact, once; None: it changes nothing."""
