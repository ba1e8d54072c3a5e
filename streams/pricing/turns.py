"""What one rule above ITEM does at its turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.pricing.basket import Basket
from streams.pricing.compiled import CompiledRule
from streams.pricing.outcome import Need
from streams.pricing.rounding import apportion, floor_fen


class Turn(NamedTuple):
    """What a rule did.

    ``held``: its conditions did; else ``failed`` is the term that did not (empty: a required rule
    does not apply) and ``needs`` what would help.
    ``room_fen`` is what could have been taken off; ``taken`` is False when it was left out.
    """

    position: int
    discount_fen: int
    held: bool
    taken: bool = False
    failed: str = ""
    needs: tuple[Need, ...] = ()
    room_fen: int = 0


class Amounts(NamedTuple):
    """What is left to pay of each good and of the freight; never changed in place."""

    running: list[int]
    freight_fen: int


def ask(
    basket: Basket, rule: CompiledRule, goods: Sequence[int], running: Sequence[int], applied: int
) -> Turn | None:
    """Return why the rule takes no part at its turn; None: it may.

    ``applied`` is the mask of the rules that took something off before.
    """
    if rule.requires & ~applied:
        return Turn(rule.position, 0, held=False)
    if not (rule.moves or rule.implied):
        return None
    basket.look(goods, basket.amounts if rule.original else running)
    failed, needs = unmet(rule, basket)
    return Turn(rule.position, 0, held=False, failed=failed, needs=needs) if failed else None


def unmet(rule: CompiledRule, basket: Basket) -> tuple[str, tuple[Need, ...]]:
    """Return the first term that does not hold, and what more in the cart would make all hold.

    For the goods that ``basket.look`` was last called with; without a term both are empty.
    """
    failed = ""
    needs: list[Need] = []
    for term in (*rule.terms, *rule.implied):
        if not term.check(basket.env):
            need = term.need(basket.env)
            if need is None:
                return term.text, ()
            failed = failed or term.text
            needs.append(need)
    return failed, tuple(needs)


def take(basket: Basket, rule: CompiledRule, goods: Sequence[int], before: Amounts) -> Turn:
    """Return what the rule takes off."""
    if rule.cart_discount is None:
        room_fen = before.freight_fen
        return Turn(rule.position, _freight_off(rule, room_fen), True, True, room_fen=room_fen)
    room_fen = sum(_rooms(basket, rule, goods, before.running))
    discount_fen = min(_discount(basket, rule, goods, before.running), room_fen)
    return Turn(rule.position, discount_fen, True, True, room_fen=room_fen)


def left(
    basket: Basket, rule: CompiledRule, goods: Sequence[int], before: Amounts, discount_fen: int
) -> Amounts:
    """Return what is left to pay once the rule has taken its discount."""
    if rule.cart_discount is None:
        return Amounts(before.running, before.freight_fen - discount_fen)
    rooms = _rooms(basket, rule, goods, before.running)
    running = before.running.copy()
    for good, share in zip(goods, apportion(discount_fen, rooms), strict=True):
        running[good] -= share
    return Amounts(running, before.freight_fen)


def most_fen(basket: Basket, rule: CompiledRule, goods: Sequence[int], before: Amounts) -> int:
    """Return what the rule can take off at most once no more than ``before`` is left.

    Discounts only grow with amounts, but for the two roundings of each good of an nth item.
    """
    if rule.cart_discount is None:
        return _freight_off(rule, before.freight_fen)
    roundings = 2 * len(goods) if rule.rule.effect.nth_item is not None else 0
    return min(
        _discount(basket, rule, goods, before.running) + roundings,
        sum(_rooms(basket, rule, goods, before.running)),
    )


def _freight_off(rule: CompiledRule, freight_fen: int) -> int:
    free = rule.rule.effect.free_freight
    return min(free.up_to_fen, freight_fen) if free is not None and free.up_to_fen else freight_fen


def _discount(
    basket: Basket, rule: CompiledRule, goods: Sequence[int], running: Sequence[int]
) -> int:
    assert rule.cart_discount is not None
    amounts, units = basket.amounts if rule.original else running, basket.units
    if len(goods) < len(amounts):
        amounts, units = [amounts[g] for g in goods], [units[g] for g in goods]
    return rule.cart_discount(amounts, units)


def _rooms(
    basket: Basket, rule: CompiledRule, goods: Sequence[int], running: Sequence[int]
) -> Sequence[int]:
    """Return how much may be taken off each good."""
    if not rule.floor_bp:
        return running if len(goods) == len(running) else [running[g] for g in goods]
    floors = basket.floors
    if rule.stricter_floor:
        floors = [floor_fen(amount, rule.floor_bp) for amount in basket.amounts]
        return [max(0, running[g] - floors[g]) for g in goods]
    if len(goods) == len(running):
        return [left - floor for left, floor in zip(running, floors, strict=True)]
    return [running[g] - floors[g] for g in goods]
