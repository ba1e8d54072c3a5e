"""Messages of the inventory domain.

Quantities are units of the sku, times epoch milliseconds UTC. A **movement** (StockHeld,
StockDeducted, StockReleased, StockReturned, StockReceived, StockAdjusted, StockTransferred,
StockCounted, BackorderServed) says what changed in one warehouse: ``on_hand`` and ``held`` are the
amounts after it, ``delta_on_hand`` and ``delta_held`` the change, ``available = on_hand - held``,
and ``version`` is 1, 2, 3 ... per (sku, warehouse) without a gap. A hold that takes from several
warehouses is one movement in each, all with its id.

**Backordered** units are promised beyond what there is: they are in no warehouse, and counted per
sku in ``backordered``, the amount after the fact.

The reply to whoever asked is the fact itself, sent to the asker's inbox too.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.record import Record

# --- parts ---------------------------------------------------------------------------------------


class Allocation(StrEnum):
    """Which warehouses serve a hold."""

    SINGLE_FIRST = "SINGLE_FIRST"  # the nearest that has the whole quantity
    NEAREST = "NEAREST"  # the nearest first, going on to the next when it runs out
    SPLIT = "SPLIT"  # in the fewest parcels: one that has all, else the largest stocks first


class Shortage(StrEnum):
    """What becomes of a hold of more than there is."""

    REJECT = "REJECT"
    PARTIAL = "PARTIAL"  # what there is in all warehouses is held, the rest is dropped
    BACKORDER = "BACKORDER"  # the rest is promised, up to the sku's cap


class HoldTerms(Record, frozen=True):
    """How units may be held, unless whole and from a single warehouse.

    ``warehouses`` names the nearest first; those it leaves out come after it, in the order of their
    ids.
    """

    allocation: Allocation
    shortage: Shortage
    warehouses: tuple[str, ...] = ()


class Share(Record, frozen=True):
    """Units in one warehouse."""

    warehouse_id: str
    qty: int


class Allocated(Record, frozen=True):
    """Why a hold took what it took where it did.

    ``passed_over`` are the warehouses before this one that had too little, with what they had
    available. The try asked for ``asked`` units and got ``qty`` of them: the movements of the hold
    and what was backordered, together.
    """

    allocation: Allocation
    passed_over: tuple[Share, ...]
    asked: int
    qty: int


# --- commands (inventory.commands) ---------------------------------------------------------------
# ExtendHold and what changes stock (Restock and those after it) are accepted on inventory.intents.


class TryHold(Record, frozen=True):
    """Hold ``qty`` units for ``ttl_ms``; answered by StockHeld, StockBackordered or StockRefused.

    ``terms`` of None: whole, from the first warehouse that can, else refused.
    """

    hold_id: str
    order_no: str
    shop_id: int
    user_id: int
    sku_id: int
    qty: int
    ttl_ms: int
    trace_id: str
    terms: HoldTerms | None = None


class ConfirmHold(Record, frozen=True):
    """The held units are sold, and the promised ones owed.

    Answered by StockDeducted, BackorderConfirmed or HoldEndRefused.
    """

    hold_id: str
    order_no: str
    shop_id: int
    sku_id: int
    trace_id: str


class CancelHold(Record, frozen=True):
    """Give the held and promised units back.

    Answered by StockReleased, BackorderReleased, HoldFenced or HoldEndRefused.
    """

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
    operator: str = ""


class ReturnStock(Record, frozen=True):
    """Undo a hold, whatever became of it: what was sold comes back, what is still held is released.

    ``qty`` are the units that the order knows to be deducted (0: it does not know). It counts only
    if the hold is forgotten: what is remembered of a hold tells better what was sold.
    """

    hold_id: str
    order_no: str
    shop_id: int
    user_id: int
    sku_id: int
    qty: int
    reason: str
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


class TransferStock(Record, frozen=True):
    """Move ``qty`` available units to another warehouse. ``ref`` names the document."""

    ref: str
    shop_id: int
    sku_id: int
    from_warehouse_id: str
    to_warehouse_id: str
    qty: int
    operator: str
    trace_id: str = ""


class CountStock(Record, frozen=True):
    """A stock-take: ``counted`` units are there, whatever the books say."""

    ref: str
    shop_id: int
    sku_id: int
    warehouse_id: str
    counted: int
    operator: str
    trace_id: str = ""


class SetStockRules(Record, frozen=True):
    """What may be had of a sku; both rules are replaced.

    ``buyer_limit``: units that one buyer may hold or have bought since there is a limit (0: any).
    ``backorder_cap``: units that may be promised beyond stock at a time (0: none).
    """

    ref: str
    shop_id: int
    sku_id: int
    buyer_limit: int
    backorder_cap: int
    operator: str
    trace_id: str = ""


# --- facts (inventory.events) --------------------------------------------------------------------


class StockHeld(Record, frozen=True):
    """``qty`` units are set aside until ``expires_at_ms``.

    ``allocated`` of None: the first warehouse serves the whole hold.
    """

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
    allocated: Allocated | None = None


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


class StockReturned(Record, frozen=True):
    """Sold units came back: their order was undone. They return to where they were taken from.

    When that is forgotten, to the first of the sku's warehouses.
    """

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    reason: str
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


class StockTransferred(Record, frozen=True):
    """One side of a transfer; the other is the same fact of ``other_warehouse_id``, next to it."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    ref: str
    other_warehouse_id: str
    operator: str
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class StockCounted(Record, frozen=True):
    """A stock-take: ``on_hand`` is what was counted, the delta what the books were wrong by."""

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    ref: str
    operator: str
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class StockBackordered(Record, frozen=True):
    """``qty`` units beyond stock are promised to the hold, until ``expires_at_ms``.

    The hold asked for ``asked`` units; the rest of them is held. ``cap`` is the sku's.
    """

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    asked: int
    cap: int
    backordered: int
    expires_at_ms: int
    trace_id: str


class BackorderServed(Record, frozen=True):
    """Stock came in, and ``qty`` promised units took it before anybody else could.

    They are held for the hold, or if it is confirmed (``owed``) they leave the stock at once.
    """

    sku_id: int
    warehouse_id: str
    version: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    owed: bool
    backordered: int
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int
    trace_id: str


class BackorderConfirmed(Record, frozen=True):
    """The hold is confirmed while ``qty`` of its units are promised: they are owed from now on."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    trace_id: str


class BackorderReleased(Record, frozen=True):
    """``qty`` units are promised no more."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    qty: int
    cause: ReleaseCause
    backordered: int
    trace_id: str


class BuyerCounted(Record, frozen=True):
    """Of a sku with a limit the buyer holds or has bought ``units`` after this, ``delta`` more.

    ``limit`` is the one that a positive delta was judged by (0 with a negative one).
    """

    sku_id: int
    shop_id: int
    user_id: int
    hold_id: str
    order_no: str
    limit: int
    units: int
    delta: int
    trace_id: str


class StockRulesSet(Record, frozen=True):
    """What may be had of the sku from now on; see SetStockRules."""

    sku_id: int
    shop_id: int
    ref: str
    buyer_limit: int
    backorder_cap: int
    operator: str
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
    BUYER_LIMIT = "BUYER_LIMIT"  # the buyer holds or has bought as many as one buyer may


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
    """The hold lives longer; ``operator`` is who asked for it (empty: its order)."""

    sku_id: int
    shop_id: int
    hold_id: str
    order_no: str
    expires_at_ms: int
    trace_id: str
    operator: str = ""


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
    """A change of stock was refused; nothing changed.

    ``available`` are the units that could be taken away (INSUFFICIENT and BELOW_HELD only).
    """

    sku_id: int
    shop_id: int
    warehouse_id: str
    ref: str
    command: str
    reason: StockReason
    trace_id: str
    available: int = 0
