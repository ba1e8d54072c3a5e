"""Prices carts the slow way, from the rules of docs/pricing.md: every set of rules is tried.

Shares no code with streams.pricing; money is exact until it is rounded. It knows percent and amount
off, thresholds, floors, groups, exclusions, priorities, bases and coupons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from math import ceil, floor


@dataclass(frozen=True)
class SlowRule:
    """A rule; ``skus`` None: all goods. ``needs_fen`` is a threshold of the amount of its goods."""

    rule_id: str
    level: int  # 0 item, 1 order, 2 coupon
    skus: frozenset[int] | None
    bp: int = 0
    up_to_fen: int = 0
    fen: int = 0
    every_fen: int = 0
    needs_fen: int = 0
    group: str = ""
    excludes: frozenset[str] = frozenset()
    priority: int = 0
    original: bool = False
    floor_bp: int = 0
    code: str = ""


@dataclass(frozen=True)
class Good:
    """Units of a sku at their list price."""

    sku_id: int
    units: int
    price_fen: int

    @property
    def amount_fen(self) -> int:
        return self.units * self.price_fen


@dataclass(frozen=True)
class Way:
    """What a set of rules costs."""

    total_fen: int
    of_goods: tuple[int, ...]
    codes: tuple[str, ...]


def best(rules: Sequence[SlowRule], goods: Sequence[Good], floor_bp: int) -> Way:
    """Return the cheapest way, with the fewest coupons, the first by their codes."""
    ordered = sorted(rules, key=lambda r: (r.level, -r.priority, r.rule_id))
    ordered = [replace(r, floor_bp=max(r.floor_bp, floor_bp)) for r in ordered if _about(r, goods)]
    above = [r for r in ordered if r.level > 0]
    ways = [
        way
        for count in range(len(above) + 1)
        for chosen in combinations(above, count)
        if (way := _try(ordered, chosen, goods)) is not None
    ]
    return min(ways, key=lambda way: (way.total_fen, len(way.codes), way.codes))


def _try(
    ordered: Sequence[SlowRule], chosen: Sequence[SlowRule], goods: Sequence[Good]
) -> Way | None:
    """Return what the goods cost with exactly these rules above ITEM; None: they may not stand."""
    if any(_meet(a, b, goods) for a, b in combinations(chosen, 2)):
        return None
    items = [r for r in ordered if r.level == 0 and _amount(r, goods) >= r.needs_fen]
    running = [
        _item_price([r for r in items if not any(_meet(r, c, [good]) for c in chosen)], good)
        for good in goods
    ]
    for rule in (r for r in ordered if r.level > 0):
        taken = _taken(rule, goods, running)
        if rule in chosen:
            if not taken:
                return None
            running = [left - share for left, share in zip(running, taken, strict=True)]
        elif taken and not rule.code:
            rivals = (*chosen, *items)
            if not any(_meet(rule, other, goods) for other in rivals):
                return None  # it could have taken part
    codes = tuple(sorted(rule.code for rule in chosen if rule.code))
    return Way(sum(running), tuple(running), codes)


def _item_price(rules: Sequence[SlowRule], good: Good) -> int:
    mine = [r for r in rules if _about(r, [good])]
    sets = [
        chosen
        for count in range(len(mine) + 1)
        for chosen in combinations(mine, count)
        if not any(_meet(a, b, [good]) for a, b in combinations(chosen, 2))
    ]
    full = [s for s in sets if not any(set(s) < set(other) for other in sets)]
    return min(_item_running(chosen, good) for chosen in full)


def _item_running(rules: Sequence[SlowRule], good: Good) -> int:
    running = good.amount_fen
    for rule in rules:
        base = good.amount_fen if rule.original else running
        off = floor(Fraction(base * rule.bp, 10_000)) + rule.fen * good.units
        lowest = ceil(Fraction(good.amount_fen * rule.floor_bp, 10_000))
        running -= max(0, min(off, running - lowest))
    return running


def _taken(rule: SlowRule, goods: Sequence[Good], running: Sequence[int]) -> tuple[int, ...] | None:
    """Return what the rule takes off each good; None: nothing."""
    mine = [i for i, good in enumerate(goods) if _about(rule, [good])]
    base = sum(goods[i].amount_fen if rule.original else running[i] for i in mine)
    if base < rule.needs_fen:
        return None
    off = floor(Fraction(base * rule.bp, 10_000))
    off = min(off, rule.up_to_fen) if rule.up_to_fen else off
    off += rule.fen * (base // rule.every_fen if rule.every_fen else 1)
    rooms = {
        i: max(0, running[i] - ceil(Fraction(goods[i].amount_fen * rule.floor_bp, 10_000)))
        for i in mine
    }
    room = sum(rooms.values())
    off = min(off, room)
    if off <= 0:
        return None
    exact = {i: Fraction(off * rooms[i], room) for i in mine}
    shares = {i: floor(share) for i, share in exact.items()}
    for i in sorted(mine, key=lambda i: (shares[i] - exact[i], -rooms[i], i))[
        : off - sum(shares.values())
    ]:
        shares[i] += 1
    return tuple(shares.get(i, 0) for i in range(len(goods)))


def _about(rule: SlowRule, goods: Sequence[Good]) -> bool:
    return any(rule.skus is None or good.sku_id in rule.skus for good in goods)


def _amount(rule: SlowRule, goods: Sequence[Good]) -> int:
    return sum(good.amount_fen for good in goods if _about(rule, [good]))


def _meet(one: SlowRule, other: SlowRule, goods: Sequence[Good]) -> bool:
    """Tell whether two rules may not stand together and are about one of the goods both."""
    against = (
        (one.group and one.group == other.group)
        or other.rule_id in one.excludes
        or one.rule_id in other.excludes
    )
    return bool(against) and any(_about(one, [g]) and _about(other, [g]) for g in goods)


def merged(wanted: Sequence[tuple[int, int]], prices: dict[int, int]) -> Iterator[Good]:
    """Yield the goods of (sku, qty) lines, each sku once, by number."""
    for sku_id in sorted({sku_id for sku_id, _ in wanted}):
        units = sum(qty for sku, qty in wanted if sku == sku_id)
        yield Good(sku_id, units, prices[sku_id])
