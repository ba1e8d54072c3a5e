"""The workload as two stages of this engine: as a domain here is written, nothing left out."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import InvalidMessage
from schemas.record import Record
from streams.kernel.stage import Output, State, View
from tests.bench.peers.ours.records import (
    INVENTORY_COMMANDS,
    INVENTORY_EVENTS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    Deduct,
    Deducted,
    Kept,
    LineCounted,
    Order,
    OrderCreated,
    OrderPaid,
    OrderPlaced,
    PayOrder,
    PlaceOrder,
    Reserve,
    Reserved,
    Stock,
)
from tests.bench.peers.workload import UNITS

_NEW_SKU = Stock(UNITS, ())


class OrderStage:
    """Orders: placed, created when all lines are reserved, paid. They are never forgotten."""

    name = "order"
    inbox = ORDER_COMMANDS
    entities: tuple[type[Record], ...] = (Order,)

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        """Judge a command or a reply; one that comes at the wrong time has no effect."""
        match message:
            case Reserved(key, _, _, trace_id):
                order = state.get(Order, key)
                if order is None or not order.pending:
                    return ()
                if order.pending > 1:
                    return (LineCounted(key, trace_id),)
                return (OrderCreated(key, order.lines, order.at_ms, trace_id),)
            case PayOrder(key, trace_id):
                order = state.get(Order, key)
                if order is None or order.pending or order.is_paid:
                    return ()
                return (OrderPaid(key, order.lines, order.at_ms, trace_id),)
            case PlaceOrder(key, lines, at_ms, trace_id):
                if state.get(Order, key) is not None:
                    return ()
                return (OrderPlaced(key, lines, at_ms, trace_id),)
            case _:
                raise InvalidMessage("NOT_FOR_ORDERS", type(message).__name__)

    def wake(self, state: View, record: Record, now_ms: int) -> Sequence[Record]:
        """Return nothing: orders have no timers here."""
        return ()

    def evolve(self, state: State, fact: Record, now_ms: int) -> None:
        """Fold a fact."""
        match fact:
            case OrderPlaced(key, lines, at_ms):
                state.put(key, Order(lines, at_ms, len(lines), False))
            case LineCounted(key):
                order = _known(state, key)
                state.put(key, Order(order.lines, order.at_ms, order.pending - 1, False))
            case OrderCreated(key, lines, at_ms):
                state.put(key, Order(lines, at_ms, 0, False))
            case OrderPaid(key, lines, at_ms):
                state.put(key, Order(lines, at_ms, 0, True))

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Ask the skus, and tell the world."""
        match fact:
            case OrderPlaced(key, lines, _, trace_id):
                to = INVENTORY_COMMANDS.name
                return [
                    Output(to, line.sku, Reserve(key, line.sku, line.qty, trace_id))
                    for line in lines
                ]
            case OrderCreated(key):
                return (Output(ORDER_EVENTS.name, key, fact),)
            case OrderPaid(key, lines, _, trace_id):
                to = INVENTORY_COMMANDS.name
                return [
                    Output(ORDER_EVENTS.name, key, fact),
                    *(Output(to, line.sku, Deduct(key, line.sku, trace_id)) for line in lines),
                ]
            case _:
                return ()


class StockStage:
    """Stock: units are kept for an order, then they leave."""

    name = "stock"
    inbox = INVENTORY_COMMANDS
    entities: tuple[type[Record], ...] = (Stock,)

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        """Judge a command; a deduction of what is not kept has no effect."""
        match message:
            case Reserve(order, sku, qty, trace_id):
                return (Reserved(order, sku, qty, trace_id),)
            case Deduct(order, sku, trace_id):
                stock = state.get(Stock, sku) or _NEW_SKU
                for kept in stock.kept:
                    if kept.order == order:
                        return (Deducted(sku, order, kept.qty, stock.available, trace_id),)
                return ()
            case _:
                raise InvalidMessage("NOT_FOR_STOCK", type(message).__name__)

    def wake(self, state: View, record: Record, now_ms: int) -> Sequence[Record]:
        """Return nothing: stock has no timers here."""
        return ()

    def evolve(self, state: State, fact: Record, now_ms: int) -> None:
        """Fold a fact."""
        match fact:
            case Reserved(order, sku, qty):
                stock = state.get(Stock, sku) or _NEW_SKU
                kept = (*stock.kept, Kept(order, qty))
                state.put(sku, Stock(stock.available - qty, kept))
            case Deducted(sku, order):
                stock = state.get(Stock, sku) or _NEW_SKU
                left = tuple(kept for kept in stock.kept if kept.order != order)
                state.put(sku, Stock(stock.available, left))

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Answer the order, or tell the world."""
        match fact:
            case Reserved(order):
                return (Output(ORDER_COMMANDS.name, order, fact),)
            case Deducted(sku):
                return (Output(INVENTORY_EVENTS.name, sku, fact),)
            case _:
                return ()


def _known(state: View, key: str) -> Order:
    order = state.get(Order, key)
    assert order is not None, "a line of an order that was never placed"
    return order
