"""Stock by window: the level after the last movement, and what moved."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from schemas import inventory
from schemas.record import Record
from schemas.report import OffsetRange, StockWindow
from streams.windows.stock import StockFlow
from tests.unit.windows.log import START_MS, Log, Run, whole

TOPIC, SKU, TRACE = "inventory.events", 7, "0af7651916cd43dd8448eb211c80319c"
MINUTE_MS = 60_000


def received(version: int, on_hand: int, delta: int, warehouse: str = "east") -> Record:
    return inventory.StockReceived(
        SKU, warehouse, version, 1, f"R{version}", on_hand, 0, delta, 0, TRACE
    )


def held(version: int, qty: int, on_hand: int, held_units: int) -> Record:
    return inventory.StockHeld(
        SKU, "east", version, 1, f"H{version}", "N", qty, 0, on_hand, held_units, 0, qty, TRACE
    )


def deducted(version: int, qty: int, on_hand: int, held_units: int) -> Record:
    return inventory.StockDeducted(
        SKU, "east", version, 1, f"H{version}", "N", qty, on_hand, held_units, -qty, -qty, TRACE
    )


def test_a_minute_has_the_level_after_its_last_movement_and_what_moved() -> None:
    log = Log()
    for at_ms, fact in (
        (0, received(1, 100, 100)),
        (500, held(2, 3, 100, 3)),
        (900, held(3, 2, 100, 5)),
        (30_000, deducted(4, 3, 97, 2)),
        (61_000, received(5, 107, 10)),
    ):
        log.append(TOPIC, 0, at_ms, fact)
    run = Run(StockFlow, log.places)
    run.take((TOPIC, 0), log.places[TOPIC, 0])
    run.emit()
    assert run.rows["report.stock", f"1/7/east/{MINUTE_MS}/{START_MS}"] == StockWindow(
        shop_id=1,
        sku_id=SKU,
        warehouse_id="east",
        size_ms=MINUTE_MS,
        start_ms=START_MS,
        movement=4,
        on_hand=97,
        held=2,
        available=95,
        held_units=5,
        sold_units=3,
        released_units=0,
        returned_units=0,
        added_units=100,
        velocity_mph=3 * 60 * 1000,
        version=9,
        facts=4,
        fresh_ms=START_MS + 61_000,
        watermark_ms=START_MS + 61_000,
        is_complete=True,
        sources=(OffsetRange(TOPIC, 0, 0, 3),),
    )


@pytest.mark.parametrize("seed", range(8))
def test_pieces_and_crashes_change_no_window(seed: int) -> None:
    draw = random.Random(seed)
    log, on_hand = Log(), 0
    for version in range(1, 80):
        delta = draw.randrange(1, 20)
        on_hand += delta
        log.append(TOPIC, 0, version * 2_000, received(version, on_hand, delta))
    records = log.places[TOPIC, 0]
    cuts = sorted({0, len(records), *(draw.randrange(len(records)) for _ in range(9))})
    run = Run(StockFlow, log.places)
    for first, end in pairwise(cuts):
        run.take((TOPIC, 0), records[max(first - draw.randrange(5), 0) : end])
        if draw.random() < 0.4:
            run.checkpoint()
        if draw.random() < 0.3:
            run.start()
            run.take((TOPIC, 0), records[:end])
    run.emit()
    assert run.counted() == whole(StockFlow, log.places)
