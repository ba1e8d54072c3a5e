"""The read model: what clients are shown of orders and stock, and how it follows from the facts.

Redis keeps it (``sinks/redis`` writes, ``api/read_model.py`` reads). It is a fold over public facts
and nothing else: ``view_after`` folds an order's, so a reader who has the facts and no Redis gets
the same view. Money is in minor units (fen) of ``currency``, times are epoch milliseconds UTC.

===========================  ======================================================================
key                          value
===========================  ======================================================================
``order:{order_no}``         an OrderView, JSON
``stock:{sku_id}``           hash: warehouse id -> a StockLevel, JSON
``orders:{shop}:{user}``     sorted set: order_no by ``placed_at_ms``; the user's newest orders
``changed:{shop}:{user}``    sorted set: order_no by ``updated_at_ms``; those that changed last
===========================  ======================================================================

A client that was away asks for the messages of its orders since a time: the orders in ``changed``
since then, and of each the ``steps`` since then. A message is a step of a view, so it exists once,
whatever is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from schemas import inventory, order
from schemas.order import PricedLine, Refusal
from schemas.record import Record

PAYING = "PAYING"
"""Shown while a payment is open; every other text is a status of the orders stage."""

STATUS_AFTER: Mapping[type[Record], str | None] = {
    order.OrderPlaced: "RESERVING",
    order.OrderCreated: "CREATED",
    order.OrderRejected: "REJECTED",
    order.OrderAmended: "CREATED",
    order.OrderPaymentOpened: PAYING,
    order.OrderPaid: "PAID",
    order.OrderConfirmed: "FULFILLING",
    order.OrderPartlyShipped: "PARTLY_SHIPPED",
    order.OrderShipped: "SHIPPED",
    order.OrderCompleted: "COMPLETED",
    order.OrderCancelling: "CANCELLING",
    order.OrderCancelled: "CANCELLED",
    order.OrderExpired: "EXPIRED",
    order.OrderRefunding: "REFUNDING",
    order.OrderPartlyRefunded: "PARTLY_REFUNDED",
    order.OrderRefunded: "REFUNDED",
    order.OrderParked: "PARKED",
    order.OrderOperated: None,
}
"""The status after each fact that moves an order's version; None: it stays what it was.

What is not here (OrderRefused) answers a command and changes nothing.
"""

CHANGES = frozenset(STATUS_AFTER)
"""The facts that the view of an order is made of."""

MOVEMENTS: frozenset[type[Record]] = frozenset(
    {
        inventory.StockHeld,
        inventory.StockDeducted,
        inventory.StockReleased,
        inventory.StockReturned,
        inventory.StockReceived,
        inventory.StockAdjusted,
        inventory.StockTransferred,
        inventory.StockCounted,
        inventory.BackorderServed,
    }
)
"""Each says what a warehouse has after it, with a version without gaps."""

STATUS_TEXT: Mapping[str, str] = {
    "RESERVING": "处理中",
    "CREATED": "待支付",
    PAYING: "支付中",
    "PAID": "已支付",
    "FULFILLING": "待发货",
    "PARTLY_SHIPPED": "部分发货",
    "SHIPPED": "已发货",
    "COMPLETED": "已完成",
    "CANCELLING": "取消中",
    "CANCELLED": "已取消",
    "EXPIRED": "已过期",
    "REJECTED": "已拒绝",
    "REFUNDING": "退款中",
    "PARTLY_REFUNDED": "部分退款",
    "REFUNDED": "已退款",
    "PARKED": "人工处理中",
}
"""What a buyer is shown for each status."""

FINISHED = frozenset({"COMPLETED", "CANCELLED", "EXPIRED", "REJECTED", "REFUNDED"})
"""Statuses in which an order waits for nothing."""

STEPS_KEPT = 64
"""An ordinary order has 6 to 8 steps; one that is operated on for ever must not grow for ever."""


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order reached ``version``, and ``status`` with it, at the broker's ``at_ms``."""

    version: int
    status: str
    at_ms: int


class OrderView(msgspec.Struct, frozen=True, gc=False):
    """An order as its owner is shown it. ``version`` is first: a writer compares it in the JSON.

    ``updated_at_ms`` is the broker's time of the last fact, ``placed_at_ms`` the client's time of
    the placement. ``expires_at_ms``: pay until then (0: not created yet). ``reason``: why the order
    was given up, refunded or parked. Of an order whose first facts are no longer in Kafka a view
    knows only what came later.
    """

    version: int
    order_no: str
    shop_id: int
    user_id: int
    status: str
    trace_id: str
    placed_at_ms: int
    updated_at_ms: int
    currency: str = ""
    total_fen: int = 0
    lines: tuple[PricedLine, ...] = ()
    pay_no: str = ""
    channel: str = ""
    paid_fen: int = 0
    refunded_fen: int = 0
    expires_at_ms: int = 0
    reason: str = ""
    refusals: tuple[Refusal, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Say whether the view knows the placement; an order has a line at least."""
        return bool(self.lines)


class StockLevel(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Units of a sku in one warehouse; ``version`` is first, as in an OrderView."""

    version: int
    shop_id: int
    on_hand: int
    held: int
    updated_at_ms: int

    @property
    def available(self) -> int:
        """Units that may be held."""
        return self.on_hand - self.held


class StockView(msgspec.Struct, frozen=True, gc=False):
    """A sku's stock by warehouse id, in the order of the ids."""

    sku_id: int
    warehouses: dict[str, StockLevel]

    @property
    def available(self) -> int:
        """Units that may be held, in all warehouses together."""
        return sum(level.available for level in self.warehouses.values())


class StateData(msgspec.Struct, frozen=True, gc=False):
    """The body of a StateMessage; ``updated_at`` is RFC 3339 in UTC with milliseconds."""

    order_no: str
    status: str
    status_text: str
    updated_at: str


class StateMessage(msgspec.Struct, frozen=True, gc=False):
    """What a client hears of a step of its order. ``seq`` is the order's version: 1, 2, 3 ..."""

    data: StateData
    trace_id: str
    seq: int
    event: Literal["order_status_updated"] = "order_status_updated"


def order_key(order_no: str) -> str:
    """Return the key of an order's view."""
    return f"order:{order_no}"


def stock_key(sku_id: int) -> str:
    """Return the key of a sku's stock."""
    return f"stock:{sku_id}"


def placed_key(shop_id: int, user_id: int) -> str:
    """Return the key of a user's newest orders."""
    return f"orders:{shop_id}:{user_id}"


def changed_key(shop_id: int, user_id: int) -> str:
    """Return the key of a user's orders that changed last."""
    return f"changed:{shop_id}:{user_id}"


encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
decode_order: Callable[[bytes], OrderView] = msgspec.json.Decoder(OrderView).decode
decode_level: Callable[[bytes], StockLevel] = msgspec.json.Decoder(StockLevel).decode


def status_after(status: str | None, fact: Record) -> str:
    """Return the status that clients are shown after ``fact``; None: nothing of the order is known.

    Raises KeyError for what is no fact of ``CHANGES``.
    """
    return STATUS_AFTER[type(fact)] or status or "RESERVING"


def status_text(status: str) -> str:
    """Return what a buyer is shown for ``status``; the status itself when there is no text."""
    return STATUS_TEXT.get(status, status)


def view_after(view: OrderView | None, fact: Any, timestamp_ms: int) -> OrderView:
    """Return the view after a fact of ``CHANGES``; ``timestamp_ms`` is the broker's.

    A fact that the view has taken in already (its version is not above the view's) changes nothing.
    """
    if view is not None and fact.version <= view.version:
        return view
    kind = type(fact)
    status = status_after(None if view is None else view.status, fact)
    if view is None:
        view = OrderView(
            version=fact.version,
            order_no=fact.order_no,
            shop_id=fact.shop_id,
            user_id=fact.user_id,
            status=status,
            trace_id=fact.trace_id,
            placed_at_ms=timestamp_ms,
            updated_at_ms=timestamp_ms,
        )
    # Two workers' clocks may differ: time never goes back for whoever asks for what came since.
    updated_at_ms = max(view.updated_at_ms, timestamp_ms)
    steps = (*view.steps[1 - STEPS_KEPT :], Step(fact.version, status, updated_at_ms))
    more = _DETAILS[kind](view, fact) if kind in _DETAILS else {}
    return replace(
        view,
        version=fact.version,
        status=status,
        updated_at_ms=updated_at_ms,
        steps=steps,
        **more,
    )


def level_after(movement: Any, timestamp_ms: int) -> tuple[str, StockLevel]:
    """Return the warehouse of a fact of ``MOVEMENTS``, and what it has after it."""
    return movement.warehouse_id, StockLevel(
        movement.version, movement.shop_id, movement.on_hand, movement.held, timestamp_ms
    )


def messages(view: OrderView, since_ms: int = 0, above: int = 0) -> Iterator[StateMessage]:
    """Yield the messages of the steps since a time, and above a sequence number, in their order."""
    for step in view.steps:
        if step.at_ms >= since_ms and step.version > above:
            yield message(view, step)


def message(view: OrderView, step: Step) -> StateMessage:
    """Return what a client hears of a step of ``view``."""
    data = StateData(view.order_no, step.status, status_text(step.status), rfc3339(step.at_ms))
    return StateMessage(data, view.trace_id, step.version)


def rfc3339(at_ms: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC: ``2024-05-01T10:20:30.123Z``."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=64)  # facts come together: strftime costs half of a message otherwise
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


# --- what a fact changes besides the status ------------------------------------------------------


def _placed(_view: OrderView, fact: order.OrderPlaced) -> dict[str, Any]:
    return {
        "currency": fact.currency,
        "total_fen": fact.total_fen,
        "lines": fact.lines,
        "placed_at_ms": fact.placed_at_ms,
    }


def _created(_view: OrderView, fact: order.OrderCreated) -> dict[str, Any]:
    return {
        "currency": fact.currency,
        "total_fen": fact.total_fen,
        "expires_at_ms": fact.expires_at_ms,
    }


def _rejected(_view: OrderView, fact: order.OrderRejected) -> dict[str, Any]:
    return {"refusals": fact.refusals}


def _amended(_view: OrderView, fact: order.OrderAmended) -> dict[str, Any]:
    return {
        "currency": fact.currency,
        "total_fen": fact.total_fen,
        "lines": fact.lines,
        "expires_at_ms": fact.expires_at_ms,
    }


def _payment_opened(_view: OrderView, fact: order.OrderPaymentOpened) -> dict[str, Any]:
    return {"pay_no": fact.pay_no, "channel": fact.channel}


def _paid(_view: OrderView, fact: order.OrderPaid) -> dict[str, Any]:
    return {
        "pay_no": fact.pay_no,
        "paid_fen": fact.total_fen,
        "currency": fact.currency,
        "total_fen": fact.total_fen,
    }


def _refunded(
    view: OrderView, fact: order.OrderRefunded | order.OrderPartlyRefunded
) -> dict[str, Any]:
    return {"refunded_fen": view.refunded_fen + fact.amount_fen}


def _reasoned(
    _view: OrderView,
    fact: (
        order.OrderCancelling
        | order.OrderCancelled
        | order.OrderExpired
        | order.OrderRefunding
        | order.OrderParked
    ),
) -> dict[str, Any]:
    return {"reason": fact.reason}


_DETAILS: Mapping[type[Record], Callable[[OrderView, Any], dict[str, Any]]] = {
    order.OrderPlaced: _placed,
    order.OrderCreated: _created,
    order.OrderRejected: _rejected,
    order.OrderAmended: _amended,
    order.OrderPaymentOpened: _payment_opened,
    order.OrderPaid: _paid,
    order.OrderPartlyRefunded: _refunded,
    order.OrderRefunded: _refunded,
    order.OrderCancelling: _reasoned,
    order.OrderCancelled: _reasoned,
    order.OrderExpired: _reasoned,
    order.OrderRefunding: _reasoned,
    order.OrderParked: _reasoned,
}
