"""Writes the read model: views of orders, stock levels, and two indexes of each user's orders.

A view is read, folded on and written where its version is newer than what is there, all in Lua at
once: written twice, by two processes or in old and new together, the newest stands. Since views
are folds, any writer's view of one version is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError

from schemas.read_model import (
    CHANGES,
    FINISHED,
    OrderView,
    StockLevel,
    changed_key,
    decode_order,
    encode,
    order_key,
    placed_key,
    stock_key,
)
from schemas.record import Record
from schemas.topics import INVENTORY_EVENTS, ORDER_EVENTS, Topic
from sinks.redis.rows import MOVEMENTS, levels, orders_in, views
from sinks.sink import Fact, StoreAway

_DAY_MS = 24 * 3600 * 1000
TURN_KEY = "read_model:turn"
"""Whose turn it is to write: ``held:...`` while a rebuild swaps, another value after each."""

_ATOMIC_ORDERS = 100  # ~10 us each: 1 ms in which Redis answers nobody else
_TIMEOUT_S = 5.0
_AWAY = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, OutOfMemoryError)


@dataclass(frozen=True)
class Keeping:
    """How long and how much is kept. Older orders are the ledger's to show."""

    finished_ms: int = 7 * _DAY_MS
    """A view after the order's end: as long as Kafka keeps the facts."""
    index_ms: int = 90 * _DAY_MS
    """The indexes of a user after its last order changed."""
    orders_per_user: int = 1_000
    """In each of a user's indexes."""


class RedisSink:
    """Writes to the Redis at ``url``; every key starts with ``prefix``.

    ``prefix`` is empty but for a rebuild, which writes beside what is read (`sinks.redis.rebuild`).
    """

    name = "redis"
    topics: tuple[Topic, ...] = (ORDER_EVENTS, INVENTORY_EVENTS)
    records: frozenset[type[Record]] = CHANGES | MOVEMENTS

    def __init__(self, url: str, keeping: Keeping | None = None, prefix: str = "") -> None:
        self._keeping = keeping or Keeping()
        self._prefix = prefix
        self._turn_key = prefix + TURN_KEY
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._script = Path(__file__).with_name("write.lua").read_text()
        self._sha = ""

    def write(self, facts: Sequence[Fact]) -> None:
        """Write what ``facts`` say; StoreAway when Redis is away, or while a rebuild swaps."""
        try:
            self._write(facts)
        except _AWAY as error:
            raise StoreAway(f"Redis: {error}") from error
        except ResponseError as error:
            # It cannot save to disk, is loading, or a replica is not in step: it says so and waits.
            if str(error).startswith(("MISCONF", "LOADING", "NOREPLICAS", "CLUSTERDOWN")):
                raise StoreAway(f"Redis: {error}") from error
            raise

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _write(self, facts: Sequence[Fact]) -> None:
        numbers = orders_in(facts)
        keys = [self._prefix + order_key(order_no) for order_no in numbers]
        turn, *found = cast(list[bytes | None], self._redis.mget([self._turn_key, *keys]))
        stored = {
            order_no: decode_order(value)
            for order_no, value in zip(numbers, found, strict=True)
            if value is not None
        }
        orders = views(facts, stored)
        for start in range(0, len(orders), _ATOMIC_ORDERS):
            self._call(turn or b"", orders[start : start + _ATOMIC_ORDERS], {})
        stock = levels(facts)
        if stock:
            self._call(turn or b"", (), stock)

    def _call(
        self,
        turn: bytes,
        orders: Sequence[OrderView],
        stock: Mapping[tuple[int, str], StockLevel],
    ) -> None:
        keeping = self._keeping
        keys = [self._turn_key]
        values: list[Any] = [turn, len(orders), keeping.orders_per_user, keeping.index_ms]
        for view in orders:
            keys += self._keys(view)
            values += self._values(view)
        for (sku_id, warehouse_id), level in stock.items():
            keys.append(self._prefix + stock_key(sku_id))
            values += (level.version, warehouse_id, encode(level))
        if self._evaluate(keys, values) < 0:
            raise StoreAway("the read model is being rebuilt")

    def _keys(self, view: OrderView) -> Iterator[str]:
        prefix = self._prefix
        yield prefix + order_key(view.order_no)
        yield prefix + placed_key(view.shop_id, view.user_id)
        yield prefix + changed_key(view.shop_id, view.user_id)

    def _values(self, view: OrderView) -> Iterator[Any]:
        is_finished = view.status in FINISHED
        yield view.version
        yield encode(view)
        yield view.updated_at_ms + self._keeping.finished_ms if is_finished else 0
        yield view.order_no
        yield view.placed_at_ms
        yield view.updated_at_ms

    def _evaluate(self, keys: Sequence[str], values: Sequence[Any]) -> int:
        if self._sha:
            try:
                return cast(int, self._redis.evalsha(self._sha, len(keys), *keys, *values))
            except NoScriptError:  # Redis was started anew
                pass
        self._sha = self._redis.script_load(self._script)
        return cast(int, self._redis.evalsha(self._sha, len(keys), *keys, *values))
