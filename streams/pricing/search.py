"""The levels above ITEM: which rules take part together, and what the cart then costs.

A **combination** is a set of rules that may stand together. A rule whose conditions hold at its
turn takes part, unless one of its rivals does instead; coupons may also be kept. The cheapest
combination wins; among equals the one with the fewest coupons, then with those that expire first,
then by their codes, then the one that takes the earlier rules.

The search decides rule by rule, in the order of their turns, and leaves a way as soon as the best
that can still come of it is no better than what was found (branch and bound).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from streams.pricing.basket import Basket
from streams.pricing.compiled import CompiledPack, CompiledRule, mask
from streams.pricing.items import ItemPrice, price_good
from streams.pricing.shopper import Coupon
from streams.pricing.turns import Amounts, Turn, ask, left, most_fen, take

MAX_STEPS = 1_000
"""Discounts tried for one cart, and goods priced anew. 1,000 of 5 to 10 microseconds are 10 ms; a
usual cart takes 10 to 100. At the bound the best combination so far stands and the result says so;
it is never worse than to take each rule at its turn unless a rival was taken."""

_NEVER_MS = 2**63


class Priced(NamedTuple):
    """What a combination costs: what is left of each good, and what each rule did at its turn."""

    total_fen: int
    amounts: Amounts
    items: list[ItemPrice]
    turns: tuple[Turn, ...]
    applied: int  # mask of the rules that took something off


@dataclass(slots=True)
class Candidates:
    """The rules that may take part in the price of a basket, with the goods they are about."""

    compiled: CompiledPack
    basket: Basket
    scopes: dict[int, tuple[int, ...]]
    item_rules: list[list[CompiledRule]]  # by good
    money: list[CompiledRule]  # ORDER, COUPON and FREIGHT, in the order of turns
    coupons: dict[int, Coupon]  # by the position of the rule that takes it
    goods: dict[int, int] = field(default_factory=dict)  # mask of the goods of each rule

    def rivals(self, rule: CompiledRule, others: int) -> int:
        """Return which of the mask ``others`` may not stand with the rule: they share goods."""
        found, own = 0, self.goods[rule.position]
        against = rule.conflicts & others
        while against:
            first = against & -against
            if own & self.goods[first.bit_length() - 1]:
                found |= first
            against ^= first
        return found

    def at_items(self, barred: Sequence[int]) -> list[ItemPrice]:
        """Return the price of each good by its own rules, less those barred there."""
        return [
            price_good(self.basket, good, rules, bits)
            for good, (rules, bits) in enumerate(zip(self.item_rules, barred, strict=True))
        ]


def best_price(candidates: Candidates) -> tuple[Priced, bool]:
    """Return the best price, and whether all combinations were looked at."""
    search = _Search(candidates)
    crossing = chosen = search.crossing
    while True:  # all subsets, from none to all
        chosen = (chosen - crossing) & crossing
        if not search.run(chosen) or chosen == crossing:
            return search.result()


_Rank: TypeAlias = tuple[int, int, tuple[int, ...], tuple[str, ...]]


@dataclass(slots=True)
class _Node:
    """A way of deciding the first ``depth`` rules, of which ``turn`` is the last that took part.

    ``barred`` are rules that one of those bars, ``owed`` those left out without a rival so far,
    ``coupons`` how many are used. ``amounts`` are shared out when they are asked for: a way that is
    beaten never is.
    """

    depth: int
    amounts: Amounts | None
    total_fen: int
    applied: int
    barred: int
    owed: int
    coupons: int
    turn: Turn | None
    parent: _Node | None


_Clique: TypeAlias = list[tuple[int, int, int]]
"""Rules of which only one can take part, as (most_fen, index, position), the most first."""


class _Search:
    """The search for one basket.

    ``crossing`` is the mask of the rules with rivals at ITEM level: which of them take part is
    decided first, since they bar ITEM rules.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._money = candidates.money
        self._coupons = mask(candidates.coupons)
        bits = mask([rule.position for rule in self._money])
        item_bits = 0
        for rules in candidates.item_rules:
            for rule in rules:
                item_bits |= 1 << rule.position
        self._rivals: dict[int, int] = {}
        self.crossing = 0
        for rule in self._money:
            position = rule.position
            self._rivals[position] = candidates.rivals(rule, bits)
            if candidates.rivals(rule, item_bits):
                self.crossing |= 1 << position
        self._has_choices = bool(self.crossing or self._coupons or any(self._rivals.values()))
        self._rules = self._money  # those that can take something off, in this run
        self._cliques: list[_Clique] = []
        self._last_coupon = 0
        self._steps = 0
        self._guessed: tuple[_Node, list[ItemPrice]] | None = None
        self._best: tuple[_Rank, _Node, list[ItemPrice]] | None = None

    def run(self, chosen: int) -> bool:
        """Search the ways in which exactly ``chosen`` of the crossing rules take part.

        Return False at the bound.
        """
        candidates, basket = self._candidates, self._candidates.basket
        items = candidates.at_items(self._barred_items(chosen))
        amounts = Amounts([item.running_fen for item in items], basket.freight_fen)
        total_fen = sum(amounts.running) + amounts.freight_fen
        applied = mask([position for item in items for position, _ in item.taken])
        barred = self.crossing & ~chosen
        root = _Node(0, amounts, total_fen, applied, barred, 0, 0, None, None)
        if self._has_choices:
            self._prepare(amounts)
            self._guess(root, chosen, items)
        stack = [root]
        while stack:
            node = stack.pop()
            if self._is_beaten(node):
                continue
            if self._steps >= MAX_STEPS and (self._best or self._guessed):
                return False
            ways = self._branch(node, chosen)
            if ways is None:
                self._keep(node, items)
            else:
                stack.extend(ways)
        self._steps += len(items)
        return True

    def result(self) -> tuple[Priced, bool]:
        """Return the best price found, and whether all was looked at."""
        found = self._best[1:] if self._best is not None else self._guessed
        assert found is not None
        best, items = found
        way = [best]  # backwards
        while (parent := way[-1].parent) is not None:
            way.append(parent)
        before = way.pop()
        turns: list[Turn] = []
        for rule in self._money:
            turn = way[-1].turn if way else None
            if turn is not None and turn.position == rule.position:
                turns.append(turn)
                before = way.pop()
            else:
                turns.append(self._left_out(rule, before))
        priced = Priced(best.total_fen, self._amounts(best), items, tuple(turns), best.applied)
        return priced, self._steps < MAX_STEPS

    def _branch(self, node: _Node, chosen: int) -> list[_Node] | None:
        """Return the ways of deciding on the next rule that could take part, the first one last.

        None: there is none, and the way is a legal combination.
        """
        candidates, rules = self._candidates, self._rules
        amounts = self._amounts(node)
        for index in range(node.depth, len(rules)):
            rule = rules[index]
            position = rule.position
            own = 1 << position
            if node.barred & own:
                continue
            goods = candidates.scopes[position]
            if ask(candidates.basket, rule, goods, amounts.running, node.applied) is not None:
                continue
            self._steps += 1
            turn = take(candidates.basket, rule, goods, amounts)
            off_fen = turn.discount_fen
            if not off_fen:
                continue
            rivals = self._rivals[position]
            is_coupon = bool(self._coupons & own)
            with_it = _Node(
                index + 1,
                None,
                node.total_fen - off_fen,
                node.applied | own,
                node.barred | rivals,
                node.owed & ~rivals,
                node.coupons + is_coupon,
                turn,
                node,
            )
            to_come = rivals & ~node.barred & ~((own << 1) - 1)
            if chosen & own or not (is_coupon or to_come):
                return [with_it]
            owed = node.owed if is_coupon else node.owed | own
            return [
                _Node(
                    index + 1,
                    amounts,
                    node.total_fen,
                    node.applied,
                    node.barred | own,
                    owed,
                    node.coupons,
                    node.turn,
                    node.parent,
                ),
                with_it,
            ]
        # Crossing rules that took no part have barred ITEM rules for nothing.
        return [] if node.owed or chosen & ~node.applied else None

    def _amounts(self, node: _Node) -> Amounts:
        """Return what is left to pay after the rules of a way."""
        if node.amounts is None:
            assert node.turn is not None
            assert node.parent is not None
            candidates, turn = self._candidates, node.turn
            node.amounts = left(
                candidates.basket,
                candidates.compiled.rules[turn.position],
                candidates.scopes[turn.position],
                self._amounts(node.parent),
                turn.discount_fen,
            )
        return node.amounts

    def _prepare(self, amounts: Amounts) -> None:
        """Find what each rule can take off at most, when no more than ``amounts`` is left."""
        basket, scopes = self._candidates.basket, self._candidates.scopes
        self._rules = []
        cliques: list[tuple[int, _Clique]] = []
        for rule in self._money:
            position = rule.position
            fen = most_fen(basket, rule, scopes[position], amounts)
            if not fen:
                continue
            index, rivals = len(self._rules), self._rivals[position]
            self._rules.append(rule)
            if self._coupons >> position & 1:
                self._last_coupon = index
            for n, (bits, members) in enumerate(cliques):
                if not bits & ~rivals:
                    members.append((fen, index, position))
                    cliques[n] = bits | 1 << position, members
                    break
            else:
                cliques.append((1 << position, [(fen, index, position)]))
        for _, members in cliques:
            members.sort(key=lambda one: (-one[0], one[1]))
        self._cliques = [members for _, members in cliques]

    def _guess(self, node: _Node, chosen: int, items: list[ItemPrice]) -> None:
        """Bound the search by one good combination: of rivals, the one that can take off most."""
        barred = 0
        for members in self._cliques:
            barred |= mask([position for _, _, position in members[1:]])
        node = replace(node, barred=node.barred | barred & ~chosen)
        while ways := self._branch(node, chosen):
            node = ways[-1]
        left_out = barred & ~chosen & ~self._coupons & ~self.crossing
        is_legal = ways is None and all(
            self._rivals[rule.position] & node.applied
            for rule in self._rules
            if left_out >> rule.position & 1
        )
        if is_legal and (self._guessed is None or node.total_fen < self._guessed[0].total_fen):
            self._guessed = node, items

    def _is_beaten(self, node: _Node) -> bool:
        """Tell whether nothing better than the best so far can come of a way."""
        best, guessed = self._best, self._guessed
        if best is None and guessed is None:
            return False
        least_fen, depth, barred = node.total_fen, node.depth, node.barred
        for clique in self._cliques:
            for most, at, position in clique:
                if at >= depth and not barred >> position & 1:
                    least_fen -= most
                    break
        if guessed is not None and least_fen > guessed[0].total_fen:
            return True
        if best is None or least_fen < best[0][0]:
            return False
        if least_fen > best[0][0] or not self._coupons or node.coupons > best[0][1]:
            return True
        # As cheap at best: the coupons decide, once all of them had their turn.
        return depth > self._last_coupon and self._rank(node) >= best[0]

    def _keep(self, node: _Node, items: list[ItemPrice]) -> None:
        rank = self._rank(node)
        if self._best is None or rank < self._best[0]:
            self._best = rank, node, items

    def _rank(self, node: _Node) -> _Rank:
        if not node.coupons:
            return node.total_fen, 0, (), ()
        coupons = self._candidates.coupons
        used = [coupons[position] for position in coupons if node.applied >> position & 1]
        return (
            node.total_fen,
            len(used),
            tuple(sorted(coupon.expires_at_ms or _NEVER_MS for coupon in used)),
            tuple(sorted(coupon.code for coupon in used)),
        )

    def _barred_items(self, chosen: int) -> list[int]:
        """Return for each good the mask of rules that the chosen ones bar there."""
        barred = [0] * len(self._candidates.item_rules)
        for rule in self._money:
            if chosen >> rule.position & 1:
                for good in self._candidates.scopes[rule.position]:
                    barred[good] |= rule.conflicts
        return barred

    def _left_out(self, rule: CompiledRule, before: _Node) -> Turn:
        """Return how a rule stands that takes no part."""
        basket, goods = self._candidates.basket, self._candidates.scopes[rule.position]
        amounts = self._amounts(before)
        failing = ask(basket, rule, goods, amounts.running, before.applied)
        if failing is not None:
            return failing
        turn = take(basket, rule, goods, amounts)
        return Turn(rule.position, 0, held=True) if turn.discount_fen else turn
