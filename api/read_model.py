"""What is known of orders and stock, by the nearest that knows it; never an error.

Redis has the read model, some tens of milliseconds behind the facts, in one round trip. The
follower's window has the newest facts, so that who was just told of a fact does not read an older
state. Where both do not do (Redis is away, lost something, or forgot it), the facts themselves are
read, within bounds (`api.facts`). What nobody knows is None: perhaps it is not known yet.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import redis.asyncio
import structlog
from redis.exceptions import RedisError

from api.facts import KafkaFacts
from api.follower import OrderFact
from api.services import Page
from schemas.read_model import (
    CHANGES,
    MOVEMENTS,
    OrderView,
    StockLevel,
    StockView,
    decode_level,
    decode_order,
    level_after,
    order_key,
    placed_key,
    stock_key,
    view_after,
)
from schemas.topics import INVENTORY_EVENTS, ORDER_EVENTS

log = structlog.get_logger()

_TIMEOUT_S = 0.5
_AWAY_S = 1.0  # how long nobody asks a Redis that did not answer: a request must not wait for it
_LOOKED_AT = 500  # orders looked at for one page of one status: ~1 ms of Redis
_FIRST_PAGE = ("+inf", "")


class Window(Protocol):
    """The newest facts of a key (`api.follower.Follower`)."""

    def recent(self, key: str) -> Sequence[OrderFact]:
        """Return the facts, the oldest first."""


class ReadModel:
    """Reads of one process; for its event loop. ``is_away``: Redis did not answer last."""

    def __init__(self, url: str, window: Window, facts: KafkaFacts) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._page = self._redis.register_script(
            Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")
        )
        self._window = window
        self._facts = facts
        self._asked_again_s = 0.0

    @property
    def is_away(self) -> bool:
        """Say whether Redis did not answer when it was asked last: answers come from elsewhere."""
        return self._asked_again_s > 0.0

    async def order(self, order_no: str) -> OrderView | None:
        """Return an order's view; None: nobody knows of such an order."""
        recent = self._window.recent(order_no)
        view, is_complete = folded(None, recent)
        if view is not None and is_complete:
            return view
        stored = await self._ask(lambda: self._redis.get(order_key(order_no)), None)
        kept = None if stored is None else _view(stored)
        view, is_complete = folded(kept, recent)
        if view is not None and is_complete and view.is_whole:
            return view
        known, _ = folded(None, await self._facts.of(ORDER_EVENTS, order_no, _since_ms(kept)))
        read, _ = folded(known, self._window.recent(order_no))
        return newest(view, read)

    async def facts(self, order_no: str) -> Sequence[OrderFact]:
        """Return an order's public facts, the oldest first, as far as the bounds of a read go."""
        recent = self._window.recent(order_no)
        _, is_complete = folded(None, recent)
        if recent and is_complete:
            return recent
        stored = await self._ask(lambda: self._redis.get(order_key(order_no)), None)
        kept = None if stored is None else _view(stored)
        return await self._facts.of(ORDER_EVENTS, order_no, _since_ms(kept)) or recent

    async def orders(
        self, shop_id: int, user_id: int, status: str | None, cursor: str | None, limit: int
    ) -> Page:
        """Return a user's orders, the newest first; only those of a ``status`` if one is given.

        A page may have fewer than ``limit`` and a cursor all the same. A cursor that is none starts
        from the beginning. Without Redis nobody knows a user's orders: the page is empty.
        """
        score, number = _parsed(cursor)
        keys = [placed_key(shop_id, user_id)]
        values: list[str | int] = [score, number, limit, status or "", _LOOKED_AT]
        following, stored = await self._ask(lambda: self._page(keys=keys, args=values), (b"", []))
        found = (_view(value) for value in stored)
        views = [
            folded(view, self._window.recent(view.order_no))[0] or view
            for view in found
            if view is not None
        ]
        return Page(
            [view for view in views if status in (None, view.status)], following.decode() or None
        )

    async def stock(self, sku_id: int) -> StockView | None:
        """Return a sku's stock; None: nobody has heard of it."""
        stored = await self._ask(
            lambda: cast(Awaitable[Any], self._redis.hgetall(stock_key(sku_id))), {}
        )
        levels = _levels(stored)
        _take(levels, self._window.recent(str(sku_id)))
        if not stored:  # the window alone may know one warehouse of several
            _take(levels, await self._facts.of(INVENTORY_EVENTS, str(sku_id)))
        return StockView(sku_id, dict(sorted(levels.items()))) if levels else None

    async def stocks(self, sku_ids: Sequence[int]) -> Mapping[int, StockView]:
        """Return the stock of those skus that Redis knows, in one round trip."""

        async def read() -> list[dict[bytes, bytes]]:
            pipe = self._redis.pipeline(transaction=False)
            for sku_id in sku_ids:
                pipe.hgetall(stock_key(sku_id))
            return cast(list[dict[bytes, bytes]], await pipe.execute())

        found = await self._ask(read, [])
        return {
            sku_id: StockView(sku_id, _levels(stored))
            for sku_id, stored in zip(sku_ids, found, strict=False)
            if stored
        }

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _ask(self, question: Callable[[], Awaitable[Any]], otherwise: Any) -> Any:
        """Return what Redis answers; ``otherwise`` while it is away."""
        if time.monotonic() < self._asked_again_s:
            return otherwise
        try:
            answer = await question()
        except (RedisError, OSError) as error:
            if not self.is_away:
                log.warning("read_model_away", why=str(error))
            self._asked_again_s = time.monotonic() + _AWAY_S
            return otherwise
        if self.is_away:
            log.info("read_model_back")
            self._asked_again_s = 0.0
        return answer


def folded(view: OrderView | None, facts: Iterable[OrderFact]) -> tuple[OrderView | None, bool]:
    """Return ``view`` after ``facts``, and whether no version was missing on the way."""
    for fact in facts:
        if fact.kind in CHANGES:
            version = cast(int, fact.record.version)  # type: ignore[attr-defined]  # of CHANGES
            if version > (0 if view is None else view.version) + 1:
                return view, False
            view = view_after(view, fact.record, fact.timestamp_ms)
    return view, True


def newest(one: OrderView | None, other: OrderView | None) -> OrderView | None:
    """Return the view that knows more: a whole one, else the one of the higher version."""
    views = [view for view in (one, other) if view is not None]
    return max(views, key=lambda view: (view.is_whole, view.version), default=None)


def _view(stored: bytes) -> OrderView | None:
    try:
        return decode_order(stored)
    except msgspec.MsgspecError:  # of another version, or spoilt: the facts know better
        return None


def _since_ms(view: OrderView | None) -> int:
    """Return when the first fact of an order came, if its view still has that step."""
    if view is None or not view.steps or view.steps[0].version > 1:
        return 0
    return view.steps[0].at_ms


def _levels(stored: Mapping[bytes, bytes]) -> dict[str, StockLevel]:
    return {name.decode(): decode_level(value) for name, value in stored.items()}


def _take(levels: dict[str, StockLevel], facts: Iterable[OrderFact]) -> None:
    for fact in facts:
        if fact.kind in MOVEMENTS:
            warehouse_id, level = level_after(fact.record, fact.timestamp_ms)
            known = levels.get(warehouse_id)
            if known is None or level.version > known.version:
                levels[warehouse_id] = level


def _parsed(cursor: str | None) -> tuple[str, str]:
    score, dash, order_no = (cursor or "").partition("-")
    return (score, order_no) if dash and score.isascii() and score.isdecimal() else _FIRST_PAGE
