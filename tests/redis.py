"""All that a Redis holds under a prefix, in a form that can be compared."""

from __future__ import annotations

from typing import Any, cast

import redis


def dump(url: str, prefix: str = "") -> dict[str, Any]:
    """Return by key, less ``prefix``: its value as bytes, and when it expires (epoch ms)."""
    with redis.Redis.from_url(url) as client:
        keys = sorted(client.scan_iter(f"{prefix}*"))
        return {key.decode().removeprefix(prefix): _entry(client, key) for key in keys}


def _entry(client: redis.Redis, key: bytes) -> Any:
    reads = {b"string": _string, b"hash": _hash, b"zset": _sorted_set}
    kind = cast(bytes, client.type(key))
    return reads[kind](client, key), client.pexpiretime(key.decode())


def _string(client: redis.Redis, key: bytes) -> Any:
    return client.get(key)


def _hash(client: redis.Redis, key: bytes) -> Any:
    return client.hgetall(key)


def _sorted_set(client: redis.Redis, key: bytes) -> Any:
    return client.zrange(key, 0, -1, withscores=True)
