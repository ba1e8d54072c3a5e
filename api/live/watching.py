"""Follows reports and alerts while somebody looks at them, and not otherwise.

Each topic is read from as far back as the page shows it: an hour of sales is some 300,000 rows of a
busy shop, read in a few seconds and hardly decoded; stock has rows for every sku that moves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from api.follower import Follower, OrderFact
from api.live.board import Flow, Pipeline
from api.live.reports import SALES_TOPICS, Reports
from api.occasional import Occasional
from schemas.topics import ALERT_EVENTS, REPORT_STOCK, Topic

LOOKBACK_S: tuple[tuple[tuple[Topic, ...], float], ...] = (
    (SALES_TOPICS, 3_600.0),
    ((REPORT_STOCK,), 300.0),
    ((ALERT_EVENTS,), 86_400.0),
)
"""How far before now each is read. An alert that opened earlier is not on the page."""

SETTLE_LIMIT_S = 5.0
_QUIET_S = 0.5
_OLD_S = 2.0

Follow = Callable[[Sequence[Topic], float], Follower]
"""Makes a follower of topics from so many seconds ago."""


class Watching:
    """The reports of one process. ``orders`` follows the facts of orders in any case."""

    def __init__(
        self, orders: Follower, follow: Follow, now_s: Callable[[], float] = time.time
    ) -> None:
        self.reports = Reports()
        self._now_s = now_s
        self._heard_s = 0.0  # when something old was read, by the monotonic clock
        self._readers: list[Follower] = []
        self._occasional = [
            Occasional(partial(self._make, follow, topics, back_s)) for topics, back_s in LOOKBACK_S
        ]
        orders.subscribe(self.reports.heard)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Follow the reports meanwhile; what was written lately has been read at the start."""
        async with AsyncExitStack() as ending:
            self._readers = list(
                await asyncio.gather(
                    *(ending.enter_async_context(one.lent()) for one in self._occasional)
                )
            )
            await self._settled()
            yield

    def pipeline(self) -> Pipeline:
        """Return how late everything is."""
        sales, stock = self.reports.sales, self.reports.stock
        return Pipeline(
            int(self._now_s() * 1000),
            self.reports.placed_ms,
            all(reader.is_reading for reader in self._readers),
            Flow(sales.fresh_ms, sales.watermark_ms),
            Flow(stock.fresh_ms, stock.watermark_ms),
        )

    async def stop(self) -> None:
        """Follow no more."""
        for one in self._occasional:
            await one.stop()

    def _make(self, follow: Follow, topics: Sequence[Topic], back_s: float) -> Follower:
        follower = follow(topics, back_s)
        follower.subscribe(self._take)
        return follower

    def _take(self, rows: Sequence[OrderFact]) -> None:
        if rows[-1].timestamp_ms / 1000 < self._now_s() - _OLD_S:
            self._heard_s = time.monotonic()
        self.reports.take(rows)

    async def _settled(self) -> None:
        """Wait until nothing old comes any more: a page starts with how things are."""
        started_s = time.monotonic()
        while (now_s := time.monotonic()) < started_s + SETTLE_LIMIT_S:
            if now_s - max(self._heard_s, started_s) > _QUIET_S:
                return
            await asyncio.sleep(_QUIET_S / 4)
