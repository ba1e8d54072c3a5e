"""Messages of the engine itself."""

from __future__ import annotations

from schemas.record import Record


class Tick(Record, frozen=True):
    """Time passes: each inbox partition's owner appends one a second, so that timers fire."""

    sequence: int


class SeenChannel(Record, frozen=True):
    """The last output taken in from one upstream partition.

    ``channel`` is the first 12 bytes of a cause (topic incarnation and partition), ``position`` the
    last 10 (offset and output index, big endian).
    """

    channel: bytes
    position: bytes


class Progress(Record, frozen=True):
    """How far a stage partition is: written last in every checkpoint transaction.

    ``offset`` is the last applied inbox offset (-1: none), ``stream_time_ms`` the log's time.
    ``entries`` counts the state records of this checkpoint and ``checksum`` is the CRC-32 over
    their keys and values: a torn transaction does not go unnoticed.
    """

    offset: int
    stream_time_ms: int
    seen: tuple[SeenChannel, ...]
    entries: int
    checksum: int
    checkpoint: int


class SourcePosition(Record, frozen=True):
    """How far a flow is in one partition of a source: ``offset`` is the next one to take.

    ``incarnation`` is the topic's, ``event_ms`` the newest fact's time. State of the flow, written
    with it in one checkpoint.
    """

    topic: str
    partition: int
    incarnation: bytes
    offset: int
    event_ms: int
    seen: tuple[SeenChannel, ...]
