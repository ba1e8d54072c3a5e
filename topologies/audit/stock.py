"""The laws of stock: movements per (sku, warehouse) and the lives of holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from topologies.audit.laws import NOWHERE, At, Findings, Law

Fact = Mapping[str, Any]
OPEN, DEDUCTED, RELEASED = "open", "deducted", "released"
MOVEMENTS: Final = frozenset(
    {"StockHeld", "StockDeducted", "StockReleased", "StockReceived", "StockAdjusted"}
)
REFUSALS: Final = frozenset({"StockRefused", "HoldEndRefused", "StockEntryRefused"})
FACTS: Final = MOVEMENTS | REFUSALS | {"HoldExtended", "HoldFenced"}


class Shelf:
    """The stock of one sku in one warehouse after its last movement."""

    __slots__ = ("at", "held", "on_hand", "open_qty", "sum_held", "sum_on_hand", "version")

    def __init__(self) -> None:
        self.version = self.on_hand = self.held = self.sum_on_hand = self.sum_held = 0
        self.open_qty = 0
        self.at = NOWHERE


class Hold:
    """One hold; ``end`` is open, deducted or released, ``at`` its last fact."""

    __slots__ = ("at", "end", "hold_id", "order_no", "qty", "sku_id")

    def __init__(self, hold_id: str, order_no: str, sku_id: int, qty: int, at: At) -> None:
        self.hold_id, self.order_no = hold_id, order_no
        self.sku_id, self.qty = sku_id, qty
        self.end, self.at = OPEN, at


class StockBook:
    """Takes the facts of ``inventory.events`` in the order of each partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.shelves: dict[tuple[int, str], Shelf] = {}
        self.holds: dict[str, Hold] = {}
        self.by_order: defaultdict[str, list[Hold]] = defaultdict(list)
        self.received: Counter[int] = Counter()
        self.adjusted: Counter[int] = Counter()
        self.sold: Counter[int] = Counter()
        self.last_sale: dict[int, At] = {}
        self._fenced: set[str] = set()
        self._laws: dict[str, Callable[[Fact, At], None]] = {
            "StockHeld": self._held,
            "StockDeducted": self._deducted,
            "StockReleased": self._released,
            "StockReceived": self._received,
            "StockAdjusted": self._adjusted,
            "HoldExtended": self._extended,
            "HoldFenced": self._hold_fenced,
        }

    def take(self, name: str, fact: Fact, at: At) -> None:
        """Judge one fact of a kind in FACTS; a refusal moves nothing and has nothing to judge."""
        law = self._laws.get(name)
        if law is not None:
            law(fact, at)

    def _move(self, fact: Fact, at: At, on_hand: int | None, held: int | None) -> Shelf:
        """Apply a movement that should change the shelf by these amounts (None: by any)."""
        where = (fact["sku_id"], fact["warehouse_id"])
        shelf = self.shelves.get(where)
        if shelf is None:
            shelf = self.shelves[where] = Shelf()
        version, after_on_hand, after_held = fact["version"], fact["on_hand"], fact["held"]
        delta_on_hand, delta_held = fact["delta_on_hand"], fact["delta_held"]
        broken = self._findings.broken
        if version != shelf.version + 1:
            broken(
                Law.STOCK_VERSION, _name(where), f"version {shelf.version + 1}", str(version), at
            )
        if after_on_hand != shelf.on_hand + delta_on_hand or after_held != shelf.held + delta_held:
            broken(
                Law.STOCK_BALANCE,
                _name(where),
                f"on_hand {shelf.on_hand}{delta_on_hand:+}, held {shelf.held}{delta_held:+}",
                f"on_hand {after_on_hand}, held {after_held}",
                at,
            )
        if not after_on_hand >= after_held >= 0:
            found = f"on_hand {after_on_hand}, held {after_held}"
            broken(Law.STOCK_BOUNDS, _name(where), "on_hand >= held >= 0", found, at)
        if on_hand not in (None, delta_on_hand) or held not in (None, delta_held):
            broken(
                Law.STOCK_DELTA,
                _name(where),
                f"deltas {_any(on_hand)}/{_any(held)}",
                f"{delta_on_hand:+}/{delta_held:+}",
                at,
            )
        # One error is reported once: the next movement is judged against what this one says.
        shelf.version, shelf.on_hand, shelf.held, shelf.at = version, after_on_hand, after_held, at
        shelf.sum_on_hand += delta_on_hand
        shelf.sum_held += delta_held
        return shelf

    def _held(self, fact: Fact, at: At) -> None:
        hold_id, qty = fact["hold_id"], fact["qty"]
        self._move(fact, at, 0, qty).open_qty += qty
        if qty < 1:
            self._findings.broken(Law.STOCK_DELTA, hold_id, "qty >= 1", str(qty), at)
        if hold_id in self._fenced:
            self._findings.broken(Law.HOLD_FENCED, hold_id, "no hold after its fence", "held", at)
        known = self.holds.get(hold_id)
        if known is not None:
            self._findings.broken(
                Law.HOLD_BEGINS_ONCE, hold_id, f"one begin, at {known.at}", "another begin", at
            )
            return
        hold = Hold(hold_id, fact["order_no"], fact["sku_id"], qty, at)
        self.holds[hold_id] = hold
        self.by_order[hold.order_no].append(hold)

    def _deducted(self, fact: Fact, at: At) -> None:
        qty, sku_id = fact["qty"], fact["sku_id"]
        self._move(fact, at, -qty, -qty).open_qty -= qty
        self.sold[sku_id] += qty
        self.last_sale[sku_id] = at
        self._end(fact, at, DEDUCTED)

    def _released(self, fact: Fact, at: At) -> None:
        qty = fact["qty"]
        self._move(fact, at, 0, -qty).open_qty -= qty
        self._end(fact, at, RELEASED)

    def _end(self, fact: Fact, at: At, end: str) -> None:
        hold_id = fact["hold_id"]
        hold = self.holds.get(hold_id)
        if hold is None:
            self._findings.broken(Law.HOLD_ENDS_ONCE, hold_id, "a begin first", end, at)
            return
        if hold.end != OPEN:
            found = f"{hold.end} at {hold.at}, then {end}"
            self._findings.broken(Law.HOLD_ENDS_ONCE, hold_id, "one end", found, at)
            return
        held = (hold.order_no, hold.sku_id, hold.qty)
        ended = (fact["order_no"], fact["sku_id"], fact["qty"])
        if held != ended:
            self._findings.broken(Law.STOCK_DELTA, hold_id, f"{end} as held {held}", str(ended), at)
        hold.end, hold.at = end, at

    def _received(self, fact: Fact, at: At) -> None:
        self._move(fact, at, None, 0)
        self.received[fact["sku_id"]] += fact["delta_on_hand"]
        if fact["delta_on_hand"] < 1:
            found = f"{fact['delta_on_hand']:+}"
            key = _name((fact["sku_id"], fact["warehouse_id"]))
            self._findings.broken(Law.STOCK_DELTA, key, "more than nothing received", found, at)

    def _adjusted(self, fact: Fact, at: At) -> None:
        self._move(fact, at, None, 0)
        self.adjusted[fact["sku_id"]] += fact["delta_on_hand"]

    def _extended(self, fact: Fact, at: At) -> None:
        hold = self.holds.get(fact["hold_id"])
        if hold is None or hold.end != OPEN:
            found = "extended, never begun" if hold is None else f"extended, {hold.end}"
            self._findings.broken(Law.HOLD_ENDS_ONCE, fact["hold_id"], "an open hold", found, at)

    def _hold_fenced(self, fact: Fact, at: At) -> None:
        hold_id = fact["hold_id"]
        if hold_id in self.holds:
            found = f"begun at {self.holds[hold_id].at}"
            self._findings.broken(Law.HOLD_FENCED, hold_id, "a fence before any begin", found, at)
        self._fenced.add(hold_id)

    def settle(self, findings: Findings) -> None:
        """Judge what holds at any moment over all movements read so far."""
        for where, shelf in self.shelves.items():
            sums = (shelf.sum_on_hand, shelf.sum_held, shelf.open_qty)
            amounts = (shelf.on_hand, shelf.held, shelf.held)
            if sums != amounts:
                findings.broken(
                    Law.STOCK_SUM,
                    _name(where),
                    f"on_hand {sums[0]}, held {sums[1]} by the deltas, {sums[2]} by open holds",
                    f"on_hand {shelf.on_hand}, held {shelf.held}",
                    shelf.at,
                )
        for sku_id, sold in self.sold.items():
            had = self.received[sku_id] + self.adjusted[sku_id]
            if sold > had:
                findings.broken(
                    Law.NO_OVERSELL,
                    f"sku {sku_id}",
                    f"at most {had} sold ({self.received[sku_id]} received, "
                    f"{self.adjusted[sku_id]:+} adjusted)",
                    str(sold),
                    self.last_sale[sku_id],
                )


def _name(where: tuple[int, str]) -> str:
    return f"sku {where[0]} in {where[1]}"


def _any(amount: int | None) -> str:
    return "any" if amount is None else f"{amount:+}"
