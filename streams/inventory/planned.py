"""Holds out of the ordinary: on terms, over several warehouses, promised, or under a buyer's limit.

The hold as a whole is judged by ``streams.reservations.protocol`` as any other, against a resource
that is just what it could have, or has; then each warehouse's share of it moves by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.inventory import (
    Allocated,
    Allocation,
    BuyerCounted,
    CancelHold,
    ConfirmHold,
    HoldTerms,
    ReleaseCause,
    ReturnStock,
    Share,
    Shortage,
    StockHeld,
    StockReleased,
    TryHold,
)
from schemas.record import Record
from streams.inventory import answers
from streams.inventory.allocation import Pick, allocate, most, nearest_first, shares
from streams.inventory.backlog import served
from streams.inventory.facts import Repeated
from streams.inventory.reads import stocks_of
from streams.inventory.state import (
    BuyerUnits,
    HoldPlan,
    Sku,
    Stock,
    StockHold,
    buyer_key,
    stock_key,
)
from streams.kernel.stage import View
from streams.reservations.phases import REPEAT, Reason
from streams.reservations.protocol import (
    Held,
    Refused,
    Released,
    Spent,
    cancel_hold,
    confirm_hold,
    try_hold,
)
from streams.reservations.records import Resource

Facts = Sequence[Record]

ORDINARY = HoldTerms(Allocation.SINGLE_FIRST, Shortage.REJECT)
"""The terms of a hold that names none."""


class _Offer(NamedTuple):
    """``amount`` of the hold could be had on its terms: ``pick``, and the rest promised."""

    pick: Pick
    amount: int
    could: int


def try_(state: View, message: TryHold, sku: Sku, now_ms: int) -> Facts:
    """Judge a new hold of a sku on its terms.

    Guards: INVALID_AMOUNT and INVALID_TTL; BUYER_LIMIT, with what the buyer may still have;
    INSUFFICIENT, with what could be had on the same terms.
    """
    terms = message.terms or ORDINARY
    offer = _offer(state, message.qty, sku, terms)
    outcome = try_hold(
        None,
        Resource(0, offer.could, 0),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        amount=offer.amount,
        ttl_ms=message.ttl_ms,
        now_ms=now_ms,
    )
    known = state.get(BuyerUnits, buyer_key(sku.sku_id, message.user_id))
    units = 0 if known is None else known.units
    if not isinstance(outcome, Refused) or outcome.reason is Reason.INSUFFICIENT:
        left = max(0, sku.buyer_limit - units)
        if sku.buyer_limit and message.qty > left:
            outcome = Refused(Reason.OVER_LIMIT, left)
    if not isinstance(outcome, Held):
        return (answers.refused(message, outcome),)  # type: ignore[arg-type]  # nothing to repeat
    facts: list[Record] = [*_held(message, terms, offer, outcome.expires_at_ms)]
    promised = offer.amount - offer.pick.qty
    if promised:
        after = sku.backordered + promised
        facts.append(
            answers.backordered(message, promised, sku.backorder_cap, after, outcome.expires_at_ms)
        )
    if sku.buyer_limit:
        facts.append(_counted(message, sku.buyer_limit, units + offer.amount, offer.amount))
    return facts


def repeated_try(state: View, message: TryHold, hold: StockHold, plan: HoldPlan) -> Facts:
    """Answer a try again: by its last warehouse, or by what it was promised."""
    if plan.shares:
        share = plan.shares[-1]
        last = Held(hold.version, hold.on_hand, hold.held, 0, share.qty, hold.due_ms)
        answer = answers.held(message, share.warehouse_id, share.qty, last, plan.allocated)
        return (Repeated(answer),)
    sku = state.get(Sku, hold.resource_id)
    if sku is None:
        raise answers.inconsistent(hold.hold_id)
    promised = answers.backordered(
        message, plan.backordered, sku.backorder_cap, sku.backordered, hold.due_ms
    )
    return (Repeated(promised),)


def confirm(
    state: View, message: ConfirmHold, hold: StockHold, plan: HoldPlan, now_ms: int
) -> Facts:
    """Sell every share of the hold, and owe what is promised. Guards: those of ``confirm_hold``."""
    outcome = confirm_hold(
        hold,
        _whole(hold),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        now_ms=now_ms,
    )
    if outcome is REPEAT:
        if not plan.shares:
            return (Repeated(answers.owed(message, hold, plan.backordered)),)
        last = _part(hold, plan.shares[-1])
        first = Spent(hold.version, hold.on_hand, hold.held, -last.amount, -last.amount)
        return (Repeated(answers.deducted(message, last, first)),)
    if not isinstance(outcome, Spent):
        return (answers.end_refused(message, outcome),)
    facts: list[Record] = [
        answers.deducted(
            message,
            part,
            Spent(
                stock.version + 1,
                stock.on_hand - part.amount,
                stock.held - part.amount,
                -part.amount,
                -part.amount,
            ),
        )
        for part, stock in _parts(state, hold, plan)
    ]
    if plan.backordered:
        facts.append(answers.owed(message, hold, plan.backordered))
    return facts


def cancel(
    state: View,
    message: CancelHold | ReturnStock,
    hold: StockHold,
    plan: HoldPlan,
    now_ms: int,
) -> Facts:
    """Give every share of the hold back, and its promise. Guards: those of ``cancel_hold``."""
    outcome = cancel_hold(
        hold,
        _whole(hold),
        resource_id=str(message.sku_id),
        owner=message.order_no,
        now_ms=now_ms,
    )
    cause, trace_id = ReleaseCause.CANCELLED, message.trace_id
    if isinstance(outcome, Released):
        return given_back(state, hold, plan, cause, trace_id)
    if outcome is not REPEAT:
        return (answers.end_refused(message, outcome),)
    if plan.shares:
        last = _part(hold, plan.shares[-1])
        first = Released(hold.version, hold.on_hand, hold.held, 0, -last.amount)
        return (Repeated(answers.released(last, first, cause, trace_id)),)
    sku = state.get(Sku, hold.resource_id)
    still = 0 if sku is None else sku.backordered
    return (Repeated(answers.promise_released(hold, hold.amount, still, cause, trace_id)),)


def given_back(
    state: View, hold: StockHold, plan: HoldPlan, cause: ReleaseCause, trace_id: str
) -> Facts:
    """Return what a held hold gives back at its end, and who is served by it."""
    sku = state.get(Sku, hold.resource_id)
    if sku is None:
        raise answers.inconsistent(hold.hold_id)
    moved: list[StockReleased] = [
        answers.released(
            part,
            Released(stock.version + 1, stock.on_hand, stock.held - part.amount, 0, -part.amount),
            cause,
            trace_id,
        )
        for part, stock in _parts(state, hold, plan)
    ]
    return (
        *moved,
        *without_promise(state, sku, hold, cause, trace_id),
        *served(state, sku, moved, given_up=hold),
    )


def without_promise(
    state: View, sku: Sku, hold: StockHold, cause: ReleaseCause, trace_id: str
) -> Iterator[Record]:
    """Yield the end of the hold's promise and of its part of the buyer's limit, if it has any."""
    plan = hold.plan
    if plan is None:
        return
    if plan.backordered:
        still = sku.backordered - plan.backordered
        yield answers.promise_released(hold, plan.backordered, still, cause, trace_id)
    units = sum(share.qty for share in plan.shares) + plan.backordered
    known = state.get(BuyerUnits, buyer_key(sku.sku_id, plan.user_id)) if plan.user_id else None
    if known is not None:
        yield BuyerCounted(
            sku_id=sku.sku_id,
            shop_id=hold.shop_id,
            user_id=plan.user_id,
            hold_id=hold.hold_id,
            order_no=hold.owner,
            limit=0,
            units=known.units - units,
            delta=-units,
            trace_id=trace_id,
        )


def _offer(state: View, qty: int, sku: Sku, terms: HoldTerms) -> _Offer:
    stocks = nearest_first(stocks_of(state, sku), terms.warehouses)
    partly = terms.shortage is not Shortage.REJECT
    pick = allocate(stocks, qty, terms.allocation, partly=partly)
    could = pick.qty
    if terms.shortage is Shortage.BACKORDER:
        could += max(0, sku.backorder_cap - sku.backordered)
    elif not pick.parts:
        largest = most(stocks)
        could = 0 if largest is None else largest.available
    amount = min(qty, could) if terms.shortage is Shortage.PARTIAL and could else qty
    return _Offer(pick, amount, could)


def _held(
    message: TryHold, terms: HoldTerms, offer: _Offer, expires_at_ms: int
) -> Iterator[StockHeld]:
    """Yield one movement a warehouse; they say why unless there is nothing to explain."""
    parts, passed_over = offer.pick
    why = None
    if message.terms is not None or passed_over:
        why = Allocated(terms.allocation, shares(passed_over), message.qty, offer.amount)
    for stock, units in parts:
        movement = Held(
            stock.version + 1, stock.on_hand, stock.held + units, 0, units, expires_at_ms
        )
        yield answers.held(message, stock.warehouse_id, units, movement, why)


def _counted(message: TryHold, limit: int, units: int, delta: int) -> BuyerCounted:
    return BuyerCounted(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        user_id=message.user_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        limit=limit,
        units=units,
        delta=delta,
        trace_id=message.trace_id,
    )


def _whole(hold: StockHold) -> Resource:
    """Return the hold as a resource of its own: its shares are checked when they are taken."""
    return Resource(0, hold.amount, hold.amount)


def _part(hold: StockHold, share: Share) -> StockHold:
    return replace(hold, warehouse_id=share.warehouse_id, amount=share.qty)


def _parts(state: View, hold: StockHold, plan: HoldPlan) -> Iterator[tuple[StockHold, Stock]]:
    """Yield each share as a hold of its own, and the stock that it was taken from."""
    for share in plan.shares:
        stock = state.get(Stock, stock_key(hold.resource_id, share.warehouse_id))
        if stock is None or stock.held < share.qty:
            raise answers.inconsistent(hold.hold_id)
        yield _part(hold, share), stock
