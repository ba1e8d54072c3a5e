"""Where a key goes: Java's default partitioner, librdkafka's ``murmur2_random``."""

from __future__ import annotations

from typing import cast

from aiokafka.partitioner import murmur2

_POSITIVE = 0x7FFFFFFF  # Java takes the hash without its sign


def key_hash(key: bytes) -> int:
    """Return the hash whose remainder by the number of partitions is the key's partition."""
    return cast(int, murmur2(key)) & _POSITIVE
