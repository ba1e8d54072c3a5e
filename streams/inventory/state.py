"""What the inventory stage keeps. Quantities are units, times epoch milliseconds UTC."""

from __future__ import annotations

from schemas.inventory import Allocated, Share
from schemas.record import Record
from streams.reservations.records import Hold, Resource

# A delivery or a correction counts once within the window in which every client of the platform may
# repeat a request (architecture.md, idempotency towards clients): 24 h.
ENTRY_RETENTION_MS = 24 * 3600 * 1000


class Sku(Record, frozen=True):
    """Which warehouses have, or had, the sku: in the fixed order of their ids. Key: the sku id.

    ``buyer_limit`` and ``backorder_cap`` are its rules, 0: none. ``backordered`` units are promised
    beyond stock, to the holds in the places from ``backlog_first`` to before ``backlog_next``.
    """

    sku_id: int
    shop_id: int
    warehouses: tuple[str, ...]
    buyer_limit: int = 0
    backorder_cap: int = 0
    backordered: int = 0
    backlog_first: int = 0
    backlog_next: int = 0


class Stock(Resource, frozen=True):
    """The stock of one sku in one warehouse, as a resource. Key: ``stock_key``."""

    sku_id: int
    warehouse_id: str


class HoldPlan(Record, frozen=True):
    """What is out of the ordinary about a hold.

    ``shares`` are its units in each warehouse. ``backordered`` are those promised, which wait at
    ``place`` of the sku's backlog; once the hold is confirmed they are owed. ``allocated`` is why
    (None: the first warehouse served the whole), ``user_id`` whose limit it counts against (0:
    nobody's).
    """

    allocated: Allocated | None
    shares: tuple[Share, ...]
    backordered: int = 0
    place: int = 0
    user_id: int = 0


class StockHold(Hold, frozen=True):
    """A hold of a sku's units for an order (``owner`` is its number). Key: the hold id.

    ``resource_id`` is the sku id in decimal; ``warehouse_id`` is where the allocation took the
    units (empty: nowhere, for a fence or promised units). ``plan`` of None: all of ``amount`` is
    there, and nothing else has to be known.
    """

    warehouse_id: str
    shop_id: int
    plan: HoldPlan | None = None


class StockEntry(Record, frozen=True):
    """The memory of a change of stock, so that it counts once. Key: ``entry_key``.

    ``warehouse_id``, ``delta`` (the quantity that it names) and ``other`` are its body: the same
    ref with another body is a conflict.
    """

    command: str
    ref: str
    sku_id: int
    warehouse_id: str
    delta: int
    due_ms: int
    other: str = ""


class Backorder(Record, frozen=True):
    """Who waits at a place of a sku's backlog. Key: ``backorder_key``."""

    hold_id: str


class BuyerUnits(Record, frozen=True):
    """Units of a sku with a limit that a buyer holds or has bought. Key: ``buyer_key``."""

    units: int


def stock_key(sku_id: int | str, warehouse_id: str) -> str:
    """Return the key of a Stock."""
    return f"{sku_id}/{warehouse_id}"


def entry_key(command: str, sku_id: int, ref: str) -> str:
    """Return the key of a StockEntry: each kind of command is numbered apart, per sku."""
    return f"{command}/{sku_id}/{ref}"


def backorder_key(sku_id: int, place: int) -> str:
    """Return the key of a Backorder."""
    return f"{sku_id}/{place}"


def buyer_key(sku_id: int, user_id: int) -> str:
    """Return the key of a BuyerUnits."""
    return f"{sku_id}/{user_id}"
