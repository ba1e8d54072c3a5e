"""What goes in and out of a fold: inbox records and the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class InboxRecord(Protocol):
    """A record as a consumer hands it over (aiokafka's ConsumerRecord is one)."""

    @property
    def offset(self) -> int:
        """Offset in the inbox partition."""

    @property
    def timestamp(self) -> int:
        """Log-append time in epoch milliseconds."""

    @property
    def key(self) -> bytes | None:
        """The entity id in UTF-8."""

    @property
    def value(self) -> bytes | None:
        """Confluent wire format."""

    @property
    def headers(self) -> Headers:
        """Kafka headers."""


class StoredRecord(NamedTuple):
    """An InboxRecord as a plain value."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Outbox(Protocol):
    """Where outputs go, at once and in order per destination partition."""

    def __call__(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Append a record to ``topic``; must keep the order of calls per destination partition."""
