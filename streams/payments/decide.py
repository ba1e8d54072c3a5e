"""What the order's requests mean."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.payment import (
    ClosePayments,
    PaymentClosed,
    PaymentFailed,
    PaymentReason,
    PaymentRefused,
    PaymentRequested,
    PaymentSucceeded,
    RefundRequested,
    RequestPayment,
    RequestRefund,
)
from schemas.record import Record
from streams.payments.facts import AnsweredAgain, AttemptsVoided, PaymentsEnded
from streams.payments.machine import PayState
from streams.payments.reports import (
    caught_up,
    closings,
    refund_failed,
    refund_succeeded,
)
from streams.payments.state import (
    GAVE_UP,
    MAX_ATTEMPTS,
    Attempt,
    Movement,
    OrderPayments,
    Refund,
)


def request_payment(
    known: OrderPayments | None, message: RequestPayment, now_ms: int
) -> Sequence[Record]:
    """Open an attempt; its guards, in this order, and then success.

    1. the ``pay_no`` is known: another body CONFLICT, the same body the same answer again;
    2. the order has ended: ORDER_CLOSED; 3. it is paid, also if the money was given back since:
    ALREADY_PAID; 4. a negative amount: AMOUNT_MISMATCH; 5. another shop's order: CONFLICT;
    6. TOO_MANY_ATTEMPTS.
    """
    if known is not None:
        attempt = known.attempt(message.pay_no)
        if attempt is not None:
            return _request_again(known, attempt, message)
        if known.is_closed:
            return (_refused_payment(known, message, PaymentReason.ORDER_CLOSED),)
        if known.kept_pay_no:
            return (_refused_payment(known, message, PaymentReason.ALREADY_PAID),)
    if message.amount_fen < 0:
        return (_refused_payment(known, message, PaymentReason.AMOUNT_MISMATCH),)
    if known is not None and known.attempts:
        if message.shop_id != known.shop_id:
            return (_refused_payment(known, message, PaymentReason.CONFLICT),)
        if len(known.attempts) >= MAX_ATTEMPTS:
            return (_refused_payment(known, message, PaymentReason.TOO_MANY_ATTEMPTS),)
    requested = PaymentRequested(
        order_no=message.order_no,
        version=known.version + 1 if known is not None else 1,
        shop_id=message.shop_id,
        user_id=message.user_id,
        pay_no=message.pay_no,
        channel=message.channel,
        amount_fen=message.amount_fen,
        currency=message.currency,
        trace_id=message.trace_id,
    )
    return (requested,) if known is None else caught_up(known, (requested,), now_ms)


def _request_again(
    known: OrderPayments, attempt: Attempt, message: RequestPayment
) -> Sequence[Record]:
    is_same = (
        message.shop_id == known.shop_id
        and message.user_id == attempt.user_id
        and message.channel == attempt.channel
        and message.amount_fen == attempt.amount_fen
        and message.currency == attempt.currency
    )
    if not is_same:
        return (_refused_payment(known, message, PaymentReason.CONFLICT),)
    if attempt.state == PayState.FAILED:
        failed = PaymentFailed(
            order_no=known.order_no,
            version=attempt.answer_version,
            shop_id=known.shop_id,
            pay_no=attempt.pay_no,
            reason=attempt.reason,
            trace_id=attempt.trace_id,
        )
        return (AnsweredAgain(known.order_no, failed),)
    kept = known.kept()
    if kept is not None:
        if kept[0].pay_no == attempt.pay_no:
            return (AnsweredAgain(known.order_no, _paid(known, *kept)),)
        return (_refused_payment(known, message, PaymentReason.ALREADY_PAID),)
    if attempt.state in (PayState.SUCCEEDED, PayState.CLOSED):
        return (_refused_payment(known, message, PaymentReason.ORDER_CLOSED),)
    return ()  # the gateway is being asked: the answer is still to come


def _paid(known: OrderPayments, attempt: Attempt, movement: Movement) -> PaymentSucceeded:
    return PaymentSucceeded(
        order_no=known.order_no,
        version=attempt.answer_version,
        shop_id=known.shop_id,
        pay_no=attempt.pay_no,
        gateway=movement.gateway,
        gateway_txn_no=movement.gateway_txn_no,
        amount_fen=attempt.amount_fen,
        currency=attempt.currency,
        paid_at_ms=movement.paid_at_ms,
        trace_id=attempt.trace_id,
    )


def _refused_payment(
    known: OrderPayments | None, message: RequestPayment, reason: PaymentReason
) -> PaymentRefused:
    return PaymentRefused(
        order_no=message.order_no,
        version=known.version if known is not None else 0,
        shop_id=message.shop_id,
        pay_no=message.pay_no,
        refund_no="",
        message=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
    )


def request_refund(
    known: OrderPayments | None, message: RequestRefund, now_ms: int
) -> Sequence[Record]:
    """Give back money that was kept; its guards, in this order, and then success.

    1. the ``refund_no`` is known: another body CONFLICT, the same body the same answer again;
    2. no such attempt: UNKNOWN_PAYMENT; 3. another shop's order: CONFLICT; 4. another currency:
    CURRENCY_MISMATCH; 5. its money is not kept, or less of it is left than is asked for, or nothing
    is asked for: NOTHING_TO_REFUND; 6. the order was told that an earlier refund of it failed, and
    that one has not come true since: REFUND_STUCK.

    What was asked back once is owed until it is paid, so a refund that failed leaves its money to
    no other number; and a second number may be meant as another try, which would pay twice.
    """
    if known is None:
        return (_refused_refund(known, message, PaymentReason.UNKNOWN_PAYMENT),)
    refund = known.refund(message.refund_no)
    if refund is not None:
        return _refund_again(known, refund, message)
    attempt = known.attempt(message.pay_no)
    if attempt is None:
        return (_refused_refund(known, message, PaymentReason.UNKNOWN_PAYMENT),)
    if message.shop_id != known.shop_id:
        return (_refused_refund(known, message, PaymentReason.CONFLICT),)
    if message.currency != attempt.currency:
        return (_refused_refund(known, message, PaymentReason.CURRENCY_MISMATCH),)
    kept = known.kept()
    if (
        kept is None
        or kept[0].pay_no != message.pay_no
        or not 0 < message.amount_fen <= known.refundable_fen()
    ):
        return (_refused_refund(known, message, PaymentReason.NOTHING_TO_REFUND),)
    if any(r.failure == GAVE_UP and r.state != PayState.SUCCEEDED for r in known.refunds):
        return (_refused_refund(known, message, PaymentReason.REFUND_STUCK),)
    requested = RefundRequested(
        order_no=known.order_no,
        version=known.version + 1,
        shop_id=known.shop_id,
        refund_no=message.refund_no,
        pay_no=message.pay_no,
        channel=attempt.channel,
        amount_fen=message.amount_fen,
        currency=message.currency,
        reason=message.reason,
        trace_id=message.trace_id,
        gateway=kept[1].gateway,
        paid_txn_no=kept[1].gateway_txn_no,
    )
    return caught_up(known, (requested,), now_ms)


def _refund_again(known: OrderPayments, refund: Refund, message: RequestRefund) -> Sequence[Record]:
    is_same = (
        not refund.is_own
        and message.shop_id == known.shop_id
        and message.pay_no == refund.pay_no
        and message.amount_fen == refund.amount_fen
        and message.currency == refund.currency
        and message.reason == refund.reason
    )
    if not is_same:
        return (_refused_refund(known, message, PaymentReason.CONFLICT),)
    version = refund.answer_version
    if refund.state == PayState.SUCCEEDED:
        number = refund.gateway_txn_no
        returned = refund_succeeded(known, refund, refund.gateway, number, version)
        return (AnsweredAgain(known.order_no, returned),)
    if refund.state == PayState.FAILED and refund.failure == GAVE_UP:
        failed = refund_failed(known, refund, refund.failure, version)
        return (AnsweredAgain(known.order_no, failed),)
    return ()  # the gateway is being asked: the answer is still to come


def _refused_refund(
    known: OrderPayments | None, message: RequestRefund, reason: PaymentReason
) -> PaymentRefused:
    return PaymentRefused(
        order_no=message.order_no,
        version=known.version if known is not None else 0,
        shop_id=message.shop_id,
        pay_no=message.pay_no,
        refund_no=message.refund_no,
        message=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
    )


def close_payments(
    known: OrderPayments | None, message: ClosePayments, _now_ms: int
) -> Sequence[Record]:
    """Close every open attempt; money that comes from now on is given back.

    Money that was kept before stays kept: the order was told of it and asks for it back by itself.
    Closing twice changes nothing. If only the attempts so far are void (``pay_no``), the order is
    answered: closed, or the money that it was told of.
    """
    facts: list[Record] = []
    if known is not None:
        facts += closings(known, known.attempts, message.reason, known.version)
    if message.pay_no:
        return _voided(known, message, facts)
    if known is None or not known.is_closed:
        facts.append(PaymentsEnded(message.order_no, message.shop_id))
    return facts


def _voided(
    known: OrderPayments | None, message: ClosePayments, closed: Sequence[Record]
) -> Sequence[Record]:
    """Answer that no money of the attempts so far can be kept, or that some is."""
    if known is None:
        return (AnsweredAgain(message.order_no, _closed(message, 0)),)
    kept = known.kept()
    if kept is not None:
        return (*closed, AnsweredAgain(message.order_no, _paid(known, *kept)))
    answer = _closed(message, known.version + len(closed))
    return (*closed, AttemptsVoided(message.order_no), AnsweredAgain(message.order_no, answer))


def _closed(message: ClosePayments, version: int) -> PaymentClosed:
    return PaymentClosed(
        order_no=message.order_no,
        version=version,
        shop_id=message.shop_id,
        pay_no=message.pay_no,
        reason=message.reason,
        trace_id=message.trace_id,
    )
