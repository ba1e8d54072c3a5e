"""Money that no order needs goes back: late for an order that ended, or paid a second time.

The refund number of such a payment is always ``<pay_no>-R1``, so a repeat of the payment's success
asks for the same refund again, and the payments stage answers it again without a second movement.
That stage also repeats a refund that fails; when it reports the failure, it has a ticket open.
This runs beside the order, whose own state it does not touch.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.order import OrderRefused
from schemas.payment import (
    PaymentReason,
    PaymentRefused,
    PaymentSucceeded,
    RefundFailed,
    RequestRefund,
)
from schemas.record import Record
from streams.kernel.stage import View
from streams.orders.commands import find
from streams.orders.facts import SurplusAsked, SurplusReturned, SurplusStuck
from streams.orders.limits import OrderLimits
from streams.orders.reasons import OrderReason
from streams.orders.state import SurplusRefund


def taken(state: View, message: PaymentSucceeded, user_id: int) -> Sequence[Record]:
    """Ask for the refund of a payment that is not needed; no effect when it is on its way."""
    if state.get(SurplusRefund, message.pay_no) is not None:
        return ()
    return (
        SurplusAsked(
            pay_no=message.pay_no,
            order_no=message.order_no,
            shop_id=message.shop_id,
            user_id=user_id,
            amount_fen=message.amount_fen,
            currency=message.currency,
            attempt=1,
            retries=0,
            trace_id=message.trace_id,
        ),
    )


def returned(state: View, pay_no: str) -> Sequence[Record]:
    """Forget money that is back; no effect when nothing of this payment was on its way."""
    return () if state.get(SurplusRefund, pay_no) is None else (SurplusReturned(pay_no),)


def refund_failed(state: View, message: RefundFailed) -> Sequence[Record]:
    """Take in that a human is needed."""
    surplus = state.get(SurplusRefund, message.pay_no)
    if surplus is None or not surplus.due_ms:
        return ()
    return _stuck(state, surplus)


def refund_refused(state: View, message: PaymentRefused) -> Sequence[Record]:
    """Take in that the refund will not be made: fine if it was made already, else stuck."""
    surplus = state.get(SurplusRefund, message.pay_no)
    if surplus is None:
        return ()
    if message.reason == PaymentReason.NOTHING_TO_REFUND:
        return (SurplusReturned(surplus.pay_no),)
    return _stuck(state, surplus) if surplus.due_ms else ()


def due(limits: OrderLimits, state: View, surplus: SurplusRefund) -> Sequence[Record]:
    """Ask again while nobody answers; after the last time a human is needed."""
    if surplus.retries >= limits.step_retries:
        return _stuck(state, surplus)
    return (
        SurplusAsked(
            pay_no=surplus.pay_no,
            order_no=surplus.order_no,
            shop_id=surplus.shop_id,
            user_id=surplus.user_id,
            amount_fen=surplus.amount_fen,
            currency=surplus.currency,
            attempt=surplus.attempts,
            retries=surplus.retries + 1,
            trace_id=surplus.trace_id,
        ),
    )


def _stuck(state: View, surplus: SurplusRefund) -> Sequence[Record]:
    """Say publicly that money is stuck: the order itself has ended well and stays as it is."""
    order = find(state, surplus.order_no)
    return (
        SurplusStuck(surplus.pay_no),
        OrderRefused(
            order_no=surplus.order_no,
            version=0 if order is None else order.version,
            shop_id=surplus.shop_id,
            user_id=surplus.user_id,
            command=RequestRefund.__name__,
            reason=OrderReason.SURPLUS_NOT_RETURNED,
            trace_id=surplus.trace_id,
        ),
    )
