"""The cause of a record: which inbox record made it, and as which of its outputs.

24 bytes, big endian: 8 of the source topic's incarnation (the first half of Kafka's topic id, so a
topic that was deleted and made again is another source), 4 partition, 8 offset, 4 output index. The
first 12 name the **channel**, the last 12 the **position** on it; positions compare as bytes. On
one channel positions only grow, so whatever is not above the highest seen was sent again after a
crash.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER = "cause"
CHANNEL_BYTES = 12

_CHANNEL = struct.Struct(">8sI")
_POSITION = struct.Struct(">QI")
pack_position = _POSITION.pack


def channel(incarnation: bytes, partition: int) -> bytes:
    """Return the channel of a source partition; ``incarnation`` has 8 bytes."""
    return _CHANNEL.pack(incarnation, partition)


class Cause(NamedTuple):
    """A cause, taken apart for people."""

    incarnation: bytes
    partition: int
    offset: int
    output: int


def parse(value: bytes) -> Cause:
    """Take a cause apart; raise struct.error when it is not 24 bytes long."""
    return Cause(*_CHANNEL.unpack(value[:CHANNEL_BYTES]), *_POSITION.unpack(value[CHANNEL_BYTES:]))
