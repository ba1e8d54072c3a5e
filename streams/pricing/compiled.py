"""A rule pack, compiled once: conditions as functions, rules in the order of their turns."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.promotion import Base, Level, Rule, RulePack
from streams.pricing import effects, vocabulary
from streams.pricing.expression import (
    BadExpression,
    Check,
    Comparison,
    Tree,
    compile_tree,
    conjuncts,
    names,
    parse,
    text_of,
)
from streams.pricing.outcome import Need
from streams.pricing.solving import allowed

LEVELS = tuple(Level)
MONEY = frozenset({Level.ORDER, Level.COUPON, Level.FREIGHT})
"""Levels above ITEM whose rules decide what the cart costs."""


class InvalidPack(Exception):
    """A pack that cannot be compiled; ``orderstream rules lint`` says where and what to do."""


class Term(NamedTuple):
    """A part of ``when``.

    ``least`` is what a buyer can reach by buying more: unit, slot, amount (None: nothing).
    """

    check: Check
    text: str
    least: tuple[str, int, int] | None
    of_items: bool
    moves: bool  # it looks at amounts, which discounts change

    def need(self, env: Sequence[int]) -> Need | None:
        """Return what is missing for a term that does not hold; None: more does not help."""
        if self.least is None:
            return None
        unit, slot, amount = self.least
        return Need(unit, amount - env[slot], self.of_items)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule at its ``position`` in the plan. Masks have the bits of other rules' positions."""

    rule: Rule
    position: int
    terms: tuple[Term, ...]
    implied: tuple[Term, ...]  # what the effect itself asks for
    moves: bool  # some term has to be looked at when the rule has its turn
    item_discount: effects.ItemDiscount | None
    cart_discount: effects.CartDiscount | None
    original: bool
    floor_bp: int
    stricter_floor: bool  # than the pack's
    conflicts: int
    requires: int


@dataclass(frozen=True, slots=True)
class CompiledPack:
    """A pack ready to price with: rules in the order of their turns, and where to look for them.

    ``by_sku``, ``by_category`` and ``anywhere`` name rules that may be about a good, each with the
    check that is left to do (None: none); ``everything`` are those about all goods.
    """

    pack: RulePack
    rules: tuple[CompiledRule, ...]
    by_sku: dict[int, tuple[tuple[int, Check | None], ...]]
    by_category: dict[str, tuple[tuple[int, Check | None], ...]]
    anywhere: tuple[tuple[int, Check | None], ...]
    everything: tuple[int, ...]
    codes: dict[str, tuple[int, ...]]
    prefixes: tuple[tuple[str, int], ...]
    coupon_rules: int  # mask of the rules that need a code
    floor_bp: int


def compile_pack(pack: RulePack) -> CompiledPack:
    """Return the pack ready to price with. Raises InvalidPack when its rules make no plan."""
    ordered = in_turn(pack.rules)
    positions = {rule.rule_id: position for position, rule in enumerate(ordered)}
    conflicts = _conflicts(ordered, positions)
    floor_bp = pack.floor_bp or 0
    index = _Index()
    rules = []
    for position, rule in enumerate(ordered):
        try:
            items = parse(rule.items, vocabulary.ITEM)
            when = parse(rule.when, vocabulary.CART)
            terms = tuple(_term(part) for part in conjuncts(when))
            index.add(position, items)
            rules.append(_compile(rule, position, terms, conflicts[position], positions, floor_bp))
        except (BadExpression, ValueError, KeyError) as error:
            raise InvalidPack(f"rule {rule.rule_id}: {error}") from error
    coded = [(rule.coupon, position) for position, rule in enumerate(ordered) if rule.coupon]
    codes: dict[str, tuple[int, ...]] = {}
    for code, position in coded:
        if not code.endswith("*"):
            codes[code] = (*codes.get(code, ()), position)
    return CompiledPack(
        pack=pack,
        rules=tuple(rules),
        by_sku={sku: tuple(found) for sku, found in index.by_sku.items()},
        by_category={category: tuple(found) for category, found in index.by_category.items()},
        anywhere=tuple(index.anywhere),
        everything=tuple(index.everything),
        codes=codes,
        prefixes=tuple((code[:-1], position) for code, position in coded if code.endswith("*")),
        coupon_rules=mask(position for _, position in coded),
        floor_bp=floor_bp,
    )


def in_turn(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules in the order of their turns.

    Level by level; within one a rule comes after those that it requires, else the higher priority
    first, then the id. The order in the file plays no part. Raises InvalidPack for a circle of
    requirements, a requirement that has its turn later, an unknown or a doubled id.
    """
    by_id: dict[str, Rule] = {}
    for rule in rules:
        if by_id.setdefault(rule.rule_id, rule) is not rule:
            raise InvalidPack(f"rule {rule.rule_id} is there twice")
    waiting = {rule_id: len(set(rule.requires)) for rule_id, rule in by_id.items()}
    dependants: dict[str, list[str]] = {}
    for rule in by_id.values():
        for other in dict.fromkeys(rule.requires):
            if other not in by_id:
                raise InvalidPack(f"rule {rule.rule_id} requires {other}, which is not there")
            if LEVELS.index(by_id[other].level) > LEVELS.index(rule.level):
                raise InvalidPack(f"rule {rule.rule_id} requires {other}, which comes later")
            dependants.setdefault(other, []).append(rule.rule_id)
    ready = [_turn(rule) for rule in by_id.values() if not waiting[rule.rule_id]]
    heapq.heapify(ready)
    ordered: list[Rule] = []
    while ready:
        rule_id = heapq.heappop(ready)[2]
        ordered.append(by_id[rule_id])
        for other in dependants.get(rule_id, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, _turn(by_id[other]))
    if len(ordered) < len(by_id):
        stuck = ", ".join(sorted(rule_id for rule_id, count in waiting.items() if count))
        raise InvalidPack(f"rules that require each other in a circle: {stuck}")
    # A rule whose requirement is of its own level may have come up after a later level's.
    return tuple(sorted(ordered, key=lambda rule: LEVELS.index(rule.level)))


def mask(positions: Iterable[int]) -> int:
    """Return the mask that has the bits of ``positions``."""
    bits = 0
    for position in positions:
        bits |= 1 << position
    return bits


def _turn(rule: Rule) -> tuple[int, int, str]:
    return LEVELS.index(rule.level), -rule.priority, rule.rule_id


def _conflicts(ordered: Sequence[Rule], positions: dict[str, int]) -> list[int]:
    """Return for each rule the mask of those that it never stands with on the same goods."""
    groups: dict[str, int] = {}
    for position, rule in enumerate(ordered):
        if rule.group:
            groups[rule.group] = groups.get(rule.group, 0) | 1 << position
    conflicts = [groups.get(rule.group, 0) & ~(1 << p) for p, rule in enumerate(ordered)]
    for position, rule in enumerate(ordered):
        for other_id in rule.excludes:
            if other_id not in positions:
                raise InvalidPack(f"rule {rule.rule_id} excludes {other_id}, which is not there")
            other = positions[other_id]
            conflicts[position] |= 1 << other
            conflicts[other] |= 1 << position
    return conflicts


def _compile(
    rule: Rule,
    position: int,
    terms: tuple[Term, ...],
    conflicts: int,
    positions: dict[str, int],
    floor_bp: int,
) -> CompiledRule:
    is_item = rule.level is Level.ITEM
    takes_off = rule.level in (Level.ORDER, Level.COUPON)
    least = effects.least(rule) if takes_off else None
    implied = () if least is None else (_term(Comparison(least[0], ">=", least[1])),)
    return CompiledRule(
        rule=rule,
        position=position,
        terms=terms,
        implied=implied,
        moves=not is_item and rule.base is Base.DISCOUNTED and any(term.moves for term in terms),
        item_discount=effects.item_discount(rule.effect) if is_item else None,
        cart_discount=effects.cart_discount(rule.effect) if takes_off else None,
        original=rule.base is Base.ORIGINAL,
        floor_bp=max(floor_bp, rule.floor_bp or 0),
        stricter_floor=(rule.floor_bp or 0) > floor_bp,
        conflicts=conflicts,
        requires=mask(positions[other] for other in rule.requires),
    )


def _term(tree: Tree) -> Term:
    read = names(tree)
    return Term(
        check=compile_tree(tree, vocabulary.CART),
        text=text_of(tree),
        least=_least(tree),
        of_items=any(name.startswith("items.") for name in read),
        moves=not vocabulary.MOVING.isdisjoint(read),
    )


def _least(tree: Tree) -> tuple[str, int, int] | None:
    if isinstance(tree, Comparison) and tree.name in vocabulary.GROWING and tree.op in (">", ">="):
        unit = vocabulary.GROWING[tree.name]
        return unit, vocabulary.CART[tree.name].slot, tree.value + (tree.op == ">")
    return None


class _Index:
    """Finds the rules that may be about a good without asking each of them."""

    def __init__(self) -> None:
        self.by_sku: dict[int, list[tuple[int, Check | None]]] = {}
        self.by_category: dict[str, list[tuple[int, Check | None]]] = {}
        self.anywhere: list[tuple[int, Check | None]] = []
        self.everything: list[int] = []

    def add(self, position: int, items: Tree) -> None:
        """Take in what the rule at ``position`` is about."""
        if not conjuncts(items):
            self.everything.append(position)
            return
        check = compile_tree(items, vocabulary.ITEM)
        # One comparison, by which the rule is found, is all that there is to check.
        left = None if isinstance(items, Comparison) else check
        if (skus := allowed(items, "item.sku_id")) is not None:
            for sku_id in sorted(skus):
                self.by_sku.setdefault(sku_id, []).append((position, left))
        elif (categories := allowed(items, "item.category")) is not None:
            for category in sorted(categories):
                self.by_category.setdefault(category, []).append((position, left))
        else:
            self.anywhere.append((position, check))
