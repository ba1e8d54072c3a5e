"""Messages of the inventory domain.

Quantities are units of the sku, times epoch milliseconds UTC. A **movement** (StockHeld,
StockDeducted, StockReleased, StockReceived, StockAdjusted) says what changed in one warehouse:
``on_hand`` and ``held`` are the amounts after it, ``delta_on_hand`` and ``delta_held`` the change,
``available = on_hand - held``, and ``version`` is 1, 2, 3 ... per (sku, warehouse) without a gap.

The reply to whoever asked is the fact itself, sent to the asker's inbox too.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.record import Record

# --- commands (inventory.commands); Restock and AdjustStock are accepted on inventory.intents too -


class TryHold(Record, frozen=True):
    """Hold ``qty`` units for ``ttl_ms``; answered by StockHeld or StockRefused."""

    hold_id: str
    order_no: str
    shop_id: int
    user_id: int
    sku_id: int
    qty: int
    ttl_ms: int
    trace_id: str


class ConfirmHold(Record, frozen=True):
    """The held units are sold; answered by StockDeducted or HoldEndRefused."""

    hold_id: str
    order_no: str
    shop_id: int
    sku_id: int
    trace_id: str


class CancelHold(Record, frozen=True):
    """Give the held units back; answered by StockReleased, HoldFenced or HoldEndRefused."""

    hold_id: str
    order_no: str
    shop_id: int
    sku_id: int
    reason: str
    trace_id: str


class ExtendHold(Record, frozen=True):
    """Let the hold live ``ttl_ms`` from now; answered by HoldExtended or HoldEndRefused."""

    hold_id: str
    order_no: str
    shop_id: int
    sku_id: int
    ttl_ms: int
    trace_id: str


class Restock(Record, frozen=True):
    """Goods arrived. ``ref`` names the delivery: the same ref never counts twice."""

    ref: str
    shop_id: int
    sku_id: int
    warehouse_id: str
    qty: int
    trace_id: str = ""


class AdjustStock(Record, frozen=True):
    """A correction of on-hand stock by ``delta`` units. ``ref`` names the document."""

    ref: str
    shop_id: int
    sku_id: int
    warehouse_id: str
    delta: int
    reason: str
    trace_id: str = ""


# --- facts (inventory.events) --------------------------------------------------------------------


class StockHeld(Record, frozen=True):
    """``qty`` units are set aside until ``expires_at_ms``."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    expires_at_ms: int
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class StockDeducted(Record, frozen=True):
    """The held units left the stock: they are sold."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class ReleaseCause(StrEnum):
    """Why held units were given back."""

    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class StockReleased(Record, frozen=True):
    """The held units are available again."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    cause: ReleaseCause
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class StockReceived(Record, frozen=True):
    """Goods arrived."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    ref: str
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class StockAdjusted(Record, frozen=True):
    """On-hand stock was corrected."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    ref: str
    reason: str
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class StockReason(StrEnum):
    """Why a try or an end of a hold, or an entry, was refused."""

    INSUFFICIENT = "INSUFFICIENT"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    FENCED = "FENCED"  # the cancel came before the try
    CONFLICT = "CONFLICT"  # same id, other body
    HOLD_EXPIRED = "HOLD_EXPIRED"
    ALREADY_CONFIRMED = "ALREADY_CONFIRMED"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    UNKNOWN_HOLD = "UNKNOWN_HOLD"
    BELOW_HELD = "BELOW_HELD"  # the correction would leave less on hand than is held


class StockRefused(Record, frozen=True):
    """A try was refused: nothing changed. ``available`` is what could have been held."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    requested: int
    available: int
    reason: StockReason
    trace_id: str


class HoldExtended(Record, frozen=True):
    """The hold lives longer."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    expires_at_ms: int
    trace_id: str


class HoldFenced(Record, frozen=True):
    """A cancel came before its try: a late try will be refused, nothing was held."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    trace_id: str


class HoldEndRefused(Record, frozen=True):
    """A confirm, cancel or extend was refused: the hold had ended otherwise or never was."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    command: str
    reason: StockReason
    trace_id: str


class StockEntryRefused(Record, frozen=True):
    """A restock or a correction was refused; nothing changed."""

    sku_id: int
    shop_id: int
    warehouse_id: str
    ref: str
    command: str
    reason: StockReason
    trace_id: str
