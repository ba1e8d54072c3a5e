"""The ITEM level: every good by itself, at the lowest price that its own rules allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streams.pricing.basket import Basket
from streams.pricing.compiled import CompiledRule, mask
from streams.pricing.rounding import floor_fen

MAX_WAYS = 64
"""Ways in which the rivals of one good are combined: 6 pairs of rivals make 64. At the bound the
best way so far stands; the first one takes the rules by priority."""


class ItemPrice(NamedTuple):
    """What a good costs after its own rules, and what each took off: (position, discount_fen)."""

    running_fen: int
    taken: tuple[tuple[int, int], ...]


def price_good(
    basket: Basket, good: int, candidates: Sequence[CompiledRule], barred: int
) -> ItemPrice:
    """Return the lowest price of a good; ``barred`` is the mask of rules that may not take part.

    Every candidate takes part unless it may not stand with one that does; among ways that cost the
    same, the first one by the order of turns.
    """
    if not candidates:
        return ItemPrice(basket.amounts[good], ())
    if barred:
        candidates = [rule for rule in candidates if not barred >> rule.position & 1]
    best: ItemPrice | None = None
    for count, way in enumerate(_ways(candidates)):
        if count == MAX_WAYS:
            break
        priced = _apply(basket, good, way)
        if best is None or priced.running_fen < best.running_fen:
            best = priced
    return best if best is not None else ItemPrice(basket.amounts[good], ())


def _ways(candidates: Sequence[CompiledRule]) -> Iterator[Sequence[CompiledRule]]:
    """Yield every set of candidates without rivals to which none can be added."""
    bits = 0
    for rule in candidates:
        bits |= 1 << rule.position
    contested = [rule for rule in candidates if rule.conflicts & bits]
    rivals = mask(rule.position for rule in contested)
    if not contested:
        yield candidates
    elif all((rule.conflicts | 1 << rule.position) & bits == rivals for rule in contested):
        # The usual case: all rivals are of one group, and one of them takes part.
        for chosen in contested:
            yield [rule for rule in candidates if rule is chosen or not rule.conflicts & bits]
    else:
        yield from _extend(candidates, 0, [], 0)


def _extend(
    candidates: Sequence[CompiledRule], start: int, chosen: list[CompiledRule], bits: int
) -> Iterator[Sequence[CompiledRule]]:
    if start == len(candidates):
        left_out = (rule for rule in candidates if not bits >> rule.position & 1)
        if all(rule.conflicts & bits for rule in left_out):
            yield tuple(chosen)
        return
    rule = candidates[start]
    if not rule.conflicts & bits:
        chosen.append(rule)
        yield from _extend(candidates, start + 1, chosen, bits | 1 << rule.position)
        chosen.pop()
        later = 0
        for other in candidates[start + 1 :]:
            later |= 1 << other.position
        if not rule.conflicts & later:
            return  # nothing to come could keep it out
    yield from _extend(candidates, start + 1, chosen, bits)


def _apply(basket: Basket, good: int, rules: Sequence[CompiledRule]) -> ItemPrice:
    amount_fen, units = basket.amounts[good], basket.units[good]
    running_fen, pack_floor_fen = amount_fen, basket.floors[good]
    taken: list[tuple[int, int]] = []
    for rule in rules:
        assert rule.item_discount is not None
        base_fen = amount_fen if rule.original else running_fen
        floor = floor_fen(amount_fen, rule.floor_bp) if rule.stricter_floor else pack_floor_fen
        room_fen = running_fen - floor
        discount_fen = min(rule.item_discount(units, base_fen, running_fen), room_fen)
        if discount_fen > 0:
            running_fen -= discount_fen
            taken.append((rule.position, discount_fen))
    return ItemPrice(running_fen, tuple(taken))
