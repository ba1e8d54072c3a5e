"""Sales, funnel, fulfilment and the best skus: what each fact counts as, and where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.report import (
    FulfilmentWindow,
    FunnelWindow,
    OffsetRange,
    SalesWindow,
    SkuSales,
    StepTime,
    TopSkusWindow,
)
from streams.windows.sales import SalesFlow
from tests.unit.windows.log import START_MS, Log, Run
from tests.unit.windows.orders import (
    TOPIC,
    completed,
    created,
    expired,
    paid,
    partly_refunded,
    placed,
    refunded,
    rejected,
    shipped,
)

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NO_TIME = StepTime(0, 0, 0, 0)


def rows(log: Log, run: Run | None = None) -> dict[tuple[str, str], Any]:
    run = run or Run(SalesFlow, log.places)
    for place, records in log.places.items():
        run.take(place, records)
    run.emit()
    return run.rows


def one_order() -> Log:
    log = Log()
    log.append(TOPIC, 0, 0, placed("A", (101, 2, 500), (102, 1, 300)))
    log.append(TOPIC, 0, 40, created("A", 1300))
    log.append(TOPIC, 0, 1_500, paid("A", 1300))
    log.append(TOPIC, 0, 61_500, shipped("A"))
    log.append(TOPIC, 0, 91_500, completed("A"))
    return log


def test_a_second_says_what_happened_in_it_and_where_it_has_that_from() -> None:
    told = rows(one_order())["report.sales", f"1/CNY/1000/{START_MS}"]
    assert told == SalesWindow(
        shop_id=1,
        currency="CNY",
        size_ms=1000,
        start_ms=START_MS,
        placed=1,
        placed_fen=1300,
        created=1,
        rejected=0,
        paid=0,
        gmv_fen=0,
        shipped=0,
        completed=0,
        cancelled=0,
        expired=0,
        refunds=0,
        refunded_fen=0,
        refund_bp=0,
        version=5,  # two facts, and complete
        facts=2,
        fresh_ms=START_MS + 91_500,
        watermark_ms=START_MS + 91_500,
        is_complete=True,
        sources=(OffsetRange(TOPIC, 0, 0, 1),),
    )


def test_a_step_counts_in_the_funnel_of_the_minute_of_the_placement() -> None:
    told = rows(one_order())["report.funnel", f"1/CNY/{MINUTE_MS}/{START_MS}"]
    assert told == FunnelWindow(
        shop_id=1,
        currency="CNY",
        size_ms=MINUTE_MS,
        start_ms=START_MS,
        placed=1,
        created=1,
        paid=1,
        shipped=1,
        completed=1,
        refunded=0,
        rejected=0,
        unpaid=0,
        paid_fen=1300,
        refunded_fen=0,
        created_bp=10_000,
        paid_bp=10_000,
        shipped_bp=10_000,
        refunded_bp=0,
        to_created=StepTime(1, 40, 47, 47),
        to_paid=StepTime(1, 1_460, 1_535, 1_535),
        to_shipped=StepTime(1, 60_000, 65_535, 65_535),
        to_refunded=NO_TIME,
        version=11,
        facts=5,
        fresh_ms=START_MS + 91_500,
        watermark_ms=START_MS + 91_500,
        is_complete=True,
        sources=(OffsetRange(TOPIC, 0, 0, 4),),
    )


def test_an_order_is_in_time_when_it_leaves_within_the_limit() -> None:
    def of(limit_ms: int) -> tuple[int, int, int]:
        log = one_order()
        run = Run(lambda: SalesFlow(ship_limit_ms=limit_ms), log.places)
        told = rows(log, run)["report.fulfilment", f"1//{MINUTE_MS}/{START_MS}"]
        assert isinstance(told, FulfilmentWindow)
        return told.in_time, told.late, told.in_time_bp

    assert of(60_000) == (1, 0, 10_000)
    assert of(59_999) == (0, 1, 0)


def test_fulfilment_follows_the_orders_of_the_minute_of_their_payment() -> None:
    log = one_order()
    log.append(TOPIC, 0, 91_600, placed("B", (101, 1, 500)))
    log.append(TOPIC, 0, 91_700, created("B", 500))
    log.append(TOPIC, 0, 91_800, paid("B", 500))
    told = rows(log)
    first = told["report.fulfilment", f"1//{MINUTE_MS}/{START_MS}"]
    second = told["report.fulfilment", f"1//{MINUTE_MS}/{START_MS + MINUTE_MS}"]
    assert (first.paid, first.shipped, first.completed, first.waiting) == (1, 1, 1, 0)
    assert first.to_completed == StepTime(1, 30_000, 32_767, 32_767)
    assert (second.paid, second.shipped, second.waiting) == (1, 0, 1)


def test_skus_are_ranked_by_units_that_were_paid() -> None:
    log = one_order()
    log.append(TOPIC, 0, 92_000, placed("B", (103, 9, 10)))  # never paid
    told = rows(log)["report.top-skus", f"1/CNY/{HOUR_MS}/{START_MS}"]
    assert isinstance(told, TopSkusWindow)
    assert told.top == (SkuSales(101, 2, 1000), SkuSales(102, 1, 300))
    assert told.skus == 2


def test_an_hour_later_a_refund_restates_the_minute_of_the_placement() -> None:
    log = one_order()
    run = Run(SalesFlow, log.places)
    before = dict(rows(log, run))
    key = ("report.funnel", f"1/CNY/{MINUTE_MS}/{START_MS}")
    log.append(TOPIC, 0, HOUR_MS, refunded("A", 1300))
    after = rows(log, run)
    minute = f"/{MINUTE_MS}/{START_MS}"
    restated = {name for name in after if name[1].endswith(minute) and before[name] != after[name]}
    assert restated == {key}
    assert after[key].version > before[key].version
    assert msgspec.structs.asdict(after[key]) == msgspec.structs.asdict(before[key]) | {
        "refunded": 1,
        "refunded_fen": 1300,
        "refunded_bp": 10_000,
        "to_refunded": StepTime(1, HOUR_MS - 1_500, 4_194_303, 4_194_303),
        "version": 13,
        "facts": 6,
        "fresh_ms": START_MS + HOUR_MS,
        "watermark_ms": START_MS + HOUR_MS,
        "sources": (OffsetRange(TOPIC, 0, 0, 5),),
    }


def test_a_refund_counts_as_money_of_its_own_hour_too() -> None:
    log = one_order()
    log.append(TOPIC, 0, HOUR_MS, partly_refunded("A", 300))
    told = rows(log)
    assert told["report.sales", f"1/CNY/{HOUR_MS}/{START_MS + HOUR_MS}"].refunded_fen == 300
    assert told["report.sales", f"1/CNY/{HOUR_MS}/{START_MS}"].refunded_fen == 0
    funnel = told["report.funnel", f"1/CNY/{MINUTE_MS}/{START_MS}"]
    assert (funnel.refunded, funnel.refunded_fen) == (0, 300)


@pytest.mark.parametrize(
    ("end", "counted"), [(rejected("A"), "rejected"), (expired("A"), "unpaid")]
)
def test_an_order_that_ends_unpaid_is_a_drop_off(end: Any, counted: str) -> None:
    log = Log()
    log.append(TOPIC, 0, 0, placed("A", (101, 2, 500)))
    log.append(TOPIC, 0, 900, end)
    told = rows(log)["report.funnel", f"1/CNY/{MINUTE_MS}/{START_MS}"]
    assert (told.placed, told.paid, getattr(told, counted)) == (1, 0, 1)


def test_shops_never_share_a_window() -> None:
    log = Log()
    log.append(TOPIC, 0, 0, placed("A", (101, 1, 500), shop=1))
    log.append(TOPIC, 0, 0, placed("B", (101, 1, 700), shop=2))
    told = rows(log)
    assert told["report.sales", f"1/CNY/1000/{START_MS}"].placed_fen == 500
    assert told["report.sales", f"2/CNY/1000/{START_MS}"].placed_fen == 700


def test_a_fact_later_than_its_window_is_kept_is_told_of_and_changes_nothing() -> None:
    log = Log()
    log.append(TOPIC, 0, 3 * HOUR_MS, placed("A", (101, 1, 500)))
    run = Run(SalesFlow, log.places)
    rows(log, run)
    flow = run.flow
    assert isinstance(flow, SalesFlow)
    before = len(run.rows)
    log.append(TOPIC, 0, 0, placed("B", (101, 1, 500)))  # its second and minute are forgotten
    rows(log, run)
    assert flow.passed_over() == {"too_late": 2, "unknown_order": 0}
    assert {key for _, key in list(run.rows)[before:]} == {
        f"1/CNY/{HOUR_MS}/{START_MS}",
        f"1/CNY/{MINUTE_MS}/{START_MS}",
    }


def test_an_order_that_is_forgotten_still_counts_as_sales() -> None:
    log = Log()
    log.append(TOPIC, 0, 0, refunded("A", 700))
    run = Run(SalesFlow, log.places)
    told = rows(log, run)
    assert [key[0] for key in told] == ["report.sales"] * 3
    assert told["report.sales", f"1/XXX/1000/{START_MS}"].refunded_fen == 700
    assert run.flow.passed_over() == {"too_late": 0, "unknown_order": 1}


def test_memory_of_orders_and_windows_ends() -> None:
    log = one_order()
    run = Run(SalesFlow, log.places)
    rows(log, run)
    run.fold.reached_end((TOPIC, 0))
    run.emit(START_MS + 100 * HOUR_MS)
    assert len(run.fold.state) == 0
