"""Which topics hear of a fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from schemas import payment, topics
from schemas.record import Record
from streams.kernel.stage import Output, View
from streams.payments import facts
from streams.payments.state import GAVE_UP, OrderPayments

EVENTS = topics.PAYMENT_EVENTS.name
ORDERS = topics.ORDER_COMMANDS.name

_REQUESTS = frozenset({payment.RequestPayment.__name__, payment.RequestRefund.__name__})

React: TypeAlias = Callable[[View, Any], Sequence[Output]]


def react(state: View, fact: Record) -> Sequence[Output]:
    """Return what ``fact`` makes known. KeyError: not a fact of payments."""
    return OUTPUTS[type(fact)](state, fact)


def _public(_state: View, fact: Any) -> Sequence[Output]:
    return (Output(EVENTS, fact.order_no, fact),)


def _answer(_state: View, fact: Any) -> Sequence[Output]:
    key = fact.order_no
    return (Output(EVENTS, key, fact), Output(ORDERS, key, fact))


def _refund_answer(
    state: View, fact: payment.RefundSucceeded | payment.RefundFailed
) -> Sequence[Output]:
    """Tell the order how its refund ended; a failure that is tried again is no end."""
    if isinstance(fact, payment.RefundFailed) and fact.reason != GAVE_UP:
        return _public(state, fact)
    known = state.get(OrderPayments, fact.order_no)
    refund = known.refund(fact.refund_no) if known is not None else None
    if refund is not None and refund.is_own:
        return _public(state, fact)  # the order never asked for it
    return _answer(state, fact)


def _refusal(state: View, fact: payment.PaymentRefused) -> Sequence[Output]:
    return _answer(state, fact) if fact.message in _REQUESTS else _public(state, fact)


def _again(_state: View, fact: facts.AnsweredAgain) -> Sequence[Output]:
    return (Output(ORDERS, fact.order_no, fact.answer),)


def _private(_state: View, _fact: Any) -> Sequence[Output]:
    return ()


OUTPUTS: Mapping[type[Record], React] = {
    payment.PaymentRequested: _public,
    payment.PaymentSucceeded: _answer,
    payment.PaymentFailed: _answer,
    payment.PaymentClosed: _public,
    payment.PaymentSurplus: _public,
    payment.RefundRequested: _public,
    payment.RefundSucceeded: _refund_answer,
    payment.RefundFailed: _refund_answer,
    payment.RefundOverpaid: _public,
    payment.PaymentQueried: _public,
    payment.RefundQueried: _public,
    payment.PaymentTicketOpened: _public,
    payment.PaymentTicketClosed: _public,
    payment.PaymentRefused: _refusal,
    facts.PaymentNoted: _private,
    facts.RefundNoted: _private,
    facts.ReportRemembered: _private,
    facts.EarlyReportsDropped: _private,
    facts.PaymentsEnded: _private,
    facts.AttemptsVoided: _private,
    facts.PaymentsForgotten: _private,
    facts.AnsweredAgain: _again,
}
"""Every kind of fact, once."""
