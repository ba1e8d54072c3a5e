"""How long and how much the read model keeps."""

from __future__ import annotations

from dataclasses import dataclass

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Keeping:
    """How long and how much is kept. Older orders are the ledger's to show."""

    finished_ms: int = 7 * _DAY_MS
    """A view after the order's end: as long as Kafka keeps the facts."""
    index_ms: int = 90 * _DAY_MS
    """The indexes of a user after its newest order was placed."""
    orders_per_user: int = 1_000
    """In each of a user's indexes."""
