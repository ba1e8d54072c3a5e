"""The inventory stage on the engine's state in memory, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.inventory import (
    AdjustStock,
    Allocated,
    CancelHold,
    ConfirmHold,
    CountStock,
    ExtendHold,
    HoldTerms,
    ReleaseCause,
    Restock,
    ReturnStock,
    SetStockRules,
    StockDeducted,
    StockHeld,
    StockReason,
    StockRefused,
    StockReleased,
    TransferStock,
    TryHold,
)
from schemas.record import Record
from schemas.topics import INVENTORY_EVENTS, ORDER_COMMANDS
from streams.engine.store import MemoryStore, PartitionState
from streams.inventory.stage import inventory_stage
from streams.inventory.state import Stock, StockHold

SKU, SHOP, TRACE = 1001, 7, "0af7651916cd43dd8448eb211c80319c"
BUYER, OPERATOR = 5, "ada"
START_MS = 1_790_000_000_000
TTL_MS = 60_000


class Warehouse:
    """Applies messages as the fold does: due timers first, then decide, evolve, react."""

    def __init__(self) -> None:
        self.stage = inventory_stage()
        self.store = MemoryStore(self.stage.entities)
        self.state = PartitionState(self.store, self.stage.entities)
        self.now_ms = START_MS
        self.published: list[Record] = []  # inventory.events
        self.answered: list[Record] = []  # order.commands

    def send(self, *messages: Record) -> list[Record]:
        """Apply messages now; return what the last one made the stage say, on any topic."""
        said: list[Record] = []
        for message in messages:
            said = self._tell(self.stage.decide(self.state, message, self.now_ms))
        return said

    def wait(self, ms: int) -> list[Record]:
        """Let time pass in one step; serve the timers; return what that made the stage say."""
        self.now_ms += ms
        said: list[Record] = []
        while (due := self.state.next_due(self.now_ms)) is not None:
            said += self._tell(self.stage.wake(self.state, due[1], self.now_ms))
        return said

    def _tell(self, facts: Sequence[Record]) -> list[Record]:
        said: list[Record] = []
        for fact in facts:
            self.stage.evolve(self.state, fact, self.now_ms)
            for topic, key, message in self.stage.react(self.state, fact):
                if topic == INVENTORY_EVENTS.name:
                    assert key == str(message.sku_id)  # type: ignore[attr-defined]  # all have it
                    self.published.append(message)
                else:
                    assert topic == ORDER_COMMANDS.name
                    assert key == message.order_no  # type: ignore[attr-defined]  # replies have it
                    self.answered.append(message)
                if message not in said:
                    said.append(message)
        return said

    def stock(self, warehouse_id: str = "east", sku_id: int = SKU) -> tuple[int, int, int]:
        """Return (version, on_hand, held)."""
        stock = self.state.get(Stock, f"{sku_id}/{warehouse_id}")
        return (stock.version, stock.on_hand, stock.held) if stock else (0, 0, 0)

    def hold(self, hold_id: str = "h1") -> StockHold | None:
        return self.state.get(StockHold, hold_id)

    def forget_what_was_said(self) -> None:
        self.published.clear()
        self.answered.clear()

    def kept(self, *kinds: type[Record]) -> list[Record]:
        """Return the state records of some kinds (default: all)."""
        kinds = kinds or self.stage.entities
        return [record for kind in kinds for _, record in self.store.table(kind).items()]


def stocked(*, east: int = 10, west: int = 0) -> Warehouse:
    """Return a warehouse in which deliveries were made, and nothing said since."""
    warehouse = Warehouse()
    for warehouse_id, qty in (("east", east), ("west", west)):
        if qty:
            warehouse.send(restock(qty, warehouse_id, ref=f"first {warehouse_id}"))
    warehouse.forget_what_was_said()
    return warehouse


def restock(
    qty: int, warehouse_id: str = "east", ref: str = "d1", shop_id: int = SHOP, sku_id: int = SKU
) -> Restock:
    return Restock(ref, shop_id, sku_id, warehouse_id, qty, TRACE)


def adjust(delta: int, warehouse_id: str = "east", ref: str = "c1") -> AdjustStock:
    return AdjustStock(ref, SHOP, SKU, warehouse_id, delta, "count", TRACE)


def try_(
    qty: int = 3,
    hold_id: str = "h1",
    order_no: str = "o1",
    ttl_ms: int = TTL_MS,
    sku_id: int = SKU,
    shop_id: int = SHOP,
    terms: HoldTerms | None = None,
    user_id: int = BUYER,
) -> TryHold:
    return TryHold(hold_id, order_no, shop_id, user_id, sku_id, qty, ttl_ms, TRACE, terms)


def confirm(hold_id: str = "h1", order_no: str = "o1", sku_id: int = SKU) -> ConfirmHold:
    return ConfirmHold(hold_id, order_no, SHOP, sku_id, TRACE)


def cancel(hold_id: str = "h1", order_no: str = "o1", sku_id: int = SKU) -> CancelHold:
    return CancelHold(hold_id, order_no, SHOP, sku_id, "changed my mind", TRACE)


def extend(
    ttl_ms: int,
    hold_id: str = "h1",
    order_no: str = "o1",
    sku_id: int = SKU,
    shop_id: int = SHOP,
    operator: str = "",
) -> ExtendHold:
    return ExtendHold(hold_id, order_no, shop_id, sku_id, ttl_ms, TRACE, operator)


def give_back(
    qty: int = 0, hold_id: str = "h1", order_no: str = "o1", sku_id: int = SKU
) -> ReturnStock:
    return ReturnStock(hold_id, order_no, SHOP, BUYER, sku_id, qty, "HOLD_LOST", TRACE)


def transfer(
    qty: int, source: str = "east", target: str = "west", ref: str = "t1", sku_id: int = SKU
) -> TransferStock:
    return TransferStock(ref, SHOP, sku_id, source, target, qty, OPERATOR, TRACE)


def count(counted: int, warehouse_id: str = "east", ref: str = "s1") -> CountStock:
    return CountStock(ref, SHOP, SKU, warehouse_id, counted, OPERATOR, TRACE)


def rules(
    buyer_limit: int = 0, backorder_cap: int = 0, ref: str = "r1", sku_id: int = SKU
) -> SetStockRules:
    return SetStockRules(ref, SHOP, sku_id, buyer_limit, backorder_cap, OPERATOR, TRACE)


# --- facts about the hold h1 of the order o1, made at the start ----------------------------------


def held(
    qty: int = 3,
    *,
    on_hand: int = 10,
    version: int = 2,
    hold_id: str = "h1",
    order_no: str = "o1",
    warehouse_id: str = "east",
    held: int | None = None,
    allocated: Allocated | None = None,
) -> StockHeld:
    """Return the fact of a hold; by default it is the first in its warehouse."""
    return StockHeld(
        sku_id=SKU,
        warehouse_id=warehouse_id,
        version=version,
        shop_id=SHOP,
        hold_id=hold_id,
        order_no=order_no,
        qty=qty,
        expires_at_ms=START_MS + TTL_MS,
        on_hand=on_hand,
        held=qty if held is None else held,
        delta_on_hand=0,
        delta_held=qty,
        trace_id=TRACE,
        allocated=allocated,
    )


def deducted(
    qty: int = 3, *, on_hand: int = 7, version: int = 3, warehouse_id: str = "east"
) -> StockDeducted:
    """Return the fact of the hold's confirm in a warehouse where nothing else is held."""
    return StockDeducted(
        SKU, warehouse_id, version, SHOP, "h1", "o1", qty, on_hand, 0, -qty, -qty, TRACE
    )


def released(
    qty: int = 3,
    cause: ReleaseCause = ReleaseCause.CANCELLED,
    *,
    on_hand: int = 10,
    version: int = 3,
    warehouse_id: str = "east",
) -> StockReleased:
    """Return the fact of the hold's other end in a warehouse where nothing else is held."""
    return StockReleased(
        SKU, warehouse_id, version, SHOP, "h1", "o1", qty, cause, on_hand, 0, 0, -qty, TRACE
    )


def refused(
    reason: StockReason,
    available: int = 0,
    qty: int = 3,
    sku_id: int = SKU,
    shop_id: int = SHOP,
    hold_id: str = "h1",
    order_no: str = "o1",
) -> StockRefused:
    return StockRefused(sku_id, shop_id, hold_id, order_no, qty, available, reason, TRACE)
