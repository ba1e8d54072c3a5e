"""The laws of stock: movements per (sku, warehouse) and the lives of holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from topologies.audit.laws import NOWHERE, At, Findings, Law

Fact = Mapping[str, Any]
OPEN, DEDUCTED, RELEASED = "open", "deducted", "released"
MOVEMENTS: Final = frozenset(
    {
        "StockHeld",
        "StockDeducted",
        "StockReleased",
        "StockReturned",
        "StockReceived",
        "StockAdjusted",
        "StockTransferred",
        "StockCounted",
        "BackorderServed",
    }
)
PROMISES: Final = frozenset({"StockBackordered", "BackorderConfirmed", "BackorderReleased"})
REFUSALS: Final = frozenset({"StockRefused", "HoldEndRefused", "StockEntryRefused"})
OTHERS: Final = frozenset({"BuyerCounted", "StockRulesSet", "HoldExtended", "HoldFenced"})
FACTS: Final = MOVEMENTS | PROMISES | REFUSALS | OTHERS


class Shelf:
    """The stock of one sku in one warehouse after its last movement."""

    __slots__ = ("at", "held", "on_hand", "open_qty", "sum_held", "sum_on_hand", "version")

    def __init__(self) -> None:
        self.version = self.on_hand = self.held = self.sum_on_hand = self.sum_held = 0
        self.open_qty = 0
        self.at = NOWHERE


class Hold:
    """One hold; ``end`` is open, deducted or released, ``at`` its last fact.

    ``shares`` are the (warehouse, units) that are still held, ``promised`` its units beyond stock
    (owed once it is deducted), ``sold`` those that left the stock and did not come back.
    """

    __slots__ = ("at", "end", "hold_id", "order_no", "promised", "shares", "sku_id", "sold")

    def __init__(self, hold_id: str, order_no: str, sku_id: int, at: At) -> None:
        self.hold_id, self.order_no, self.sku_id = hold_id, order_no, sku_id
        self.shares: tuple[tuple[str, int], ...] = ()
        self.promised = self.sold = 0
        self.end, self.at = OPEN, at

    @property
    def taken(self) -> int:
        """Units that its order has for good: sold or owed."""
        return self.sold + (self.promised if self.end == DEDUCTED else 0)


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
        self.backordered: Counter[int] = Counter()
        self.buyers: Counter[tuple[int, int]] = Counter()
        self._moving: dict[tuple[int, str], tuple[int, At]] = {}
        self._fenced: set[str] = set()
        self._laws: dict[str, Callable[[Fact, At], None]] = {
            "StockHeld": self._held,
            "StockDeducted": self._deducted,
            "StockReleased": self._released,
            "StockReturned": self._returned,
            "StockReceived": self._received,
            "StockAdjusted": self._adjusted,
            "StockTransferred": self._transferred,
            "StockCounted": self._counted,
            "StockBackordered": self._promised,
            "BackorderServed": self._served,
            "BackorderConfirmed": self._owed,
            "BackorderReleased": self._promise_released,
            "BuyerCounted": self._buyer,
            "HoldExtended": self._extended,
            "HoldFenced": self._hold_fenced,
        }

    @property
    def owed(self) -> Counter[int]:
        """Units by sku that were sold and have yet to come in."""
        owed: Counter[int] = Counter()
        for hold in self.holds.values():
            if hold.promised and hold.end == DEDUCTED:
                owed[hold.sku_id] += hold.promised
        return owed

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
        hold_id, qty, sku_id = fact["hold_id"], fact["qty"], fact["sku_id"]
        self._move(fact, at, 0, qty).open_qty += qty
        broken = self._findings.broken
        if qty < 1:
            broken(Law.STOCK_DELTA, hold_id, "qty >= 1", str(qty), at)
        if self.backordered[sku_id]:
            expected = f"nobody before the {self.backordered[sku_id]} units promised"
            broken(Law.BACKORDER_FIRST, hold_id, expected, f"{qty} held", at)
        hold = self.holds.get(hold_id)
        if hold is None:
            hold = self._begin(fact, at)
        elif not self._may_go_on(hold, fact):
            expected = f"one begin, at {hold.at}"
            broken(Law.HOLD_BEGINS_ONCE, hold_id, expected, "another begin", at)
            return
        self._add_share(hold, fact["warehouse_id"], qty)
        why = fact.get("allocated")
        if why is not None and not sum(n for _, n in hold.shares) <= why["qty"] <= why["asked"]:
            found = f"{hold.shares} for {why['qty']}"
            broken(Law.HOLD_SHARES, hold_id, f"shares of {why['asked']} units asked", found, at)

    def _may_go_on(self, hold: Hold, fact: Fact) -> bool:
        """Tell whether ``fact`` is the share of a further warehouse."""
        elsewhere = all(fact["warehouse_id"] != warehouse_id for warehouse_id, _ in hold.shares)
        whose = (fact["order_no"], fact["sku_id"])
        mine = whose == (hold.order_no, hold.sku_id)
        return fact.get("allocated") is not None and hold.end == OPEN and elsewhere and mine

    def _begin(self, fact: Fact, at: At) -> Hold:
        hold_id = fact["hold_id"]
        if hold_id in self._fenced:
            self._findings.broken(Law.HOLD_FENCED, hold_id, "no hold after its fence", "held", at)
        hold = Hold(hold_id, fact["order_no"], fact["sku_id"], at)
        self.holds[hold_id] = hold
        self.by_order[hold.order_no].append(hold)
        return hold

    @staticmethod
    def _add_share(hold: Hold, warehouse_id: str, qty: int) -> None:
        here = sum(units for place, units in hold.shares if place == warehouse_id)
        others = tuple(share for share in hold.shares if share[0] != warehouse_id)
        hold.shares = (*others, (warehouse_id, here + qty))

    def _deducted(self, fact: Fact, at: At) -> None:
        qty, sku_id = fact["qty"], fact["sku_id"]
        self._move(fact, at, -qty, -qty).open_qty -= qty
        self._sold(sku_id, qty, at)
        hold = self._end(fact, at, DEDUCTED)
        if hold is not None:
            hold.sold += qty

    def _sold(self, sku_id: int, qty: int, at: At) -> None:
        self.sold[sku_id] += qty
        self.last_sale[sku_id] = at

    def _released(self, fact: Fact, at: At) -> None:
        qty = fact["qty"]
        self._move(fact, at, 0, -qty).open_qty -= qty
        self._end(fact, at, RELEASED)

    def _end(self, fact: Fact, at: At, end: str) -> Hold | None:
        """End the share of one warehouse; all shares of a hold end the same way."""
        hold_id = fact["hold_id"]
        hold = self.holds.get(hold_id)
        if hold is None:
            self._findings.broken(Law.HOLD_ENDS_ONCE, hold_id, "a begin first", end, at)
            return None
        if hold.end not in (OPEN, end) or not hold.shares:
            found = f"{hold.end} at {hold.at}, then {end}"
            self._findings.broken(Law.HOLD_ENDS_ONCE, hold_id, "one end", found, at)
            return None
        share = (fact["warehouse_id"], fact["qty"])
        whose = (fact["order_no"], fact["sku_id"])
        if share not in hold.shares or whose != (hold.order_no, hold.sku_id):
            expected = f"{end} as held: {hold.order_no}, {hold.sku_id}, {hold.shares}"
            self._findings.broken(Law.STOCK_DELTA, hold_id, expected, f"{whose}, {share}", at)
        hold.shares = tuple(one for one in hold.shares if one[0] != share[0])
        hold.end, hold.at = end, at
        return hold

    def _returned(self, fact: Fact, at: At) -> None:
        qty, hold_id = fact["qty"], fact["hold_id"]
        self._move(fact, at, qty, 0)
        self.sold[fact["sku_id"]] -= qty
        hold = self.holds.get(hold_id)
        sold = 0 if hold is None else hold.sold
        if not 1 <= qty <= sold:
            expected = f"1 to {sold} units returned"
            self._findings.broken(Law.HOLD_RETURNED, hold_id, expected, str(qty), at)
        if hold is not None:
            hold.sold, hold.at = sold - qty, at

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

    def _counted(self, fact: Fact, at: At) -> None:
        self._move(fact, at, None, 0)
        self.adjusted[fact["sku_id"]] += fact["delta_on_hand"]

    def _transferred(self, fact: Fact, at: At) -> None:
        self._move(fact, at, None, 0)
        where, delta = (fact["sku_id"], fact["ref"]), fact["delta_on_hand"]
        moving, _ = self._moving.pop(where, (0, at))
        if moving + delta:
            self._moving[where] = (moving + delta, at)

    # --- units beyond stock, and buyers

    def _promised(self, fact: Fact, at: At) -> None:
        hold_id, qty = fact["hold_id"], fact["qty"]
        hold = self.holds.get(hold_id)
        if hold is None:
            hold = self._begin(fact, at)
        elif hold.end != OPEN or hold.promised:
            found = f"promised, {hold.end}"
            self._findings.broken(Law.HOLD_BEGINS_ONCE, hold_id, "one promise", found, at)
        self._backorder(fact, at, qty)
        hold.promised += qty
        if fact["backordered"] > fact["cap"]:
            expected = f"at most {fact['cap']} promised"
            self._findings.broken(
                Law.BACKORDER_CAP, _sku(fact), expected, str(fact["backordered"]), at
            )
        held = sum(units for _, units in hold.shares)
        if held + qty != fact["asked"]:
            expected, found = f"{fact['asked']} units asked", f"{held} held, {qty} promised"
            self._findings.broken(Law.HOLD_SHARES, hold_id, expected, found, at)

    def _served(self, fact: Fact, at: At) -> None:
        qty, hold_id = fact["qty"], fact["hold_id"]
        owed = fact["owed"]
        shelf = self._move(fact, at, -qty if owed else 0, 0 if owed else qty)
        self._backorder(fact, at, -qty)
        hold = self._with_promise(fact, at, qty)
        if hold is None:
            return
        if owed != (hold.end == DEDUCTED):
            expected = "owed units of a deducted hold, or held ones of an open hold"
            self._findings.broken(Law.BACKORDER_BALANCE, hold_id, expected, hold.end, at)
        if owed:
            hold.sold += qty
            self._sold(hold.sku_id, qty, at)
        else:
            shelf.open_qty += qty
            self._add_share(hold, fact["warehouse_id"], qty)

    def _owed(self, fact: Fact, at: At) -> None:
        hold = self.holds.get(fact["hold_id"])
        if hold is None or hold.promised != fact["qty"] or hold.shares or hold.end == RELEASED:
            found = f"{fact['qty']} owed"
            expected = "the promised units of a hold, with its shares deducted"
            self._findings.broken(Law.BACKORDER_BALANCE, fact["hold_id"], expected, found, at)
        if hold is not None:
            hold.end, hold.at = DEDUCTED, at

    def _promise_released(self, fact: Fact, at: At) -> None:
        self._backorder(fact, at, -fact["qty"])
        hold = self._with_promise(fact, at, fact["qty"])
        if hold is not None and hold.end == OPEN:
            hold.end, hold.at = RELEASED, at

    def _with_promise(self, fact: Fact, at: At, qty: int) -> Hold | None:
        """Take ``qty`` from the promise of the fact's hold."""
        hold = self.holds.get(fact["hold_id"])
        promised = 0 if hold is None else hold.promised
        if qty > promised:
            expected = f"at most {promised} units, as promised"
            self._findings.broken(Law.BACKORDER_BALANCE, fact["hold_id"], expected, str(qty), at)
        if hold is not None:
            hold.promised -= qty
        return hold

    def _backorder(self, fact: Fact, at: At, delta: int) -> None:
        before, after = self.backordered[fact["sku_id"]], fact["backordered"]
        if after != before + delta or after < 0:
            expected = f"backordered {before}{delta:+}, not below 0"
            self._findings.broken(Law.BACKORDER_BALANCE, _sku(fact), expected, str(after), at)
        self.backordered[fact["sku_id"]] = after

    def _buyer(self, fact: Fact, at: At) -> None:
        buyer = (fact["sku_id"], fact["user_id"])
        before, delta, after = self.buyers[buyer], fact["delta"], fact["units"]
        key = f"buyer {buyer[1]} of {_sku(fact)}"
        if after != before + delta or after < 0:
            expected = f"units {before}{delta:+}, not below 0"
            self._findings.broken(Law.BUYER_LIMIT, key, expected, str(after), at)
        if delta > 0 and after > fact["limit"]:
            expected = f"at most {fact['limit']} units"
            self._findings.broken(Law.BUYER_LIMIT, key, expected, str(after), at)
        self.buyers[buyer] = after

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

    def settle_at_rest(self, findings: Findings) -> None:
        """Judge what holds when both sides of every transfer are told."""
        for (sku_id, ref), (moving, at) in self._moving.items():
            expected, found = f"transfer {ref} conserves the sum", f"{moving:+} units"
            findings.broken(Law.TRANSFER_SUM, f"sku {sku_id}", expected, found, at)


def _name(where: tuple[int, str]) -> str:
    return f"sku {where[0]} in {where[1]}"


def _sku(fact: Fact) -> str:
    return f"sku {fact['sku_id']}"


def _any(amount: int | None) -> str:
    return "any" if amount is None else f"{amount:+}"
