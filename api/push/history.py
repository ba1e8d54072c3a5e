"""What happened so far, by the nearest that knows: window, read model, the facts themselves.

A client that comes back is told what it missed, so a view must not be older than what the hub has
published already. The read model lags behind the facts; the follower's window has the last of them.
Where the two do not meet, in an order or as a whole (``is_behind``), the order's facts are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.push.feed import Unreadable
from api.push.hub import Fact, Hub
from schemas.read_model import CHANGES, OrderView, changed_key, view_after

_READS = 3
"""A read of the facts takes less time than the window holds, unless all is slow; then once more."""

_READERS = 2
"""Reads of the facts at a time: each scans a part of a partition."""


class Reads(Protocol):
    """The read model, which may be behind; a store that is away is no error."""

    async def order(self, order_no: str) -> OrderView | None:
        """Return an order's view; None: there is no such order."""

    async def facts(self, order_no: str) -> Sequence[Fact]:
        """Return an order's facts, the oldest first, as far as Kafka keeps them."""


class PastFacts:
    """The History of one process."""

    def __init__(
        self,
        hub: Hub,
        recent: Callable[[str], Sequence[Fact]],
        reads: Reads,
        redis: Redis | None,
        is_behind: Callable[[], Awaitable[bool]],
    ) -> None:
        self._hub = hub
        self._recent = recent
        self._reads = reads
        self._redis = redis
        self._is_behind = is_behind
        self._reading = asyncio.Semaphore(_READERS)

    async def views(self, order_nos: Sequence[str]) -> Mapping[str, OrderView]:
        """Return the views of the orders that exist; raise Unreadable."""
        found = {}
        for order_no in order_nos:
            view = await self._view(order_no)
            if view is not None:
                found[order_no] = view
        return found

    async def changed(self, shop_id: int, user_id: int, since_ms: int) -> Sequence[str]:
        """Return a user's orders that changed since then: the kept ones, then the recent ones.

        Raises Unreadable while Redis is away: nobody else knows a user's orders.
        """
        if self._redis is None:
            raise Unreadable("there is no Redis")
        try:
            kept = await self._redis.zrangebyscore(changed_key(shop_id, user_id), since_ms, "+inf")
        except (RedisError, OSError) as error:
            raise Unreadable(str(error)) from error
        orders = [cast(bytes, order_no).decode() for order_no in kept]
        return list(dict.fromkeys((*orders, *self._hub.orders.of(shop_id, user_id))))

    async def _view(self, order_no: str) -> OrderView | None:
        view, is_whole = folded(None, self._recent(order_no))
        if is_whole and view is not None:
            return view
        # The window is looked at after each read: it has moved on meanwhile.
        is_behind = await self._is_behind()
        kept = await self._reads.order(order_no)
        if not is_behind:
            view, is_whole = folded(kept, self._recent(order_no))
            if is_whole:
                return view
        for _ in range(_READS):
            view, is_whole = folded(await self._logged(order_no), self._recent(order_no))
            if is_whole and _version(view) >= _version(kept):
                return view
        raise Unreadable(f"order {order_no}: the window has moved past what was read")

    async def _logged(self, order_no: str) -> OrderView | None:
        """Return the view that an order's facts make."""
        view = None
        async with self._reading:
            facts = await self._reads.facts(order_no)
        for fact in facts:
            if fact.kind in CHANGES:
                view = view_after(view, fact.record, fact.timestamp_ms)
        return view


def folded(view: OrderView | None, facts: Sequence[Fact]) -> tuple[OrderView | None, bool]:
    """Return ``view`` after ``facts``, and False when a version between them is missing."""
    for fact in facts:
        if fact.kind in CHANGES:
            version = fact.record.version
            if version > _version(view) + 1:
                return view, False
            view = view_after(view, fact.record, fact.timestamp_ms)
    return view, True


def _version(view: OrderView | None) -> int:
    return 0 if view is None else view.version
