"""Undoing a hold whatever became of it, for an order that gives its money back.

A hold ends once: one that is confirmed stays so, and its units come back by a movement of their
own, which counts once per hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.inventory import ReleaseCause, ReturnStock, Share, StockReturned
from schemas.record import Record
from streams.inventory import answers, holds
from streams.inventory.backlog import served
from streams.inventory.planned import without_promise
from streams.inventory.reads import sku_of
from streams.inventory.state import Sku, Stock, StockEntry, StockHold, entry_key, stock_key
from streams.kernel.stage import View
from streams.reservations.phases import Phase, Reason
from streams.reservations.protocol import AMOUNT_MAX, CONFLICT, Refused


def return_stock(state: View, message: ReturnStock, now_ms: int) -> Sequence[Record]:
    """Bring back what the hold sold, or give back what it holds.

    Guards: an empty id; a negative or too large quantity; a hold that is not confirmed: as
    ``cancel``; a repeat; CONFLICT with the try; UNKNOWN_SKU.

    A hold is forgotten when its order took longer than the retention to find out that it has to
    give the money back: then the order's word stands for what was sold.
    """
    if not message.hold_id or not message.order_no:
        raise answers.without_id(message)
    if not 0 <= message.qty <= AMOUNT_MAX:
        raise answers.out_of_range(message)
    hold = state.get(StockHold, message.hold_id)
    if hold is None and not message.qty:
        return holds.cancel(state, message, now_ms)
    if hold is not None and hold.phase != Phase.CONFIRMED:
        return holds.cancel(state, message, now_ms)
    entry = entry_key(ReturnStock.__name__, message.sku_id, message.hold_id)
    if state.get(StockEntry, entry) is not None:
        return ()
    if hold is not None and not _same(hold, message):
        return (answers.end_refused(message, CONFLICT),)
    sku = sku_of(state, str(message.sku_id), message.shop_id)
    if sku is None or not sku.warehouses:
        return (answers.end_refused(message, _UNKNOWN_HOLD),)
    moved = [_returned(state, message, share) for share in _sold(message, sku, hold)]
    if hold is None:
        return (*moved, *served(state, sku, moved))
    cause = ReleaseCause.CANCELLED
    return (
        *moved,
        *without_promise(state, sku, hold, cause, message.trace_id),
        *served(state, sku, moved, given_up=hold),
    )


def _sold(message: ReturnStock, sku: Sku, hold: StockHold | None) -> Sequence[Share]:
    if hold is None:
        return (Share(sku.warehouses[0], message.qty),)
    if hold.plan is None:
        return (Share(hold.warehouse_id, hold.spent),)
    return hold.plan.shares


def _same(hold: StockHold, message: ReturnStock) -> bool:
    return hold.owner == message.order_no and hold.resource_id == str(message.sku_id)


def _returned(state: View, message: ReturnStock, share: Share) -> StockReturned:
    stock = state.get(Stock, stock_key(message.sku_id, share.warehouse_id))
    if stock is None:
        raise answers.inconsistent(message.hold_id)
    return StockReturned(
        sku_id=message.sku_id,
        warehouse_id=share.warehouse_id,
        version=stock.version + 1,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=share.qty,
        reason=message.reason,
        on_hand=stock.on_hand + share.qty,
        held=stock.held,
        delta_on_hand=share.qty,
        delta_held=0,
        trace_id=message.trace_id,
    )


_UNKNOWN_HOLD = Refused(Reason.UNKNOWN_HOLD)
