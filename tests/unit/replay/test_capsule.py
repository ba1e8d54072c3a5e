"""A capsule of an order of each outcome: green by today's code, red by another rule."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.inventory import StockHeld, TryHold
from schemas.order import PlaceOrder
from streams.inventory.state import Stock
from streams.orders import OrderLimits
from streams.orders.state import FinishedOrder, Order, OrderStatus
from tests.unit.replay.shop import LIMITS, WINDOW_MS, Shop, every_outcome
from topologies.pipeline import stages
from topologies.replay import writing
from topologies.replay.capsule import Player, Step
from topologies.replay.capturing import NoSuchOrder, capture

OUTCOMES = {
    "COMPLETED": OrderStatus.COMPLETED,
    "TWO-SKUS": OrderStatus.COMPLETED,
    "REFUNDED": OrderStatus.REFUNDED,
    "REJECTED": OrderStatus.REJECTED,
    "PAID-TWICE": OrderStatus.FULFILLING,
    "DECLINED": OrderStatus.EXPIRED,
    "CANCELLED": OrderStatus.CANCELLED,
    "PARKED": OrderStatus.PARKED,
    "EXPIRED": OrderStatus.EXPIRED,
    "PAID-LATE": OrderStatus.EXPIRED,
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return every_outcome()


def steps_of(shop: Shop, order_no: str) -> list[Step]:
    return capture(shop.log, shop.codec, stages(LIMITS), order_no)


@pytest.mark.parametrize("order_no", OUTCOMES)
def test_every_step_of_an_order_of_each_outcome_is_decided_as_it_was(
    shop: Shop, order_no: str
) -> None:
    steps = steps_of(shop, order_no)
    player = Player(stages(LIMITS), order_no)

    for step in steps:
        assert player.play(step) == list(step.then), step.where

    orders = player.store("orders", shop.host.partition_of(order_no))
    left = orders.table(Order).get(order_no) or orders.table(FinishedOrder).get(order_no)
    status = left.status if isinstance(left, Order) else left.outcome
    assert status == OUTCOMES[order_no]
    assert sum(len(step.then) for step in steps) >= 5


def test_what_others_did_to_the_sku_meanwhile_is_given(shop: Shop) -> None:
    step = next(s for s in steps_of(shop, "PAID-LATE") if isinstance(s.when, TryHold))

    stock = next(record for _, _, record in step.given if isinstance(record, Stock))
    held = step.then[0].message
    assert isinstance(held, StockHeld)
    assert (held.version, held.on_hand, held.held) == (
        stock.version + 1,
        stock.on_hand,
        stock.held + 1,
    )
    assert stock.version > 10  # many orders were there before


def test_the_file_is_green_by_itself_and_red_when_the_rule_is_another(
    shop: Shop, tmp_path: Path
) -> None:
    steps = steps_of(shop, "COMPLETED")
    file = tmp_path / "test_completed.py"

    file.write_text(writing.test_file("COMPLETED", steps, WINDOW_MS))
    assert pytest_of(file) == 0
    file.write_text(writing.test_file("COMPLETED", steps, WINDOW_MS + 1))
    assert pytest_of(file) == 1


def pytest_of(file: Path) -> int:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        capture_output=True,
        check=False,
    ).returncode


def test_another_limit_is_named_at_the_first_step_that_it_changes(shop: Shop) -> None:
    player = Player(stages(OrderLimits(payment_window_ms=WINDOW_MS + 1)), "COMPLETED")

    differing = [s for s in steps_of(shop, "COMPLETED") if player.play(s) != list(s.then)]

    assert isinstance(differing[0].when, PlaceOrder)


def test_an_order_that_never_was_has_no_capsule(shop: Shop) -> None:
    with pytest.raises(NoSuchOrder, match="NEVER"):
        steps_of(shop, "NEVER")
