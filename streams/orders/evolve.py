"""Folds the facts of orders into the state. Nothing else changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from schemas.order import (
    CancelCause,
    OperatorAction,
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
from schemas.record import Record
from streams.kernel.stage import State
from streams.orders.evolve_steps import STEPS, no_change, present
from streams.orders.limits import OrderLimits
from streams.orders.reasons import ParkReason
from streams.orders.sold import packed, revived
from streams.orders.state import (
    Amended,
    FinishedOrder,
    HoldMark,
    Order,
    Parcel,
    RefundPart,
    after,
    attempt_of,
    promotions_of,
)
from streams.orders.units import to_ship

# Plain strings: looking a member up in its enum at every fold would cost as much as the fold.
_ASKED, _HELD = HoldMark.ASKED.value, HoldMark.HELD.value
_CONFIRMING, _DEDUCTED = HoldMark.CONFIRMING.value, HoldMark.DEDUCTED.value
_CANCELLING = HoldMark.CANCELLING.value

_CANCEL = str.maketrans({_ASKED: _CANCELLING, _HELD: _CANCELLING})
_STOP_CONFIRM = str.maketrans({_CONFIRMING: _CANCELLING})


# --- the life of an order ------------------------------------------------------------------------


def _placed(limits: OrderLimits, state: State, fact: OrderPlaced, now_ms: int) -> None:
    order_no = fact.order_no
    state.put(
        order_no,
        Order(
            order_no=order_no,
            status=after(None, fact),
            version=fact.version,
            shop_id=fact.shop_id,
            user_id=fact.user_id,
            currency=fact.currency,
            total_fen=fact.total_fen,
            placed_at_ms=fact.placed_at_ms,
            fingerprint=fact.fingerprint,
            trace_id=fact.trace_id,
            holds=fact.holds,
            hold_marks=_ASKED * len(fact.holds),
            due_ms=now_ms + limits.step_timeout_ms,
            channel=fact.pay_channel or "",
            sold=packed(fact.lines, fact.holds),
        ),
    )


def _created(_limits: OrderLimits, state: State, fact: OrderCreated, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=_HELD * len(order.holds),
            due_ms=fact.expires_at_ms,
            retries=0,
        ),
    )


def _amended(_limits: OrderLimits, state: State, fact: OrderAmended, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    change = order.amendment
    done = () if change is None else (Amended(change.amend_key, change.fingerprint),)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            sold=packed(fact.lines),
            total_fen=fact.total_fen,
            holds=fact.holds,
            hold_marks=_HELD * len(fact.holds),
            due_ms=fact.expires_at_ms,
            retries=0,
            amendment=None,
            amends=order.amends + done,
            void_attempts=order.attempts,
        ),
    )


def _payment_opened(
    _limits: OrderLimits, state: State, fact: OrderPaymentOpened, _now_ms: int
) -> None:
    order = present(state, Order, fact.order_no)
    status = after(order.status, fact)
    attempts = order.attempts + 1
    state.put(
        fact.order_no,
        replace(
            order, status=status, version=fact.version, channel=fact.channel, attempts=attempts
        ),
    )


def _paid(limits: OrderLimits, state: State, fact: OrderPaid, now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=_CONFIRMING * len(order.holds),
            due_ms=now_ms + limits.step_timeout_ms,
            retries=0,
            paid_attempt=attempt_of(fact.order_no, fact.pay_no),
            cause=None,
        ),
    )


def _confirmed(_limits: OrderLimits, state: State, fact: OrderConfirmed, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=_DEDUCTED * len(order.holds),
            due_ms=0,
            retries=0,
        ),
    )


def _shipped(
    limits: OrderLimits, state: State, fact: OrderPartlyShipped | OrderShipped, now_ms: int
) -> None:
    """Count a parcel; the last one starts the time after which the order completes by itself."""
    order = present(state, Order, fact.order_no)
    is_last = isinstance(fact, OrderShipped)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            parcels=(*order.parcels, Parcel(fact.waybill_no, fact.units)),
            due_ms=now_ms + limits.delivery_window_ms if is_last else 0,
        ),
    )


def _cancelling(limits: OrderLimits, state: State, fact: OrderCancelling, now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=order.hold_marks.translate(_CANCEL),
            due_ms=now_ms + limits.step_timeout_ms,
            retries=0,
            cause=CancelCause(fact.cause),
            reason=fact.reason,
        ),
    )


def _refunding(limits: OrderLimits, state: State, fact: OrderRefunding, now_ms: int) -> None:
    order_no = fact.order_no
    order = state.get(Order, order_no)
    if order is None:
        order = revived(present(state, FinishedOrder, order_no), fact.trace_id)
        state.delete(FinishedOrder, order_no)
    part = RefundPart(fact.refund_key, fact.units, fact.amount_fen)
    state.put(
        order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            hold_marks=order.hold_marks.translate(_STOP_CONFIRM),
            due_ms=now_ms + limits.step_timeout_ms,
            retries=0,
            refund_attempts=order.refund_attempts + 1,
            refund_wanted=False,
            refunds=(*(order.refunds[:-1] if order.refund_wanted else order.refunds), part),
            reason=fact.reason,
        ),
    )


def _partly_refunded(
    limits: OrderLimits, state: State, fact: OrderPartlyRefunded, now_ms: int
) -> None:
    """Go on with what is left; goods that are all under way or there complete by themselves."""
    order = present(state, Order, fact.order_no)
    is_delivered = len(order.holds) == len(promotions_of(order.holds))  # before: see ``revived``
    due_ms = 0
    if is_delivered:
        due_ms = now_ms + limits.return_window_ms
    elif order.parcels and not any(to_ship(order).values()):
        due_ms = now_ms + limits.delivery_window_ms
    state.put(
        fact.order_no,
        replace(
            order,
            status=after(order.status, fact),
            version=fact.version,
            due_ms=due_ms,
            retries=0,
        ),
    )


def _parked(_limits: OrderLimits, state: State, fact: OrderParked, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    status = after(order.status, fact)
    reason = ParkReason(fact.reason)
    state.put(
        fact.order_no,
        replace(order, status=status, version=fact.version, due_ms=0, park_reason=reason),
    )


def _operated(_limits: OrderLimits, state: State, fact: OrderOperated, _now_ms: int) -> None:
    order = present(state, Order, fact.order_no)
    paused = order.paused
    if fact.action in (OperatorAction.PAUSE, OperatorAction.RESUME):
        paused = fact.action == OperatorAction.PAUSE
    status = after(order.status, fact)
    state.put(fact.order_no, replace(order, status=status, version=fact.version, paused=paused))


def _finished(
    limits: OrderLimits,
    state: State,
    fact: OrderRejected | OrderCompleted | OrderCancelled | OrderExpired | OrderRefunded,
    now_ms: int,
) -> None:
    """Keep a FinishedOrder until no repeat of the placement is let in any more.

    A placement passes until ``placed_at_ms + idempotency_window_ms``, and ``placed_at_ms``, a
    client's clock, may be ahead of the log's time. A completed order is kept until it cannot be
    returned any more.
    """
    order_no = fact.order_no
    order = present(state, Order, order_no)
    is_completed = isinstance(fact, OrderCompleted)
    kept_ms = limits.return_window_ms if is_completed else limits.idempotency_window_ms
    finished = FinishedOrder(
        order_no=order_no,
        outcome=after(order.status, fact),
        version=fact.version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        currency=order.currency,
        total_fen=order.total_fen,
        paid_attempt=order.paid_attempt,
        fingerprint=bytes.fromhex(order.fingerprint),
        due_ms=max(now_ms, order.placed_at_ms) + kept_ms,
        sold=order.sold if is_completed else b"",
        refunds=order.refunds if is_completed else (),
        promotions=promotions_of(order.holds) if is_completed else (),
    )
    state.delete(Order, order_no)
    state.put(order_no, finished)


# The parameter of each fold is the fact it is under: a test compares the two.
EVOLVE: Mapping[type[Record], Callable[[OrderLimits, State, Any, int], None]] = {
    OrderPlaced: _placed,
    OrderCreated: _created,
    OrderRejected: _finished,
    OrderAmended: _amended,
    OrderPaymentOpened: _payment_opened,
    OrderPaid: _paid,
    OrderConfirmed: _confirmed,
    OrderPartlyShipped: _shipped,
    OrderShipped: _shipped,
    OrderCompleted: _finished,
    OrderCancelling: _cancelling,
    OrderCancelled: _finished,
    OrderExpired: _finished,
    OrderRefunding: _refunding,
    OrderPartlyRefunded: _partly_refunded,
    OrderRefunded: _finished,
    OrderParked: _parked,
    OrderOperated: _operated,
    OrderRepeated: no_change,
    OrderRefused: no_change,
    **STEPS,
}
