"""What recorded orders would have cost under a draft pack, beside what they did cost.

Each order is priced again from its own list prices, once by the pack that it was priced by and
once by the draft, for the same buyer at the same moment; without a pack it costs what is recorded.
Orders are taken as they were placed, and each side counts what its own rules claim: an order that
finds nothing left of a budget, a quota or a coupon would have been refused, and its money is told
apart. Every placed order counts, whatever became of it later.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.codec import Codec
from schemas.order import CartLine, OrderPaid, OrderPlaced
from schemas.promotion import RulePack
from schemas.topics import ORDER_EVENTS
from streams.pricing import (
    Cart,
    CompiledPack,
    Coupon,
    ListPrice,
    Member,
    PricedCart,
    Shopper,
    compile_pack,
    price,
)
from streams.pricing.outcome import Claim, ClaimKind
from streams.pricing.packs import pin_of
from topologies.replay.log import RecordedLog, records, spared

Progress = Callable[[int, int], None]
"""Told (done, total)."""

EXTREMES = 10
"""Winners and losers that are named."""

_PROMOTION = "promotion"  # kind of a hold of what can run out
_COUPON = "coupon:"  # its resource: coupon:SHOP/CODE
_BUYERS = ((0, "first order"), (1, "second order"), (5, "3 to 5"), (2**63, "6 and more"))
"""By orders paid before: up to which number, and what they are called."""


@dataclass(frozen=True)
class History:
    """Recorded placements by their time, and when each buyer paid: (shop, user) -> epoch ms."""

    orders: Sequence[OrderPlaced]
    paid: Mapping[tuple[int, int], Sequence[int]]


class Moved(NamedTuple):
    """An order that would have cost something else; ``rules`` are those of the draft."""

    order_no: str
    before_fen: int
    after_fen: int
    rules: tuple[str, ...]

    @property
    def difference_fen(self) -> int:
        """Return what the shop would have taken more (less: negative)."""
        return self.after_fen - self.before_fen


class Declined(NamedTuple):
    """An order that finds nothing left of a resource."""

    order_no: str
    resource_id: str
    total_fen: int


@dataclass
class Report:
    """What the draft would have changed. All money is in fen; less for the shop is negative.

    ``by_rule`` is what each rule takes off less, ``by_rules`` the difference of the orders in which
    the draft's rules stand together. ``burned`` has for each budget (epoch ms, fen used so far);
    ``astray`` counts orders that their own pack prices otherwise than was recorded.
    """

    draft: str
    orders: int = 0
    changed: int = 0
    before_fen: int = 0
    after_fen: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    by_rules: Counter[tuple[str, ...]] = field(default_factory=Counter)
    by_category: Counter[str] = field(default_factory=Counter)
    by_buyer: Counter[str] = field(default_factory=Counter)
    winners: list[Moved] = field(default_factory=list)
    losers: list[Moved] = field(default_factory=list)
    refused: list[Declined] = field(default_factory=list)
    burned: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    capacities: dict[str, int] = field(default_factory=dict)
    over_time: dict[int, int] = field(default_factory=dict)
    astray: int = 0

    @property
    def difference_fen(self) -> int:
        """Return what the shop would have taken more."""
        return self.after_fen - self.before_fen


def history(
    log: RecordedLog,
    codec: Codec,
    shop_id: int,
    since_ms: int | None,
    until_ms: int | None,
    progress: Progress,
) -> History:
    """Read the orders of a shop that were placed from ``since_ms`` until before ``until_ms``."""
    total = sum(span.end for span in log.spans([ORDER_EVENTS.name]).values())
    orders: dict[str, OrderPlaced] = {}
    paid: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    done = 0
    with spared():
        for batch in records(log, [ORDER_EVENTS.name]):
            for found in batch.values():
                done += len(found)
                for record in found:
                    fact = codec.decode(record.value)
                    if isinstance(fact, OrderPaid):
                        paid[fact.shop_id, fact.user_id].append(fact.paid_at_ms)
                    elif isinstance(fact, OrderPlaced) and fact.shop_id == shop_id:
                        orders.setdefault(fact.order_no, fact)
            progress(done, total)
    for times in paid.values():
        times.sort()
    wanted = [
        order
        for order in orders.values()
        if (since_ms is None or order.placed_at_ms >= since_ms)
        and (until_ms is None or order.placed_at_ms < until_ms)
    ]
    wanted.sort(key=lambda order: (order.placed_at_ms, order.order_no))
    return History(wanted, paid)


class WhatIf:
    """Prices orders by a draft beside the pack of each.

    ``packs`` are the published versions by ``pack_id@version``; ``against`` is taken in their place
    for every order. ``categories`` are those of the goods, by sku.
    """

    def __init__(
        self,
        draft: RulePack,
        packs: Mapping[str, RulePack],
        categories: Mapping[int, str],
        against: RulePack | None = None,
    ) -> None:
        self._draft = _Side(compile_pack(draft))
        self._packs = packs
        self._against = _Side(compile_pack(against)) if against is not None else None
        self._sides: dict[str, _Side | None] = {"": None}
        self._prices = _Recorded(categories)
        self._moved: list[Moved] = []
        self.report = Report(draft=pin_of(draft))

    def run(self, past: History, progress: Progress) -> Report:
        """Price all orders and return what would have been different."""
        total = len(past.orders)
        with spared():
            for done, order in enumerate(past.orders, 1):
                buyer = past.paid.get((order.shop_id, order.user_id), ())
                self._take(order, bisect_left(buyer, order.placed_at_ms))
                if not done % 100 or done == total:
                    progress(done, total)
        report = self.report
        self._moved.sort(key=lambda moved: (moved.difference_fen, moved.order_no))
        report.winners = [one for one in self._moved[:EXTREMES] if one.difference_fen < 0]
        losers = [one for one in self._moved[::-1][:EXTREMES] if one.difference_fen > 0]
        report.losers = losers
        report.burned = self._draft.burned
        report.capacities = self._draft.capacities
        return report

    def _take(self, order: OrderPlaced, paid_before: int) -> None:
        report, prices = self.report, self._prices
        prices.order = order
        cart = Cart(
            order.shop_id,
            order.currency,
            tuple(CartLine(line.sku_id, line.qty, line.unit_price_fen) for line in order.lines),
            order.total_fen - sum(line.payable_fen for line in order.lines),
        )
        shopper = Shopper(
            order.placed_at_ms,
            order.user_id,
            Member(orders=paid_before),
            _coupons(order),
            flow=order.flow,
        )
        side = self._side(order.pack)
        before = _recorded(order) if side is None else side.price(cart, prices, shopper)
        after = self._draft.price(cart, prices, shopper)
        lacking = self._draft.claim(after, order.placed_at_ms)
        lacked = None if side is None else side.claim(before, order.placed_at_ms)
        report.astray += self._against is None and before.total_fen != order.total_fen
        report.orders += 1
        if lacking is not None and lacked is None:
            report.refused.append(Declined(order.order_no, lacking.resource_id, after.total_fen))
        if lacking is None and lacked is None:
            self._compare(order, before, after, paid_before)

    def _compare(
        self, order: OrderPlaced, before: PricedCart, after: PricedCart, paid_before: int
    ) -> None:
        report = self.report
        report.before_fen += before.total_fen
        report.after_fen += after.total_fen
        for rule in before.rules:
            report.by_rule[rule.rule_id] += rule.discount_fen
        for rule in after.rules:
            report.by_rule[rule.rule_id] -= rule.discount_fen
        for old, new in zip(before.lines, after.lines, strict=True):
            if old.payable_fen != new.payable_fen:
                category = self._prices.category(old.sku_id)
                report.by_category[category] += new.payable_fen - old.payable_fen
        difference_fen = after.total_fen - before.total_fen
        if not difference_fen:
            return
        rules = tuple(rule.rule_id for rule in after.rules)
        report.changed += 1
        report.by_rules[rules] += difference_fen
        buyer = next(name for most, name in _BUYERS if paid_before <= most)
        report.by_buyer[buyer] += difference_fen
        at = order.placed_at_ms
        report.over_time[at] = report.over_time.get(at, 0) + difference_fen
        self._moved.append(Moved(order.order_no, before.total_fen, after.total_fen, rules))

    def _side(self, pin: str) -> _Side | None:
        """Return the side of what an order was priced by; None: by nothing that is known."""
        if self._against is not None:
            return self._against
        if pin not in self._sides:
            pack = self._packs.get(pin)
            self._sides[pin] = None if pack is None else self._side_of(pack)
        return self._sides[pin]

    def _side_of(self, pack: RulePack) -> _Side:
        # A budget outlives the versions of its pack: they claim from the same.
        used = next((s.used for s in self._sides.values() if s is not None), None)
        return _Side(compile_pack(pack), used)


class _Side:
    """One pack, and what has been claimed of its resources so far."""

    def __init__(self, pack: CompiledPack, used: dict[str, int] | None = None) -> None:
        self._pack = pack
        self.used: dict[str, int] = {} if used is None else used
        self.burned: dict[str, list[tuple[int, int]]] = {}
        self.capacities: dict[str, int] = {}

    def price(self, cart: Cart, prices: _Recorded, shopper: Shopper) -> PricedCart:
        """Return what the cart costs."""
        priced = price(cart, prices, self._pack, shopper)
        assert isinstance(priced, PricedCart)  # its prices are the order's own
        return priced

    def claim(self, priced: PricedCart, at_ms: int) -> Claim | None:
        """Claim all that the price needs; return the first of which too little is left."""
        claims = priced.promotions.claims if priced.promotions is not None else ()
        used = self.used
        for claim in claims:
            if used.get(claim.resource_id, 0) + claim.amount > claim.capacity:
                return claim
        for claim in claims:
            total = used[claim.resource_id] = used.get(claim.resource_id, 0) + claim.amount
            if claim.kind is ClaimKind.BUDGET:
                self.burned.setdefault(claim.resource_id, []).append((at_ms, total))
                self.capacities[claim.resource_id] = claim.capacity
        return None


class _Recorded:
    """The list prices that an order was placed at."""

    def __init__(self, categories: Mapping[int, str]) -> None:
        self._categories = categories
        self.order: OrderPlaced | None = None

    def category(self, sku_id: int) -> str:
        """Return the category of a good, as it is now; empty when it is not known."""
        return self._categories.get(sku_id, "")

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        """Return what a unit was listed at."""
        order = self.order
        assert order is not None
        for line in order.lines:
            if line.sku_id == sku_id:
                return ListPrice(line.unit_price_fen, order.currency, self.category(sku_id))
        return None


def _recorded(order: OrderPlaced) -> PricedCart:
    return PricedCart(order.lines, order.rules, order.total_fen, order.currency)


def _coupons(order: OrderPlaced) -> tuple[Coupon, ...]:
    """Return the coupons that the order holds."""
    return tuple(
        Coupon(hold.resource_id.partition("/")[2])
        for hold in order.holds
        if hold.kind == _PROMOTION and hold.resource_id.startswith(_COUPON)
    )
