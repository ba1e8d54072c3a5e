"""Judges what is asked of a hold: the rules of ``streams.reservations.protocol``, over stock.

The ordinary hold, whole and from the first warehouse that has it, is judged here; any other in
``planned``.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.inventory import (
    Allocated,
    Allocation,
    CancelHold,
    ConfirmHold,
    ExtendHold,
    ReleaseCause,
    ReturnStock,
    TryHold,
)
from schemas.record import Record
from streams.inventory import answers, planned
from streams.inventory.allocation import first_that_serves, most, shares
from streams.inventory.backlog import served
from streams.inventory.facts import Repeated
from streams.inventory.reads import sku_of, stock_of, stocks_of
from streams.inventory.state import Sku, Stock, StockHold
from streams.kernel.stage import View
from streams.reservations.phases import REPEAT, Phase, Reason
from streams.reservations.protocol import (
    Extended,
    Fenced,
    Held,
    Refused,
    Released,
    Spent,
    cancel_hold,
    confirm_hold,
    expire_hold,
    extend_hold,
    try_hold,
)

Facts = Sequence[Record]


def try_(state: View, message: TryHold, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``try_hold``, where no sku of this shop is UNKNOWN_SKU."""
    hold_id, order_no = message.hold_id, message.order_no
    if not hold_id or not order_no:
        raise answers.without_id(message)
    resource_id = str(message.sku_id)
    hold = state.get(StockHold, hold_id)
    stock: Stock | None = None
    passed_over: tuple[Stock, ...] = ()
    if hold is None:
        sku = sku_of(state, resource_id, message.shop_id)
        if sku is not None:
            if message.terms is not None or sku.buyer_limit:
                return planned.try_(state, message, sku, now_ms)
            stocks = stocks_of(state, sku)
            stock, passed_over = first_that_serves(stocks, message.qty)
            if stock is None:
                stock = most(stocks)
    outcome = try_hold(
        hold,
        stock,
        resource_id=resource_id,
        owner=order_no,
        amount=message.qty,
        ttl_ms=message.ttl_ms,
        now_ms=now_ms,
    )
    if isinstance(outcome, Held) and stock is not None:
        qty = message.qty
        why = Allocated(_SINGLE_FIRST, shares(passed_over), qty, qty) if passed_over else None
        return (answers.held(message, stock.warehouse_id, qty, outcome, why),)
    if outcome is REPEAT and hold is not None:
        if hold.plan is not None:
            return planned.repeated_try(state, message, hold, hold.plan)
        first = Held(hold.version, hold.on_hand, hold.held, 0, hold.amount, hold.due_ms)
        answer = answers.held(message, hold.warehouse_id, hold.amount, first, None)
        return (Repeated(answer),)
    if isinstance(outcome, Refused):
        return (answers.refused(message, outcome),)
    raise answers.inconsistent(hold_id)


def confirm(state: View, message: ConfirmHold, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``confirm_hold``."""
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    hold = state.get(StockHold, message.hold_id)
    if hold is not None and hold.plan is not None:
        return planned.confirm(state, message, hold, hold.plan, now_ms)
    outcome = confirm_hold(
        hold,
        stock_of(state, hold),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        now_ms=now_ms,
    )
    if hold is not None:
        if isinstance(outcome, Spent):
            return (answers.deducted(message, hold, outcome),)
        if outcome is REPEAT:
            first = Spent(hold.version, hold.on_hand, hold.held, -hold.spent, -hold.amount)
            return (Repeated(answers.deducted(message, hold, first)),)
    return (answers.end_refused(message, outcome),)


def cancel(state: View, message: CancelHold | ReturnStock, now_ms: int) -> Facts:
    """Guards: an empty id; then those of ``cancel_hold``."""
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    hold = state.get(StockHold, message.hold_id)
    if hold is not None and hold.plan is not None:
        return planned.cancel(state, message, hold, hold.plan, now_ms)
    outcome = cancel_hold(
        hold,
        stock_of(state, hold),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        now_ms=now_ms,
    )
    if isinstance(outcome, Fenced):
        return (answers.fenced(message),)
    if hold is not None:
        trace_id = message.trace_id
        if isinstance(outcome, Released):
            return _given_back(state, hold, outcome, ReleaseCause.CANCELLED, trace_id)
        if outcome is REPEAT and hold.phase == Phase.FENCED:
            return (Repeated(answers.fenced(message)),)
        if outcome is REPEAT:
            first = Released(hold.version, hold.on_hand, hold.held, 0, -hold.amount)
            return (Repeated(answers.released(hold, first, ReleaseCause.CANCELLED, trace_id)),)
    return (answers.end_refused(message, outcome),)


def extend(state: View, message: ExtendHold, now_ms: int) -> Facts:
    """Guards: an empty id; a hold of another shop: UNKNOWN_HOLD; then those of ``extend_hold``."""
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    hold = state.get(StockHold, message.hold_id)
    if hold is not None and hold.shop_id != message.shop_id:
        return (answers.end_refused(message, Refused(Reason.UNKNOWN_HOLD)),)
    outcome = extend_hold(
        hold,
        resource_id=str(message.sku_id),
        owner=message.order_no,
        ttl_ms=message.ttl_ms,
        now_ms=now_ms,
    )
    if isinstance(outcome, Extended):
        return (answers.extended(message, outcome.expires_at_ms),)
    if outcome is REPEAT and hold is not None:
        return (Repeated(answers.extended(message, hold.due_ms)),)
    return (answers.end_refused(message, outcome),)


def expire(state: View, hold: StockHold, now_ms: int) -> Facts:
    """Give the hold back because its time has come."""
    if hold.plan is not None:
        return planned.given_back(state, hold, hold.plan, ReleaseCause.EXPIRED, hold.trace_id)
    outcome = expire_hold(hold, stock_of(state, hold), now_ms=now_ms)
    if isinstance(outcome, Released):
        return _given_back(state, hold, outcome, ReleaseCause.EXPIRED, hold.trace_id)
    raise answers.inconsistent(hold.hold_id)


def _given_back(
    state: View, hold: StockHold, outcome: Released, cause: ReleaseCause, trace_id: str
) -> Facts:
    fact = answers.released(hold, outcome, cause, trace_id)
    return (fact, *served(state, state.get(Sku, hold.resource_id), (fact,)))


# A member of an enum is looked up anew at each access, so the hot path keeps it.
_SINGLE_FIRST = Allocation.SINGLE_FIRST
