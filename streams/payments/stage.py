"""The payments stage: how a host sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from schemas import payment, topics
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.kernel.stage import Output, Stage, State, View
from streams.payments import decide, janitor, reports, resolving
from streams.payments.evolve import FOLDS
from streams.payments.react import OUTPUTS
from streams.payments.state import OrderPayments

Decide: TypeAlias = Callable[[OrderPayments | None, Any, int], Sequence[Record]]

DECIDERS: Mapping[type[Record], Decide] = {
    payment.RequestPayment: decide.request_payment,
    payment.RequestRefund: decide.request_refund,
    payment.ClosePayments: decide.close_payments,
    payment.GatewayReport: reports.report,
    payment.ResolveTicket: resolving.resolve_ticket,
}


class PaymentsStage:
    """Payments as a Stage; one record of state per order_no."""

    name = "payments"
    inbox = topics.PAYMENT_COMMANDS
    entities: tuple[type[Record], ...] = (OrderPayments,)

    def decide(self, state: View, message: Any, now_ms: int) -> Sequence[Record]:
        """Judge one message; raise InvalidMessage for one that is not meant for payments."""
        decider = DECIDERS.get(type(message))
        if decider is None:
            raise InvalidMessage("NOT_FOR_PAYMENTS", f"{type(message).__name__} in payments' inbox")
        return decider(state.get(OrderPayments, message.order_no), message, now_ms)

    def wake(self, state: View, record: Any, now_ms: int) -> Sequence[Record]:
        """Judge an OrderPayments whose moment has come."""
        return janitor.wake(record, now_ms)

    def evolve(self, state: State, fact: Any, now_ms: int) -> None:
        """Fold one fact into the order's record."""
        step = FOLDS[type(fact)]
        if step is None:
            return
        known = state.get(OrderPayments, fact.order_no)
        now_known = step(known, fact, now_ms)
        if now_known is None:
            state.delete(OrderPayments, fact.order_no)
        else:
            state.put(fact.order_no, now_known)

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Return what ``fact`` makes known."""
        return OUTPUTS[type(fact)](state, fact)


def payments_stage() -> Stage:
    """Build the payments stage."""
    return PaymentsStage()
