"""Builds the read model anew beside the one that is read, and puts it in its place.

In this order (``topologies/rebuilding.py`` does it):

1. Write all facts that Kafka has now under a prefix of their own. Meanwhile everything goes on.
2. **Hold** the sink: what it writes is refused, it takes the store for away, and tries again later.
3. Write the facts that came meanwhile. Now the new one is at least as far as the old one.
4. **Swap**, key by key: each is replaced at once, so a reader sees an order as it was or as it is.
5. **Release** the sink. It goes on from what it has committed; what is newer than that stands.

Dying on the way leaves keys of both, each of them right: the hold runs out by itself, and the next
rebuild starts over. What Kafka does not have any more is kept as it is: orders without facts, and
those whose first facts are gone.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import redis

from schemas.read_model import decode_order
from sinks.redis.keeping import Keeping
from sinks.redis.sink import TURN_KEY, RedisSink
from sinks.sink import Fact

_LEASE_MS = 30_000  # renewed with every batch; what a rebuild that died costs in freshness
_CHUNK_KEYS = 500


class RebuildLost(Exception):
    """Another rebuild runs, or this one stood still for too long: start over."""


class Rebuild:
    """A second read model in the Redis at ``url``; ``prefix`` is before all keys of both.

    Raises RebuildLost, as do its methods, when another one runs.
    """

    def __init__(self, url: str, keeping: Keeping | None = None, prefix: str = "") -> None:
        self._keeping = keeping or Keeping()
        self._old, self._new = prefix, f"rebuild:{prefix}"
        self._redis = redis.Redis.from_url(url)
        self._sink = RedisSink(url, self._keeping, self._new)
        token = secrets.token_hex(8)
        self._released = token
        self._leases = {f"{self._new}lease": token}
        if not self._redis.set(f"{self._new}lease", token, nx=True, px=_LEASE_MS):
            raise RebuildLost(f"another rebuild runs, or ended less than {_LEASE_MS // 1000} s ago")
        self._forget()

    def write(self, facts: Sequence[Fact]) -> None:
        """Write to the new one; StoreAway as any sink."""
        self._renew()
        self._sink.write(facts)

    def hold(self) -> None:
        """Keep the sink from writing."""
        self._leases[self._old + TURN_KEY] = held = f"held:{self._released}"
        self._redis.set(self._old + TURN_KEY, held, px=_LEASE_MS)

    def swap(self) -> int:
        """Put every key of the new one in the place of the old one's; return how many.

        When it raises, some keys are swapped and the others are not.
        """
        swaps: dict[str, Callable[[list[bytes]], None]] = {
            "order": self._swap_orders,
            "stock": self._swap_stock,
            "orders": self._swap_indexes,
            "changed": self._swap_indexes,
        }
        swapped = 0
        for kind, swap in swaps.items():
            for keys in self._keys(kind):
                self._renew()
                swap(keys)
                swapped += len(keys)
        return swapped

    def close(self) -> None:
        """Let the sink write again (what it read before the hold it reads again); forget the new.

        A rebuild that was lost leaves everything to who has it now.
        """
        with contextlib.suppress(RebuildLost):
            self._renew()
            if self._old + TURN_KEY in self._leases:
                self._redis.set(self._old + TURN_KEY, self._released)
            self._forget()
            self._redis.delete(f"{self._new}lease")
        self._sink.close()
        self._redis.close()

    def _renew(self) -> None:
        for key, value in self._leases.items():
            if self._redis.get(key) != value.encode():
                raise RebuildLost("another rebuild runs, or this one stood still: start it again")
            self._redis.pexpire(key, _LEASE_MS)

    def _swap_orders(self, keys: list[bytes]) -> None:
        """Replace views; one without its placement gives way to one that is there."""
        found = cast(list[bytes | None], self._redis.mget(keys))
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, value in zip(keys, found, strict=True):
                if value is not None:  # it may have expired
                    is_whole = decode_order(value).is_whole
                    (pipeline.rename if is_whole else pipeline.renamenx)(key, self._place(key))
            pipeline.execute(raise_on_error=False)  # it may expire any time

    def _swap_stock(self, keys: list[bytes]) -> None:
        for key in keys:
            levels = cast(dict[Any, Any], self._redis.hgetall(key))
            if levels:
                self._redis.hset(self._place(key), mapping=levels)

    def _swap_indexes(self, keys: list[bytes]) -> None:
        """Keep what only the old one knows: orders that Kafka has forgotten."""
        for key in keys:
            old = self._place(key)
            expiries = (self._redis.pexpiretime(name.decode()) for name in (key, old))
            expires_at_ms = max(expiries)
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.zunionstore(old, (old, key), aggregate="MAX")
                pipeline.zremrangebyrank(old, 0, -self._keeping.orders_per_user - 1)
                pipeline.pexpireat(old, expires_at_ms)
                pipeline.execute()

    def _place(self, key: bytes) -> bytes:
        return self._old.encode() + key.removeprefix(self._new.encode())

    def _keys(self, kind: str) -> Iterator[list[bytes]]:
        """Yield the new one's keys of a kind, some at a time."""
        chunk: list[bytes] = []
        for key in self._redis.scan_iter(f"{self._new}{kind}:*", count=_CHUNK_KEYS):
            chunk.append(key)
            if len(chunk) == _CHUNK_KEYS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _forget(self) -> None:
        for kind in ("order", "stock", "orders", "changed"):
            for keys in self._keys(kind):
                self._redis.delete(*keys)
