"""Windows closed into rows: sums become the fields of a report, ratios and times included."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest

from schemas.record import Record
from schemas.report import (
    FulfilmentWindow,
    FunnelWindow,
    SalesWindow,
    SkuSales,
    StockWindow,
    TopSkusWindow,
)
from streams.kernel.flow import FlowTime
from streams.windows.tally import Step, Tally, basis_points
from streams.windows.windowing import HOUR_MS, Window, standing

TOP = 20  # what a person looks at; the warehouse has the rest

TO_CREATED = Step("to_created")
TO_PAID = Step("to_paid")
TO_SHIPPED = Step("to_shipped")
TO_COMPLETED = Step("to_completed")
TO_REFUNDED = Step("to_refunded")


def close_sales(window: Window, time: FlowTime) -> Record:
    """Return the row of a window of sales; its group is the currency."""
    of = window.sums.get
    return SalesWindow(
        window.shop_id,
        window.group,
        window.size_ms,
        window.start_ms,
        of("placed", 0),
        of("placed_fen", 0),
        of("created", 0),
        of("rejected", 0),
        of("paid", 0),
        of("gmv_fen", 0),
        of("shipped", 0),
        of("completed", 0),
        of("cancelled", 0),
        of("expired", 0),
        of("refunds", 0),
        of("refunded_fen", 0),
        basis_points(of("refunded_fen", 0), of("gmv_fen", 0)),
        *standing(window, time),
    )


def close_funnel(window: Window, time: FlowTime) -> Record:
    """Return the row of a window of the funnel; its group is the currency."""
    sums = window.sums
    of = sums.get
    placed, created, paid = of("placed", 0), of("created", 0), of("paid", 0)
    shipped, refunded = of("shipped", 0), of("refunded", 0)
    return FunnelWindow(
        window.shop_id,
        window.group,
        window.size_ms,
        window.start_ms,
        placed,
        created,
        paid,
        shipped,
        of("completed", 0),
        refunded,
        of("rejected", 0),
        of("unpaid", 0),
        of("paid_fen", 0),
        of("refunded_fen", 0),
        basis_points(created, placed),
        basis_points(paid, created),
        basis_points(shipped, paid),
        basis_points(refunded, paid),
        TO_CREATED.of(sums),
        TO_PAID.of(sums),
        TO_SHIPPED.of(sums),
        TO_REFUNDED.of(sums),
        *standing(window, time),
    )


def close_fulfilment(limit_ms: int) -> Callable[[Window, FlowTime], Record]:
    """Return what closes a window of fulfilment; orders should leave within ``limit_ms``."""

    def close(window: Window, time: FlowTime) -> Record:
        sums = window.sums
        of = sums.get
        paid, shipped, in_time = of("paid", 0), of("shipped", 0), of("in_time", 0)
        unshipped = of("refunded_unshipped", 0)
        return FulfilmentWindow(
            window.shop_id,
            window.size_ms,
            window.start_ms,
            paid,
            shipped,
            in_time,
            of("late", 0),
            of("completed", 0),
            unshipped,
            paid - shipped - unshipped,
            basis_points(in_time, shipped),
            limit_ms,
            TO_SHIPPED.of(sums),
            TO_COMPLETED.of(sums),
            *standing(window, time),
        )

    return close


def sku_sums(tally: Tally, sku_id: int, units: int, paid_fen: int) -> None:
    """Add what was sold of a sku; its sums are named by its id."""
    sums = tally.sums
    for name, amount in ((f"{sku_id}", units), (f"{sku_id}.fen", paid_fen)):
        sums[name] = sums.get(name, 0) + amount


def close_top_skus(window: Window, time: FlowTime) -> Record:
    """Return the row of the best skus; of two that sold alike the one with the lower id first."""
    sums = window.sums
    ranked = [(-units, int(name)) for name, units in sums.items() if not name.endswith(".fen")]
    top = tuple(
        SkuSales(sku_id, -negative, sums[f"{sku_id}.fen"])
        for negative, sku_id in nsmallest(TOP, ranked)
    )
    return TopSkusWindow(
        window.shop_id,
        window.group,
        window.size_ms,
        window.start_ms,
        len(ranked),
        top,
        *standing(window, time),
    )


def close_stock(window: Window, time: FlowTime) -> Record:
    """Return the row of a sku in a warehouse; its group is ``sku_id/warehouse_id``."""
    sku_id, _, warehouse_id = window.group.partition("/")
    of = window.sums.get
    movement, on_hand, held = window.latest
    sold = of("sold_units", 0)
    return StockWindow(
        window.shop_id,
        int(sku_id),
        warehouse_id,
        window.size_ms,
        window.start_ms,
        movement,
        on_hand,
        held,
        on_hand - held,
        of("held_units", 0),
        sold,
        of("released_units", 0),
        of("returned_units", 0),
        of("added_units", 0),
        sold * 1000 * HOUR_MS // window.size_ms,
        *standing(window, time),
    )
