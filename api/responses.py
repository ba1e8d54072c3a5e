"""What clients are told, as JSON. Money is in minor units (fen), times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.order import AppliedRule, PricedLine, Refusal, SkuUnits


class Priced(msgspec.Struct, frozen=True):
    """What a cart costs; ``rules`` are the promotions that took part."""

    currency: str
    total_fen: int
    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...] = ()


class MissingAmount(msgspec.Struct, frozen=True):
    """``amount`` more of ``unit`` (fen, units or kinds); of the rule's goods when ``of_items``."""

    unit: str
    amount: int
    of_items: bool


class QuotedRule(msgspec.Struct, frozen=True):
    """What a rule does to the cart: ``APPLIED``, ``NEEDS`` more in it, or ``REFUSED``.

    ``reason`` says why it is refused, ``needs`` what is missing, ``words`` all of it for people.
    """

    rule_id: str
    verdict: str
    discount_fen: int
    words: str
    reason: str | None = None
    needs: tuple[MissingAmount, ...] = ()


class Quote(Priced, frozen=True):
    """What a cart costs now, by which pack (empty: none), and what becomes of each of its rules."""

    pack: str = ""
    promotions: tuple[QuotedRule, ...] = ()


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order that holds everything it needs: pay until ``expire_time``."""

    order_no: str
    status: str
    expire_time: str | None
    priced: Priced
    trace_id: str


class Accepted(msgspec.Struct, frozen=True):
    """The request is safe and will be judged: look at ``status_url`` what became of it."""

    order_no: str
    status: str
    status_url: str
    trace_id: str


class OrderState(msgspec.Struct, frozen=True):
    """What a request made of the order; ``version`` counts its public facts."""

    order_no: str
    status: str
    version: int
    trace_id: str


class PaymentOpened(msgspec.Struct, frozen=True):
    """A payment attempt: the buyer pays ``pay_no`` at the channel's gateway."""

    order_no: str
    status: str
    pay_no: str
    channel: str
    amount_fen: int
    currency: str
    trace_id: str


class RefundOpened(msgspec.Struct, frozen=True):
    """A refund that is on its way; without ``units`` of everything that was left."""

    order_no: str
    status: str
    refund_no: str
    amount_fen: int
    currency: str
    units: tuple[SkuUnits, ...]
    trace_id: str


class OrderDetails(msgspec.Struct, frozen=True):
    """An order as its owner is shown it."""

    order_no: str
    status: str
    status_text: str
    version: int
    shop_id: int
    user_id: int
    currency: str
    total_fen: int
    paid_fen: int
    refunded_fen: int
    lines: tuple[PricedLine, ...]
    pay_no: str
    channel: str
    expire_time: str | None
    placed_at: str
    updated_at: str
    reason: str
    refusals: tuple[Refusal, ...]
    trace_id: str


class OrderPage(msgspec.Struct, frozen=True):
    """Some orders, the newest first; ``next_cursor`` asks for those before them."""

    orders: tuple[OrderDetails, ...]
    next_cursor: str | None


class WarehouseStock(msgspec.Struct, frozen=True):
    """Units of a sku in one warehouse; ``available`` of those ``on_hand`` are not held."""

    warehouse_id: str
    available: int
    on_hand: int
    held: int


class Stock(msgspec.Struct, frozen=True):
    """Units of a sku that an order could hold."""

    sku_id: int
    available: int
    warehouses: tuple[WarehouseStock, ...]


class SkuOnSale(msgspec.Struct, frozen=True):
    """A sku at its list price; ``available``: units that an order could hold, None: not known."""

    sku_id: int
    title: str
    price_fen: int
    currency: str
    available: int | None


class SkuPage(msgspec.Struct, frozen=True):
    """Some skus in the order of their ids; ``next_cursor`` asks for those behind them."""

    skus: tuple[SkuOnSale, ...]
    next_cursor: str | None


class TimelineEntry(msgspec.Struct, frozen=True):
    """One public fact of an order: ``fact`` is its name, ``details`` what it says."""

    at: str
    fact: str
    version: int
    details: dict[str, Any]
    traceparent: str


class Timeline(msgspec.Struct, frozen=True):
    """What happened to an order, the oldest first."""

    order_no: str
    entries: tuple[TimelineEntry, ...]


class StockEntry(msgspec.Struct, frozen=True):
    """What became of a change of stock: ``fact`` is the public fact's name, None: not known yet."""

    sku_id: int
    ref: str
    fact: str | None
    details: dict[str, Any]
    trace_id: str


class TicketState(msgspec.Struct, frozen=True):
    """What an operator's word did to a ticket: ``fact`` is the public fact's name."""

    order_no: str
    ticket_no: str
    resolution: str
    fact: str
    trace_id: str


class Ticket(msgspec.Struct, frozen=True):
    """A way into ``/ws/state`` for ``expires_in_s`` seconds, once."""

    ticket: str
    expires_in_s: int
    path: str
