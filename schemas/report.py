"""Rows of the live reports: what happened in one window of time, for one shop.

A row stands until a row of the same key with a higher ``version`` replaces it (an upsert). The key
is all fields up to ``start_ms``; the window is ``start_ms <= event time < start_ms + size_ms``.
Event time is the stream time of the stage that made the fact (``ce_time``), in epoch milliseconds.

Every row ends with how far it can be believed:

* ``version``: twice the facts that the window counts, one more when it is complete. It follows from
  the facts alone, so a flow that starts anew never overwrites a newer row with an older one.
* ``facts``: how many facts the window counts; ``sources`` are the offsets that they stand between.
* ``fresh_ms``: event time of the newest fact that the flow had seen when it wrote the row.
* ``watermark_ms``: all facts before it are counted, unless they come later than is allowed.
* ``is_complete``: the watermark has passed the window. A fact that comes later still is counted in
  a new version, as long as the window is remembered.

Money is in minor units of ``currency``, ratios are in basis points (1/10,000), 0 of nothing.
"""

from __future__ import annotations

from schemas.record import Record


class OffsetRange(Record, frozen=True):
    """The window's facts of a partition are among offsets ``first`` to ``last``, both included."""

    topic: str
    partition: int
    first: int
    last: int


class StepTime(Record, frozen=True):
    """How long a step took, of ``count`` orders; P50 and P99 are at most a half too high."""

    count: int
    mean_ms: int
    p50_ms: int
    p99_ms: int


class SalesWindow(Record, frozen=True):
    """What the shop's orders did in a second, a minute or an hour (``report.sales``).

    ``gmv_fen`` is the total of the orders that were paid in the window, ``refunded_fen`` what was
    given back in it, of whatever order.
    """

    shop_id: int
    currency: str
    size_ms: int
    start_ms: int
    placed: int
    placed_fen: int
    created: int
    rejected: int
    paid: int
    gmv_fen: int
    shipped: int
    completed: int
    cancelled: int
    expired: int
    refunds: int
    refunded_fen: int
    refund_bp: int
    version: int
    facts: int
    fresh_ms: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]


class FunnelWindow(Record, frozen=True):
    """What became of the orders that were placed in a minute or an hour (``report.funnel``).

    Each order is counted in the window of its placement, whenever the step came: a refund restates
    the window in which its order was placed. Drop-off: ``rejected`` of the placed, ``unpaid`` (it
    was cancelled or ran out) of the created, ``refunded`` (wholly) of the paid.
    """

    shop_id: int
    currency: str
    size_ms: int
    start_ms: int
    placed: int
    created: int
    paid: int
    shipped: int
    completed: int
    refunded: int
    rejected: int
    unpaid: int
    paid_fen: int
    refunded_fen: int
    created_bp: int
    paid_bp: int
    shipped_bp: int
    refunded_bp: int
    to_created: StepTime
    to_paid: StepTime
    to_shipped: StepTime
    to_refunded: StepTime
    version: int
    facts: int
    fresh_ms: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]


class FulfilmentWindow(Record, frozen=True):
    """How the orders that were paid in a minute or an hour were served (``report.fulfilment``).

    ``in_time`` orders left within ``limit_ms`` of their payment, ``late`` ones after it;
    ``waiting`` ones have neither left nor been refunded.
    """

    shop_id: int
    size_ms: int
    start_ms: int
    paid: int
    shipped: int
    in_time: int
    late: int
    completed: int
    refunded_unshipped: int
    waiting: int
    in_time_bp: int
    limit_ms: int
    to_shipped: StepTime
    to_completed: StepTime
    version: int
    facts: int
    fresh_ms: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]


class SkuSales(Record, frozen=True):
    """Units of one sku that were paid, and what they brought."""

    sku_id: int
    units: int
    paid_fen: int


class TopSkusWindow(Record, frozen=True):
    """The skus that sold most units in a minute or an hour, the best first (``report.top-skus``).

    They are counted when their order is paid; ``skus`` counts all that sold.
    """

    shop_id: int
    currency: str
    size_ms: int
    start_ms: int
    skus: int
    top: tuple[SkuSales, ...]
    version: int
    facts: int
    fresh_ms: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]


class StockWindow(Record, frozen=True):
    """What moved of a sku in a warehouse in a minute or an hour (``report.stock``).

    ``on_hand``, ``held`` and ``available`` are the level after the window's last movement,
    ``movement`` its version. ``held_units`` were asked for and set aside, ``sold_units`` left,
    ``returned_units`` came back, ``added_units`` is what deliveries, corrections and transfers
    changed. ``velocity_mph`` is the speed of sale in thousandths of a unit an hour, were the whole
    window like this.
    """

    shop_id: int
    sku_id: int
    warehouse_id: str
    size_ms: int
    start_ms: int
    movement: int
    on_hand: int
    held: int
    available: int
    held_units: int
    sold_units: int
    released_units: int
    returned_units: int
    added_units: int
    velocity_mph: int
    version: int
    facts: int
    fresh_ms: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]
