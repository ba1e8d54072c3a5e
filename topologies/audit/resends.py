"""Facts that were sent again after a crash, told from new ones by their cause."""

from __future__ import annotations

from collections.abc import Sequence

HEADER = "cause"
CHANNEL_BYTES = 12  # 8 of the source topic's incarnation + 4 of its partition
SHORTEST_BYTES = CHANNEL_BYTES + 10  # 8 of the source offset + at least 2 of the output index


class Resends:
    """Per partition read and channel, the highest position seen.

    A cause is the source topic's incarnation (8 bytes), partition (4), offset (8) and output index,
    all big endian, so positions on one channel compare as bytes and only grow.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], dict[bytes, bytes]] = {}
        self.count = 0

    def is_resend(self, topic: str, partition: int, cause: bytes) -> bool:
        """Tell whether the fact was seen before; remember it otherwise."""
        seen = self._seen.get((topic, partition))
        if seen is None:
            seen = self._seen[topic, partition] = {}
        channel = cause[:CHANNEL_BYTES]
        position = cause[CHANNEL_BYTES:]
        if position <= seen.get(channel, b""):
            self.count += 1
            return True
        seen[channel] = position
        return False


def cause_of(headers: Sequence[tuple[str, bytes | None]] | None) -> bytes | None:
    """Return the cause header's bytes; None when it is missing or too short to be one."""
    for name, value in headers or ():
        if name == HEADER:
            return value if value is not None and len(value) >= SHORTEST_BYTES else None
    return None
