"""What is remembered of one order's payments, and how each fact changes it.

Money is in minor units of ``currency`` (fen), times are epoch milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec.structs import replace

from schemas import payment
from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record
from streams.payments import facts
from streams.payments.machine import ASK_AGAIN, CLOSE, OPEN, TRANSITIONS, PayState

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS

FORGET_MS = 24 * HOUR_MS  # as long as a client may repeat a request
# A kept payment may still have to be given back: 15 days until an order completes by itself, 7 days
# to send the goods back, 8 days to spare.
FORGET_KEPT_MS = 30 * 24 * HOUR_MS
EARLY_REPORT_MS = 15 * MINUTE_MS  # far above the worst delay of a request in the inbox
MAX_EARLY_REPORTS = 16  # per order: 4 attempts with 4 different messages each
MAX_ATTEMPTS = 20  # per order: the record is rewritten as a whole, so it has to stay small

REFUND_RETRY_MS = 5_000
REFUND_RETRY_CAP_MS = 10 * MINUTE_MS
# 11 waits: 5 + 10 + 20 + 40 + 80 + 160 + 320 s, then 4 x 600 s: given up after about 51 minutes.
MAX_REFUND_TRIES = 12

SUCCEEDED_INPUT = GatewayStatus.SUCCEEDED


class Attempt(Record, frozen=True):
    """One attempt to pay. ``answer_version`` is that of the answer to the order (0: none yet)."""

    pay_no: str
    user_id: int
    channel: str
    amount_fen: int
    currency: str
    trace_id: str
    state: PayState
    reason: str = ""
    answer_version: int = 0


class Movement(Record, frozen=True):
    """Money that came, unique by ``(gateway, gateway_txn_no)``. What is not kept is given back.

    ``paid_at_ms`` is the gateway's time of kept money, and the time of arrival of surplus money.
    """

    pay_no: str
    gateway: str
    gateway_txn_no: str
    paid_at_ms: int
    is_kept: bool


class Refund(Record, frozen=True):
    """Money on its way back. ``is_own``: it is surplus money, nobody asked and nobody waits."""

    refund_no: str
    pay_no: str
    gateway: str
    paid_txn_no: str
    amount_fen: int
    currency: str
    reason: str
    trace_id: str
    is_own: bool
    state: PayState
    tries: int = 1
    failure: str = ""
    gateway_txn_no: str = ""
    answer_version: int = 0
    due_ms: int = 0


class EarlyReport(Record, frozen=True):
    """A gateway's message about something that nobody has asked for yet."""

    since_ms: int
    report: GatewayReport


class OrderPayments(Record, frozen=True):
    """All payments of one order. ``due_ms`` is the next moment at which it has something to do."""

    order_no: str
    shop_id: int
    version: int = 0
    attempts: tuple[Attempt, ...] = ()
    movements: tuple[Movement, ...] = ()
    refunds: tuple[Refund, ...] = ()
    early: tuple[EarlyReport, ...] = ()
    kept_pay_no: str = ""
    is_closed: bool = False
    due_ms: int = 0
    void_attempts: int = 0  # the first so many asked for a total that is not the order's any more

    def is_void(self, pay_no: str) -> bool:
        """Tell whether money of that attempt is not wanted any more."""
        return any(attempt.pay_no == pay_no for attempt in self.attempts[: self.void_attempts])

    def attempt(self, pay_no: str) -> Attempt | None:
        """Return the attempt of that number, or None."""
        for attempt in self.attempts:
            if attempt.pay_no == pay_no:
                return attempt
        return None

    def refund(self, refund_no: str) -> Refund | None:
        """Return the refund of that number, or None."""
        for refund in self.refunds:
            if refund.refund_no == refund_no:
                return refund
        return None

    def kept(self) -> tuple[Attempt, Movement] | None:
        """Return the attempt whose money is kept, and that movement of money, or None."""
        for movement in self.movements:
            attempt = self.attempt(movement.pay_no)
            if movement.is_kept and attempt is not None:
                return attempt, movement
        return None

    def refundable_fen(self) -> int:
        """Return how much of the kept money is neither given back nor on its way back."""
        kept = self.kept()
        if kept is None:
            return 0
        on_its_way = (
            r.amount_fen for r in self.refunds if not r.is_own and r.state != PayState.FAILED
        )
        return kept[0].amount_fen - sum(on_its_way)


def refund_retry_ms(tries: int) -> int:
    """Return the wait after the given number of failed tries: doubled each time, capped."""
    return min(REFUND_RETRY_MS << min(tries - 1, 20), REFUND_RETRY_CAP_MS)


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
    is_open = False
    due_ms = 0
    if known.early:
        due_ms = known.early[0].since_ms + EARLY_REPORT_MS
    for refund in known.refunds:
        if refund.due_ms and (not due_ms or refund.due_ms < due_ms):
            due_ms = refund.due_ms
        elif refund.state in OPEN:
            is_open = True
    if due_ms or is_open:
        return due_ms
    for attempt in known.attempts:
        if attempt.state in OPEN:
            return 0
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


def _noted(known: Known, fact: facts.PaymentNoted, _now_ms: int) -> Known:
    known = _known(known)
    noted = replace(_the_attempt(known, fact.pay_no), state=fact.state)
    return replace(known, attempts=_with_attempt(known, noted))


def _succeeded(known: Known, fact: payment.PaymentSucceeded, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    state = TRANSITIONS[attempt.state][SUCCEEDED_INPUT]
    paid = replace(attempt, state=state, answer_version=fact.version)
    kept = Movement(fact.pay_no, fact.gateway, fact.gateway_txn_no, fact.paid_at_ms, True)
    if len(known.attempts) == 1 and not (known.early or known.movements) and fact.amount_fen:
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
    state = TRANSITIONS[attempt.state][SUCCEEDED_INPUT]
    surplus = Movement(fact.pay_no, fact.gateway, fact.gateway_txn_no, now_ms, False)
    return _settled(
        replace(
            known,
            version=fact.version,
            attempts=_with_attempt(known, replace(attempt, state=state)),
            movements=(*known.movements, surplus),
        ),
        now_ms,
    )


def _failed(known: Known, fact: payment.PaymentFailed, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    state = TRANSITIONS[attempt.state][GatewayStatus.FAILED]
    failed = replace(attempt, state=state, reason=fact.reason, answer_version=fact.version)
    attempts = _with_attempt(known, failed)
    return _settled(replace(known, version=fact.version, attempts=attempts), now_ms)


def _closed(known: Known, fact: payment.PaymentClosed, now_ms: int) -> Known:
    known = _known(known)
    attempt = _the_attempt(known, fact.pay_no)
    closed = replace(attempt, state=TRANSITIONS[attempt.state][CLOSE], reason=fact.reason)
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
            due_ms=0,
        )
        refunds = _with_refund(known, again)
        return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)
    kept = known.kept()
    is_own = kept is None or (kept[1].gateway, kept[1].gateway_txn_no) != (
        fact.gateway,
        fact.paid_txn_no,
    )
    refund = Refund(
        fact.refund_no,
        fact.pay_no,
        fact.gateway,
        fact.paid_txn_no,
        fact.amount_fen,
        fact.currency,
        fact.reason,
        fact.trace_id,
        is_own,
        PayState.REQUESTED,
    )
    early = tuple(e for e in known.early if e.report.refund_no != fact.refund_no)
    refunds = (*known.refunds, refund)
    return _settled(replace(known, version=fact.version, refunds=refunds, early=early), now_ms)


def _refund_noted(known: Known, fact: facts.RefundNoted, _now_ms: int) -> Known:
    known = _known(known)
    noted = replace(_the_refund(known, fact.refund_no), state=fact.state)
    return replace(known, refunds=_with_refund(known, noted))


def _refund_succeeded(known: Known, fact: payment.RefundSucceeded, now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    returned = replace(
        refund,
        state=TRANSITIONS[refund.state][SUCCEEDED_INPUT],
        gateway_txn_no=fact.gateway_txn_no,
        answer_version=fact.version,
        due_ms=0,
    )
    refunds = _with_refund(known, returned)
    return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)


def _refund_failed(known: Known, fact: payment.RefundFailed, now_ms: int) -> Known:
    known = _known(known)
    refund = _the_refund(known, fact.refund_no)
    is_tried_again = refund.is_own and refund.tries < MAX_REFUND_TRIES
    failed = replace(
        refund,
        state=TRANSITIONS[refund.state][GatewayStatus.FAILED],
        failure=fact.reason,
        answer_version=fact.version,
        due_ms=now_ms + refund_retry_ms(refund.tries) if is_tried_again else 0,
    )
    refunds = _with_refund(known, failed)
    return _settled(replace(known, version=fact.version, refunds=refunds), now_ms)


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
