"""What the inventory stage keeps. Quantities are units, times epoch milliseconds UTC."""

from __future__ import annotations

from schemas.record import Record
from streams.reservations.records import Hold, Resource

# A delivery or a correction counts once within the window in which every client of the platform may
# repeat a request (architecture.md, idempotency towards clients): 24 h.
ENTRY_RETENTION_MS = 24 * 3600 * 1000


class Sku(Record, frozen=True):
    """Which warehouses have, or had, the sku: in the fixed order of their ids. Key: the sku id."""

    sku_id: int
    shop_id: int
    warehouses: tuple[str, ...]


class Stock(Resource, frozen=True):
    """The stock of one sku in one warehouse, as a resource. Key: ``stock_key``."""

    sku_id: int
    warehouse_id: str


class StockHold(Hold, frozen=True):
    """A hold of a sku's units for an order (``owner`` is its number). Key: the hold id.

    ``resource_id`` is the sku id in decimal; ``warehouse_id`` is where the allocation took the
    units (empty for a fence).
    """

    warehouse_id: str
    shop_id: int


class StockEntry(Record, frozen=True):
    """The memory of a delivery or correction, so that it counts once. Key: ``entry_key``."""

    command: str
    ref: str
    sku_id: int
    warehouse_id: str
    delta: int
    due_ms: int


def stock_key(sku_id: int | str, warehouse_id: str) -> str:
    """Return the key of a Stock."""
    return f"{sku_id}/{warehouse_id}"


def entry_key(command: str, sku_id: int, ref: str) -> str:
    """Return the key of a StockEntry: deliveries and corrections are numbered apart, per sku."""
    return f"{command}/{sku_id}/{ref}"
