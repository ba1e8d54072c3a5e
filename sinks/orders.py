"""The row of an order, as it stands after one of its facts.

The row at version v is a function of the facts 1 ... v alone, so whoever writes it, and however
often, writes the same: stores keep, for each key, the row of the highest version. That holds for
items and coupons as well: their rows carry the version of the fact that they follow from, and what
an amendment took out stays as a row of quantity 0. ``placed_ms`` never changes: stores order and
partition by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from schemas.order import (
    HoldRef,
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
    OrderRejected,
    OrderShipped,
    PricedLine,
)
from schemas.read_model import status_after
from schemas.record import Record

COUPON = "coupon"
"""The kind of hold that is a coupon; its resource is the coupon's code."""


class OrderRow(msgspec.Struct, frozen=True, gc=False):
    """An order after ``version``. Money in minor units, times in epoch ms, 0: not yet.

    ``sku_id`` is the first line's, ``quantity`` the units of all lines, ``item_slots`` the most
    lines that the order ever had. ``coupons`` are codes, separated by blanks. ``closed_ms``: when
    it was rejected, cancelled, expired or wholly refunded.
    """

    order_no: str
    version: int = 0
    shop_id: int = 0
    user_id: int = 0
    status: str = ""
    currency: str = ""
    sku_id: int = 0
    quantity: int = 0
    item_slots: int = 0
    total_fen: int = 0
    discount_fen: int = 0
    paid_fen: int = 0
    refunded_fen: int = 0
    pay_no: str = ""
    channel: str = ""
    flow: str = ""
    coupons: str = ""
    waybill_no: str = ""
    reason: str = ""
    trace_id: str = ""
    placed_ms: int = 0
    created_ms: int = 0
    paid_ms: int = 0
    confirmed_ms: int = 0
    shipped_ms: int = 0
    completed_ms: int = 0
    closed_ms: int = 0
    expires_ms: int = 0
    updated_ms: int = 0


class ItemRow(NamedTuple):
    """A line of an order; ``line_no`` is 1, 2, 3 ... and ``quantity`` 0 when it was taken out."""

    order_no: str
    line_no: int
    version: int
    shop_id: int
    user_id: int
    sku_id: int
    quantity: int
    unit_price_fen: int
    discount_fen: int
    payable_fen: int
    currency: str
    placed_ms: int
    at_ms: int


class CouponRow(NamedTuple):
    """A coupon in an order: HELD, USED or RETURNED."""

    coupon_code: str
    order_no: str
    version: int
    shop_id: int
    user_id: int
    status: str
    trace_id: str
    at_ms: int


_Change: TypeAlias = Callable[[OrderRow, Any, int], dict[str, Any]]

_COUPON_STATUS: Mapping[str, str] = {
    "RESERVING": "HELD",
    "CREATED": "HELD",
    "PAYING": "HELD",
    "PAID": "USED",
    "REJECTED": "RETURNED",
    "CANCELLED": "RETURNED",
    "EXPIRED": "RETURNED",
}
"""Status of an order -> of its coupons; other statuses leave a coupon as it is."""


def advance(row: OrderRow | None, fact: Any, at_ms: int) -> OrderRow:
    """Return the row after ``fact``, a record of ORDER_RECORDS that happened at ``at_ms``.

    ``row`` is the one of the version before; None also when it is not known any more, and then what
    only earlier facts say is missing.
    """
    if row is None:
        row = OrderRow(fact.order_no, shop_id=fact.shop_id, user_id=fact.user_id, placed_ms=at_ms)
    changes = _CHANGES[type(fact)](row, fact, at_ms)
    status = status_after(row.status, fact)
    # Two workers' clocks may differ: a row that changed later never looks older.
    updated_ms = max(row.updated_ms, at_ms)
    return replace(row, version=fact.version, status=status, updated_ms=updated_ms, **changes)


def items(row: OrderRow, fact: Record, at_ms: int) -> Iterator[ItemRow]:
    """Yield the lines that ``fact`` sets; ``row`` is the order's after it."""
    if not isinstance(fact, OrderPlaced | OrderAmended):
        return
    gone = PricedLine(0, 0, 0, 0, 0)
    lines = fact.lines + (gone,) * (row.item_slots - len(fact.lines))
    for line_no, line in enumerate(lines, 1):
        yield ItemRow(
            row.order_no,
            line_no,
            row.version,
            row.shop_id,
            row.user_id,
            line.sku_id,
            line.qty,
            line.unit_price_fen,
            line.discount_fen,
            line.payable_fen,
            row.currency,
            row.placed_ms,
            at_ms,
        )


def coupons(before: OrderRow | None, row: OrderRow) -> Iterator[CouponRow]:
    """Yield how the coupons of an order stand, given its rows before and after a fact."""
    earlier = before.coupons if before is not None else ""
    if not (row.coupons or earlier):
        return
    kept = row.coupons.split()
    status = _COUPON_STATUS.get(row.status)
    told = [(code, status) for code in kept if status is not None]
    told += [(code, "RETURNED") for code in earlier.split() if code not in kept]
    for code, standing in told:
        yield CouponRow(
            code,
            row.order_no,
            row.version,
            row.shop_id,
            row.user_id,
            standing,
            row.trace_id,
            row.updated_ms,
        )


# --- what each fact changes ----------------------------------------------------------------------


def _placed(row: OrderRow, fact: OrderPlaced, _at_ms: int) -> dict[str, Any]:
    return {
        "currency": fact.currency,
        "total_fen": fact.total_fen,
        "channel": fact.pay_channel or "",
        "flow": fact.flow,
        "trace_id": fact.trace_id,
        "placed_ms": fact.placed_at_ms,
        **_lines(row, fact.lines, fact.holds),
    }


def _amended(row: OrderRow, fact: OrderAmended, _at_ms: int) -> dict[str, Any]:
    return {
        "currency": fact.currency,
        "total_fen": fact.total_fen,
        "expires_ms": fact.expires_at_ms,
        **_lines(row, fact.lines, fact.holds),
    }


def _lines(
    row: OrderRow, lines: tuple[PricedLine, ...], holds: tuple[HoldRef, ...]
) -> dict[str, Any]:
    return {
        "sku_id": lines[0].sku_id if lines else 0,
        "quantity": sum([line.qty for line in lines]),
        "item_slots": max(row.item_slots, len(lines)),
        "discount_fen": sum([line.discount_fen for line in lines]),
        "coupons": " ".join([hold.resource_id for hold in holds if hold.kind == COUPON]),
    }


def _created(_row: OrderRow, fact: OrderCreated, at_ms: int) -> dict[str, Any]:
    return {"created_ms": at_ms, "expires_ms": fact.expires_at_ms}


def _rejected(_row: OrderRow, fact: OrderRejected, at_ms: int) -> dict[str, Any]:
    reasons = dict.fromkeys(str(refusal.reason) for refusal in fact.refusals)
    return {"closed_ms": at_ms, "reason": " ".join(reasons)}


def _payment_opened(_row: OrderRow, fact: OrderPaymentOpened, _at_ms: int) -> dict[str, Any]:
    return {"pay_no": fact.pay_no, "channel": fact.channel}


def _paid(_row: OrderRow, fact: OrderPaid, _at_ms: int) -> dict[str, Any]:
    return {"pay_no": fact.pay_no, "paid_fen": fact.total_fen, "paid_ms": fact.paid_at_ms}


def _confirmed(_row: OrderRow, _fact: OrderConfirmed, at_ms: int) -> dict[str, Any]:
    return {"confirmed_ms": at_ms}


def _partly_shipped(_row: OrderRow, fact: OrderPartlyShipped, _at_ms: int) -> dict[str, Any]:
    return {"waybill_no": fact.waybill_no}


def _shipped(_row: OrderRow, fact: OrderShipped, at_ms: int) -> dict[str, Any]:
    return {"waybill_no": fact.waybill_no, "shipped_ms": at_ms}


def _completed(_row: OrderRow, _fact: OrderCompleted, at_ms: int) -> dict[str, Any]:
    return {"completed_ms": at_ms}


def _explained(_row: OrderRow, fact: Any, _at_ms: int) -> dict[str, Any]:
    return {"reason": fact.reason}


def _ended(_row: OrderRow, fact: OrderCancelled | OrderExpired, at_ms: int) -> dict[str, Any]:
    return {"reason": fact.reason, "closed_ms": at_ms}


def _partly_refunded(row: OrderRow, fact: OrderPartlyRefunded, _at_ms: int) -> dict[str, Any]:
    return {"refunded_fen": row.refunded_fen + fact.amount_fen}


def _refunded(row: OrderRow, fact: OrderRefunded, at_ms: int) -> dict[str, Any]:
    return {"refunded_fen": row.refunded_fen + fact.amount_fen, "closed_ms": at_ms}


def _nothing(_row: OrderRow, _fact: OrderOperated, _at_ms: int) -> dict[str, Any]:
    return {}


_CHANGES: Mapping[type[Record], _Change] = {
    OrderPlaced: _placed,
    OrderCreated: _created,
    OrderRejected: _rejected,
    OrderAmended: _amended,
    OrderPaymentOpened: _payment_opened,
    OrderPaid: _paid,
    OrderConfirmed: _confirmed,
    OrderPartlyShipped: _partly_shipped,
    OrderShipped: _shipped,
    OrderCompleted: _completed,
    OrderCancelling: _explained,
    OrderCancelled: _ended,
    OrderExpired: _ended,
    OrderRefunding: _explained,
    OrderPartlyRefunded: _partly_refunded,
    OrderRefunded: _refunded,
    OrderParked: _explained,
    OrderOperated: _nothing,
}

ORDER_RECORDS: frozenset[type[Record]] = frozenset(_CHANGES)
"""The facts that advance an order's version: all of its public facts but refusals."""
