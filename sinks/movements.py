"""Rows of what happened once and never changes: movements of stock, of payments, in the books.

A row follows from its fact alone and is keyed by what makes the fact unique, so writing it again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas import inventory, payment
from schemas.record import Record
from streams.payments.books import POSTS, entry


class StockRow(NamedTuple):
    """A movement of one sku in one warehouse, and what there is after it (units).

    Unique by (sku_id, warehouse_id, version). ``available = on_hand - held``.
    """

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    kind: str
    order_no: str
    hold_id: str
    ref: str
    reason: str
    on_hand: int
    held: int
    available: int
    delta_on_hand: int
    delta_held: int
    delta_available: int
    trace_id: str
    at_ms: int

    @property
    def before(self) -> int:
        """What was available before."""
        return self.available - self.delta_available


class LevelRow(NamedTuple):
    """What there is of a sku in a warehouse (units). Newest by (sku_id, warehouse_id)."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    on_hand: int
    held: int
    available: int
    at_ms: int


class PaymentRow(NamedTuple):
    """One thing that became of an order's payments. Unique by (order_no, version)."""

    order_no: str
    version: int
    shop_id: int
    pay_no: str
    refund_no: str
    status: str
    channel: str
    gateway: str
    gateway_txn_no: str
    amount_fen: int
    currency: str
    reason: str
    trace_id: str
    at_ms: int


class EntryRow(NamedTuple):
    """One side of a journal entry: a debit is positive, a credit negative; a pair sums to zero.

    Unique by (order_no, version, side).
    """

    order_no: str
    version: int
    side: str
    shop_id: int
    account: str
    amount_fen: int
    currency: str
    pay_no: str
    refund_no: str
    trace_id: str
    at_ms: int


STOCK_KINDS: Mapping[type[Record], str] = {
    inventory.StockHeld: "HELD",
    inventory.StockDeducted: "DEDUCTED",
    inventory.StockReleased: "RELEASED",
    inventory.StockReturned: "RETURNED",
    inventory.StockReceived: "RECEIVED",
    inventory.StockAdjusted: "ADJUSTED",
    inventory.StockTransferred: "TRANSFERRED",
    inventory.StockCounted: "COUNTED",
    inventory.BackorderServed: "BACKORDER_SERVED",
}

PAYMENT_STATUSES: Mapping[type[Record], str] = {
    payment.PaymentRequested: "REQUESTED",
    payment.PaymentSucceeded: "SUCCEEDED",
    payment.PaymentFailed: "FAILED",
    payment.PaymentClosed: "CLOSED",
    payment.PaymentSurplus: "SURPLUS",
    payment.RefundRequested: "REFUND_REQUESTED",
    payment.RefundSucceeded: "REFUNDED",
    payment.RefundFailed: "REFUND_FAILED",
    payment.RefundOverpaid: "REFUND_OVERPAID",
}

STOCK_RECORDS = frozenset(STOCK_KINDS)
PAYMENT_RECORDS = frozenset(PAYMENT_STATUSES)
ENTRY_RECORDS = frozenset(POSTS)


def stock_row(fact: Any, at_ms: int) -> StockRow:
    """Return the row of a movement, a record of STOCK_RECORDS."""
    cause = getattr(fact, "cause", "") or getattr(fact, "reason", "")
    return StockRow(
        fact.sku_id,
        fact.warehouse_id,
        fact.version,
        fact.shop_id,
        STOCK_KINDS[type(fact)],
        getattr(fact, "order_no", ""),
        getattr(fact, "hold_id", ""),
        getattr(fact, "ref", ""),
        str(cause),
        fact.on_hand,
        fact.held,
        fact.on_hand - fact.held,
        fact.delta_on_hand,
        fact.delta_held,
        fact.delta_on_hand - fact.delta_held,
        fact.trace_id,
        at_ms,
    )


def payment_row(fact: Any, at_ms: int) -> PaymentRow:
    """Return the row of a fact of PAYMENT_RECORDS."""
    return PaymentRow(
        fact.order_no,
        fact.version,
        fact.shop_id,
        fact.pay_no,
        getattr(fact, "refund_no", ""),
        PAYMENT_STATUSES[type(fact)],
        getattr(fact, "channel", ""),
        getattr(fact, "gateway", ""),
        getattr(fact, "gateway_txn_no", ""),
        getattr(fact, "amount_fen", 0),
        getattr(fact, "currency", ""),
        getattr(fact, "reason", ""),
        fact.trace_id,
        at_ms,
    )


def entry_rows(fact: Any, at_ms: int) -> Iterator[EntryRow]:
    """Yield both sides of the journal entry that a fact of ENTRY_RECORDS is, if it is one."""
    posted = entry(fact)
    if posted is None:
        return
    sides = (
        ("DEBIT", posted.debit, posted.amount_fen),
        ("CREDIT", posted.credit, -posted.amount_fen),
    )
    for side, account, amount_fen in sides:
        yield EntryRow(
            fact.order_no,
            fact.version,
            side,
            fact.shop_id,
            account,
            amount_fen,
            posted.currency,
            fact.pay_no,
            getattr(fact, "refund_no", ""),
            fact.trace_id,
            at_ms,
        )
