"""What effects take off: of one good at ITEM level, of goods together above it.

Each function returns the discount in fen before floors: how much of it there is room for is not for
the effect to know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from schemas.promotion import (
    AmountOff,
    DepositInflation,
    Effect,
    FixedPrice,
    NthItem,
    PercentOff,
    Rule,
)
from streams.pricing.rounding import part_fen, share_fen

ItemDiscount: TypeAlias = Callable[[int, int, int], int]
"""(units, base_fen, running_fen) of one good -> discount_fen. The base is what a share is taken of,
running what the good costs before this rule."""

CartDiscount: TypeAlias = Callable[[Sequence[int], Sequence[int]], int]
"""(base_fen, units) of the rule's goods -> discount_fen."""

_FINE = 1_000_000
"""Prices of units are compared in millionths of a fen."""


def item_discount(effect: Effect) -> ItemDiscount:
    """Return what the effect of an ITEM rule takes off; ValueError when it has none there."""
    if (amount := effect.amount_off) is not None:
        return _amount_of_item(amount)
    if (percent := effect.percent_off) is not None:
        return _percent_of_item(percent)
    if (fixed := effect.fixed_price) is not None:
        return _fixed_of_item(fixed)
    if (nth := effect.nth_item) is not None:
        return _nth_of_item(nth)
    if (deposit := effect.deposit_inflation) is not None:
        return _deposit_of_item(deposit)
    raise ValueError("an ITEM rule takes something off the price of a good")


def cart_discount(effect: Effect) -> CartDiscount:
    """Return what the effect of an ORDER or COUPON rule takes off; ValueError when it has none."""
    if (amount := effect.amount_off) is not None:
        return _amount_of_cart(amount)
    if (percent := effect.percent_off) is not None:
        return _percent_of_cart(percent)
    if (fixed := effect.fixed_price) is not None:
        return _fixed_of_cart(fixed)
    if (nth := effect.nth_item) is not None:
        return _nth_of_cart(nth)
    raise ValueError("an ORDER or COUPON rule takes something off the price of goods")


def least(rule: Rule) -> tuple[str, int] | None:
    """Return the name and the least value that the effect itself asks for; None: nothing."""
    effect = rule.effect
    if effect.amount_off is not None and effect.amount_off.every_fen:
        return "items.fen", effect.amount_off.every_fen
    if effect.nth_item is not None:
        return "items.units", effect.nth_item.nth
    if effect.fixed_price is not None and effect.fixed_price.units > 1:
        return "items.units", effect.fixed_price.units
    return None


def _times(amount: AmountOff, base_fen: int) -> int:
    if not amount.every_fen:
        return 1
    times = base_fen // amount.every_fen
    return min(times, amount.times) if amount.times else times


def _amount_of_item(amount: AmountOff) -> ItemDiscount:
    if amount.every_fen:
        return lambda _units, base_fen, _running: amount.fen * _times(amount, base_fen)
    return lambda units, _base, _running: amount.fen * units


def _percent_of_item(percent: PercentOff) -> ItemDiscount:
    bp, bound = percent.bp, percent.up_to_fen
    if not bound:
        return lambda _units, base_fen, _running: share_fen(base_fen, bp)
    return lambda _units, base_fen, _running: min(share_fen(base_fen, bp), bound)


def _fixed_of_item(fixed: FixedPrice) -> ItemDiscount:
    """Units that make up no full number stay as they are."""

    def discount(units: int, _base: int, running_fen: int) -> int:
        times = units // fixed.units
        return max(0, part_fen(running_fen, times * fixed.units, units) - times * fixed.fen)

    return discount


def _nth_of_item(nth: NthItem) -> ItemDiscount:
    return lambda units, base_fen, _running: share_fen(
        part_fen(base_fen, units // nth.nth, units), nth.bp
    )


def _deposit_of_item(deposit: DepositInflation) -> ItemDiscount:
    gain_fen = deposit.counts_as_fen - deposit.deposit_fen
    return lambda units, _base, _running: gain_fen * units


def _amount_of_cart(amount: AmountOff) -> CartDiscount:
    if not amount.every_fen:
        return lambda _base, _units: amount.fen
    return lambda base_fen, _units: amount.fen * _times(amount, sum(base_fen))


def _percent_of_cart(percent: PercentOff) -> CartDiscount:
    bp, bound = percent.bp, percent.up_to_fen
    if not bound:
        return lambda base_fen, _units: share_fen(sum(base_fen), bp)
    return lambda base_fen, _units: min(share_fen(sum(base_fen), bp), bound)


def _dearest_first(base_fen: Sequence[int], units: Sequence[int]) -> list[int]:
    """Return the goods by the price of a unit; among equals the earlier one first."""
    return sorted(range(len(units)), key=lambda i: (-(base_fen[i] * _FINE // units[i]), i))


def _fixed_of_cart(fixed: FixedPrice) -> CartDiscount:
    def discount(base_fen: Sequence[int], units: Sequence[int]) -> int:
        times = sum(units) // fixed.units
        left, taken_fen = times * fixed.units, 0
        for i in _dearest_first(base_fen, units):
            taken = min(left, units[i])
            taken_fen += part_fen(base_fen[i], taken, units[i])
            left -= taken
        return max(0, taken_fen - times * fixed.fen)

    return discount


def _nth_of_cart(nth: NthItem) -> CartDiscount:
    """Of units laid out by price, dearest first, every nth one is the cheapest of its ``nth``."""

    def discount(base_fen: Sequence[int], units: Sequence[int]) -> int:
        before, total_fen = 0, 0
        for i in _dearest_first(base_fen, units):
            after = before + units[i]
            cheap = after // nth.nth - before // nth.nth
            total_fen += share_fen(part_fen(base_fen[i], cheap, units[i]), nth.bp)
            before = after
        return total_fen

    return discount
