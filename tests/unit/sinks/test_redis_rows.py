"""What the read model holds follows from the facts, whatever is stored already."""

from __future__ import annotations

from schemas.inventory import StockHeld, StockReceived
from schemas.order import OrderCancelled, OrderCreated, OrderRefused
from schemas.read_model import OrderView, Step, StockLevel
from schemas.record import Record
from sinks.redis.rows import levels, orders_in, views
from sinks.sink import Fact

CREATED = OrderCreated("O-1", 1, 7, 42, "CNY", 500, 9_000, "t")
CANCELLED = OrderCancelled("O-1", 2, 7, 42, "changed my mind", "t")
REFUSED = OrderRefused("O-2", 0, 7, 42, "PayOrder", "UNKNOWN_ORDER", "t")


def at(ms: int, record: Record) -> Fact:
    return Fact(record, "order.events", 0, ms, ms)


def held(version: int, on_hand: int, units: int) -> StockHeld:
    return StockHeld(5, "east", version, 7, "H", "O-1", 1, 0, on_hand, units, 0, 1, "t")


def test_an_orders_facts_in_one_batch_are_one_view() -> None:
    assert views([at(10, CREATED), at(20, CANCELLED)], {}) == [
        OrderView(
            version=2,
            order_no="O-1",
            shop_id=7,
            user_id=42,
            status="CANCELLED",
            trace_id="t",
            placed_at_ms=10,
            updated_at_ms=20,
            currency="CNY",
            total_fen=500,
            expires_at_ms=9_000,
            reason="changed my mind",
            steps=(Step(1, "CREATED", 10), Step(2, "CANCELLED", 20)),
        )
    ]


def test_a_fact_that_is_stored_already_changes_nothing_though_it_comes_later() -> None:
    (stored,) = views([at(10, CREATED), at(20, CANCELLED)], {})
    assert views([at(30, CREATED), at(40, CANCELLED)], {"O-1": stored}) == []


def test_an_answer_to_a_command_is_no_change_of_an_order() -> None:
    assert orders_in([at(10, REFUSED), at(20, CREATED), at(30, CANCELLED)]) == ["O-1"]
    assert views([at(10, REFUSED)], {}) == []


def test_the_newest_movement_of_a_warehouse_is_its_level_wherever_it_comes() -> None:
    received = StockReceived(5, "west", 4, 7, "R", 30, 2, 30, 0, "t")
    facts = [at(10, held(2, 9, 3)), at(20, received), at(30, held(1, 9, 2))]
    assert levels(facts) == {
        (5, "east"): StockLevel(2, 7, 9, 3, 10),
        (5, "west"): StockLevel(4, 7, 30, 2, 20),
    }
