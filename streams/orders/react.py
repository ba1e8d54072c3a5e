"""Turns the facts of orders into records for topics: the facts, and questions to other stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas import topics
from schemas.order import (
    OrderAmended,
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderOperated,
    OrderPaid,
    OrderParked,
    OrderPartlyRefunded,
    OrderPartlyShipped,
    OrderPaymentOpened,
    OrderPlaced,
    OrderRefunded,
    OrderRefunding,
    OrderRefused,
    OrderRejected,
    OrderRepeated,
    OrderShipped,
)
from schemas.payment import ClosePayments, RequestPayment, RequestRefund
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import Output, View
from streams.orders.asking import cancel_hold, confirm_hold, try_hold, undo_hold
from streams.orders.facts import (
    AmendAnswered,
    AmendAsked,
    AmendEnded,
    AmendHeld,
    AttemptEnded,
    HoldAnswered,
    HoldDenied,
    HoldReasked,
    HoldRegained,
    HoldShortened,
    HoldsReturned,
    HoldUndone,
    OrderForgotten,
    PaymentsEnded,
    PaymentTaken,
    PromotionsReturned,
    RefundWanted,
    StepAsked,
    StepRetried,
    SurplusAsked,
    SurplusReturned,
    SurplusStuck,
    TimerHeld,
)
from streams.orders.limits import OrderLimits
from streams.orders.reasons import AMENDED, REFUNDED, SURPLUS
from streams.orders.state import HoldMark, Order, OrderStatus, marked, pay_no, refund_no, under_way

_EVENTS = topics.ORDER_EVENTS.name
_PAYMENTS = topics.PAYMENT_COMMANDS.name

Outputs = Sequence[Output]


def _publish(_limits: OrderLimits, _state: View, fact: Any) -> Outputs:
    return (Output(_EVENTS, fact.order_no, fact),)


def _silent(_limits: OrderLimits, _state: View, _fact: Record) -> Outputs:
    return ()


def _placed(limits: OrderLimits, _state: View, fact: OrderPlaced) -> Outputs:
    return [
        Output(_EVENTS, fact.order_no, fact),
        *(try_hold(limits, fact, hold) for hold in fact.holds),
    ]


def _payment_opened(_limits: OrderLimits, _state: View, fact: OrderPaymentOpened) -> Outputs:
    order_no = fact.order_no
    request = RequestPayment(
        pay_no=fact.pay_no,
        order_no=order_no,
        shop_id=fact.shop_id,
        user_id=fact.user_id,
        channel=fact.channel,
        amount_fen=fact.amount_fen,
        currency=fact.currency,
        trace_id=fact.trace_id,
    )
    return (Output(_EVENTS, order_no, fact), Output(_PAYMENTS, order_no, request))


def _amend_asked(limits: OrderLimits, state: View, fact: AmendAsked) -> Outputs:
    order = _live(state, fact.order_no)
    return [try_hold(limits, order, hold) for hold in fact.amendment.added]


def _amend_held(_limits: OrderLimits, _state: View, fact: AmendHeld) -> Outputs:
    return (_close_attempts(fact.order_no, fact.shop_id, fact.pay_no, fact.trace_id),)


def _paid(_limits: OrderLimits, state: View, fact: OrderPaid) -> Outputs:
    order = _live(state, fact.order_no)
    return [
        Output(_EVENTS, fact.order_no, fact),
        *(confirm_hold(order, hold) for hold in order.holds),
    ]


def _refunding(_limits: OrderLimits, _state: View, fact: OrderRefunding) -> Outputs:
    order_no = fact.order_no
    request = RequestRefund(
        refund_no=fact.refund_no,
        pay_no=fact.pay_no,
        order_no=order_no,
        shop_id=fact.shop_id,
        amount_fen=fact.amount_fen,
        currency=fact.currency,
        reason=fact.reason,
        trace_id=fact.trace_id,
    )
    return (Output(_EVENTS, order_no, fact), Output(_PAYMENTS, order_no, request))


def _holds_returned(_limits: OrderLimits, _state: View, fact: HoldsReturned) -> Outputs:
    order_no, shop_id, trace_id = fact.order_no, fact.shop_id, fact.trace_id
    return [cancel_hold(order_no, shop_id, hold, fact.reason, trace_id) for hold in fact.holds]


def _hold_undone(_limits: OrderLimits, _state: View, fact: HoldUndone) -> Outputs:
    hold = fact.hold
    amount = hold.amount if fact.is_sold else 0
    return (
        undo_hold(
            fact.order_no, fact.shop_id, fact.user_id, hold, amount, fact.reason, fact.trace_id
        ),
    )


def _promotions_returned(_limits: OrderLimits, _state: View, fact: PromotionsReturned) -> Outputs:
    order_no, shop_id, user_id = fact.order_no, fact.shop_id, fact.user_id
    return [
        undo_hold(order_no, shop_id, user_id, hold, hold.amount, REFUNDED, fact.trace_id)
        for hold in fact.holds
    ]


def _hold_reasked(limits: OrderLimits, state: View, fact: HoldReasked) -> Outputs:
    return (try_hold(limits, _live(state, fact.order_no), fact.hold),)


def _hold_regained(_limits: OrderLimits, state: View, fact: HoldRegained) -> Outputs:
    order = _live(state, fact.order_no)
    return (confirm_hold(order, order.holds[fact.index]),)


def _payments_ended(_limits: OrderLimits, _state: View, fact: PaymentsEnded) -> Outputs:
    close = ClosePayments(fact.order_no, fact.shop_id, fact.reason, fact.trace_id)
    return (Output(_PAYMENTS, fact.order_no, close),)


def _step_retried(limits: OrderLimits, state: View, fact: StepRetried | StepAsked) -> Outputs:
    """Ask again whatever is not answered yet, word by word: a repeat must not be a conflict.

    The marks of its holds and its counters say what an order waits for, also when it is parked.
    """
    order = _live(state, fact.order_no)
    marks, reason = order.hold_marks, order.cause or ""
    if order.refund_attempts:
        return _ask_refund(order)
    if order.status is OrderStatus.CREATED:
        return _ask_amend(limits, order) if order.amendment is not None else _ask_payment(order)
    asks = [try_hold(limits, order, hold) for hold in marked(order, marks, HoldMark.ASKED)]
    asks += [confirm_hold(order, hold) for hold in marked(order, marks, HoldMark.CONFIRMING)]
    asks += [
        cancel_hold(order.order_no, order.shop_id, hold, reason, order.trace_id)
        for hold in marked(order, marks, HoldMark.CANCELLING)
    ]
    return asks


def _ask_payment(order: Order) -> Outputs:
    if not order.attempts or not order.channel:
        return ()
    request = RequestPayment(
        pay_no=pay_no(order.order_no, order.attempts),
        order_no=order.order_no,
        shop_id=order.shop_id,
        user_id=order.user_id,
        channel=order.channel,
        amount_fen=order.total_fen,
        currency=order.currency,
        trace_id=order.trace_id,
    )
    return (Output(_PAYMENTS, order.order_no, request),)


def _ask_amend(limits: OrderLimits, order: Order) -> Outputs:
    change = order.amendment
    if change is None:
        return ()
    if change.is_held:
        number = pay_no(order.order_no, order.attempts)
        return (_close_attempts(order.order_no, order.shop_id, number, order.trace_id),)
    return [
        try_hold(limits, order, hold)
        for hold, mark in zip(change.added, change.marks, strict=True)
        if mark == HoldMark.ASKED
    ]


def _surplus_asked(_limits: OrderLimits, _state: View, fact: SurplusAsked) -> Outputs:
    request = RequestRefund(
        refund_no=refund_no(fact.pay_no, fact.attempt),
        pay_no=fact.pay_no,
        order_no=fact.order_no,
        shop_id=fact.shop_id,
        amount_fen=fact.amount_fen,
        currency=fact.currency,
        reason=SURPLUS,
        trace_id=fact.trace_id,
    )
    return (Output(_PAYMENTS, fact.order_no, request),)


def _live(state: View, order_no: str) -> Order:
    order = state.get(Order, order_no)
    if order is None:
        raise StageDefect(f"there is no live order {order_no}")
    return order


def _close_attempts(order_no: str, shop_id: int, number: str, trace_id: str) -> Output:
    close = ClosePayments(order_no, shop_id, AMENDED, trace_id, number)
    return Output(_PAYMENTS, order_no, close)


def _ask_refund(order: Order) -> Outputs:
    payment = pay_no(order.order_no, order.paid_attempt)
    request = RequestRefund(
        refund_no=refund_no(payment, order.refund_attempts),
        pay_no=payment,
        order_no=order.order_no,
        shop_id=order.shop_id,
        amount_fen=under_way(order).amount_fen,
        currency=order.currency,
        reason=order.reason,
        trace_id=order.trace_id,
    )
    return (Output(_PAYMENTS, order.order_no, request),)


# The parameter of each reaction is the fact it is under: a test compares the two.
REACT: Mapping[type[Record], Callable[[OrderLimits, View, Any], Outputs]] = {
    OrderPlaced: _placed,
    OrderCreated: _publish,
    OrderRejected: _publish,
    OrderAmended: _publish,
    OrderPaymentOpened: _payment_opened,
    OrderPaid: _paid,
    OrderConfirmed: _publish,
    OrderPartlyShipped: _publish,
    OrderShipped: _publish,
    OrderCompleted: _publish,
    OrderCancelling: _publish,
    OrderCancelled: _publish,
    OrderExpired: _publish,
    OrderRefunding: _refunding,
    OrderPartlyRefunded: _publish,
    OrderRefunded: _publish,
    OrderParked: _publish,
    OrderOperated: _publish,
    OrderRepeated: _publish,
    OrderRefused: _publish,
    HoldAnswered: _silent,
    HoldShortened: _silent,
    HoldDenied: _silent,
    HoldsReturned: _holds_returned,
    HoldUndone: _hold_undone,
    PromotionsReturned: _promotions_returned,
    HoldReasked: _hold_reasked,
    HoldRegained: _hold_regained,
    PaymentsEnded: _payments_ended,
    AttemptEnded: _silent,
    PaymentTaken: _silent,
    AmendAsked: _amend_asked,
    AmendAnswered: _silent,
    AmendHeld: _amend_held,
    AmendEnded: _silent,
    StepRetried: _step_retried,
    StepAsked: _step_retried,
    TimerHeld: _silent,
    RefundWanted: _silent,
    OrderForgotten: _silent,
    SurplusAsked: _surplus_asked,
    SurplusReturned: _silent,
    SurplusStuck: _silent,
}
