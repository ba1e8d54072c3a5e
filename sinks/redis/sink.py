"""Writes the read model: views of orders, stock levels, and two indexes of each user's orders.

A view is read, folded on and written where its version is newer than what is there, all in Lua at
once: written twice, by two processes or in old and new together, the newest stands. Since views
are folds, any writer's view of one version is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import redis
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError

from schemas.read_model import (
    CHANGES,
    FINISHED,
    MOVEMENTS,
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
from sinks.redis.keeping import Keeping
from sinks.redis.rows import levels, orders_in, views
from sinks.sink import Fact, StoreAway

TURN_KEY = "read_model:turn"
"""Whose turn it is to write: ``held:...`` while a rebuild swaps, another value after each."""

_ATOMIC_ORDERS = 100  # ~10 us each: 1 ms in which Redis answers nobody else
_TIMEOUT_S = 5.0
_pack = msgspec.msgpack.Encoder().encode
_AWAY = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, OutOfMemoryError)


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
        orders = [self._order(view) for view in views(facts, stored)]
        stock = [self._level(*at, level) for at, level in levels(facts).items()]
        parts = [orders[i : i + _ATOMIC_ORDERS] for i in range(0, len(orders), _ATOMIC_ORDERS)]
        for part in parts:
            self._call(turn or b"", part, [])
        if stock:
            self._call(turn or b"", [], stock)

    def _call(self, turn: bytes, orders: list[Any], stock: list[Any]) -> None:
        keeping = self._keeping
        batch = {
            "orders": orders,
            "levels": stock,
            "cap": keeping.orders_per_user,
            "kept": keeping.index_ms,
        }
        if self._evaluate(turn, _pack(batch)) < 0:
            raise StoreAway("the read model is being rebuilt")

    def _order(self, view: OrderView) -> tuple[Any, ...]:
        """Return what the script is told of an order."""
        prefix, about = self._prefix, (view.shop_id, view.user_id)
        is_finished = view.status in FINISHED
        return (
            prefix + order_key(view.order_no),
            view.version,
            encode(view).decode(),  # as text: Lua's MessagePack is of before there were bytes
            view.updated_at_ms + self._keeping.finished_ms if is_finished else 0,
            view.order_no,
            prefix + placed_key(*about),
            view.placed_at_ms,
            prefix + changed_key(*about),
            view.updated_at_ms,
        )

    def _level(self, sku_id: int, warehouse_id: str, level: StockLevel) -> tuple[Any, ...]:
        """Return what the script is told of a sku in a warehouse."""
        key = self._prefix + stock_key(sku_id)
        return key, level.version, warehouse_id, encode(level).decode()

    def _evaluate(self, turn: bytes, batch: bytes) -> int:
        arguments = (1, self._turn_key, turn, batch)
        if self._sha:
            try:
                return cast(int, self._redis.evalsha(self._sha, *arguments))
            except NoScriptError:  # Redis was started anew
                pass
        self._sha = self._redis.script_load(self._script)
        return cast(int, self._redis.evalsha(self._sha, *arguments))
