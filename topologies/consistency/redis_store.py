"""The read model in Redis, as far as parts of it are written anew."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from schemas.read_model import order_key, stock_key
from schemas.record import Record
from sinks.redis.sink import RedisSink
from sinks.sink import Fact


class RedisStore:
    """The read model at ``redis://...``."""

    records: frozenset[type[Record]] = RedisSink.records

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self._sink = RedisSink(url)

    def forget(self, orders: Sequence[str], skus: Sequence[int]) -> None:
        """Delete the views of ``orders`` and the levels of ``skus``; raises redis.RedisError."""
        keys = [*map(order_key, orders), *map(stock_key, skus)]
        if keys:
            self._client.delete(*keys)

    def write(self, facts: Sequence[Fact]) -> None:
        """Write facts; raises StoreAway."""
        self._sink.write(facts)

    def close(self) -> None:
        """Close the connections."""
        self._sink.close()
        self._client.close()
