"""The workload on our engine does what the peers' applications do."""

from __future__ import annotations

from schemas.record import Record
from streams.engine.memory import MemoryHost
from tests.bench.peers.ours.records import (
    INVENTORY_EVENTS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    Deducted,
    Line,
    OrderCreated,
    OrderPaid,
    PayOrder,
    PlaceOrder,
    codec,
)
from tests.bench.peers.ours.stages import OrderStage, StockStage
from tests.bench.peers.workload import UNITS

LINES = (Line("sku1", 1), Line("sku2", 2))
PLACE = PlaceOrder("a", LINES, 1, "t")
PAY = PayOrder("a", "t")
CREATED = OrderCreated("a", LINES, 1, "t")
PAID = OrderPaid("a", LINES, 1, "t")


def events(*steps: tuple[Record, ...]) -> tuple[list[Record], list[Record]]:
    """Send each step's commands, let the stages settle after each; return orders' and stock's."""
    host = MemoryHost([OrderStage(), StockStage()], codec())
    for commands in steps:
        for command in commands:
            host.send(ORDER_COMMANDS.name, "a", command)
        host.run()
    orders, stock = host.facts(ORDER_EVENTS.name), host.facts(INVENTORY_EVENTS.name)
    return list(orders), sorted(stock, key=repr)


def test_an_order_is_created_when_all_its_lines_are_reserved_and_its_lines_leave_when_paid() -> (
    None
):
    assert events((PLACE,), (PAY,)) == (
        [CREATED, PAID],
        [
            Deducted("sku1", "a", 1, UNITS - 1, "t"),
            Deducted("sku2", "a", 2, UNITS - 2, "t"),
        ],
    )


def test_an_order_is_not_paid_before_it_is_created() -> None:
    assert events((PLACE, PAY)) == ([CREATED], [])


def test_the_same_commands_again_have_no_effect() -> None:
    assert events((PLACE,), (PLACE,), (PAY,), (PAY,)) == events((PLACE,), (PAY,))
