"""A cart as promotions see it: goods, the values of names, and which rules are about what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.order import PricedLine
from streams.pricing import vocabulary
from streams.pricing.compiled import CompiledPack
from streams.pricing.expression import Environment
from streams.pricing.rounding import apportion, floor_fen
from streams.pricing.shopper import Shopper


@dataclass(slots=True)
class Basket:
    """The goods of a cart: every sku once, by number, whatever lines it is spread over.

    ``amounts`` are at list prices, ``floors`` what each good keeps whatever applies, ``env`` the
    values of the names of conditions.
    """

    skus: list[int]
    categories: list[str]
    units: list[int]
    prices: list[int]
    amounts: list[int]
    floors: list[int]
    total_fen: int
    freight_fen: int
    env: Environment
    _seen: tuple[Sequence[int], Sequence[int]] = field(default=((), ()))

    def look(self, goods: Sequence[int], amounts: Sequence[int]) -> None:
        """Let conditions see these goods as those of a rule, at ``amounts``; neither is changed."""
        seen_goods, seen_amounts = self._seen
        if goods is seen_goods and amounts is seen_amounts:
            return  # most rules are about all goods, and most take nothing off
        self._seen = goods, amounts
        env, units = self.env, self.units
        env[vocabulary.CART_FEN] = total_fen = sum(amounts)
        env[vocabulary.ITEMS_KINDS] = len(goods)
        if len(goods) == len(amounts):
            env[vocabulary.ITEMS_FEN] = total_fen
            env[vocabulary.ITEMS_UNITS] = sum(units)
        else:
            env[vocabulary.ITEMS_FEN] = sum([amounts[good] for good in goods])
            env[vocabulary.ITEMS_UNITS] = sum([units[good] for good in goods])


def fill(
    lines: Sequence[PricedLine],
    categories: Sequence[str],
    freight_fen: int,
    compiled: CompiledPack,
    shopper: Shopper,
) -> Basket:
    """Return the basket of lines at list prices; ``categories`` are the lines' goods'."""
    units: dict[int, int] = {}
    kinds: dict[int, tuple[int, str]] = {}
    for line, category in zip(lines, categories, strict=True):
        sku_id = line.sku_id
        units[sku_id] = units.get(sku_id, 0) + line.qty
        kinds[sku_id] = line.unit_price_fen, category
    skus = sorted(units)
    of_sku = [units[sku_id] for sku_id in skus]
    prices = [kinds[sku_id][0] for sku_id in skus]
    amounts = [price * qty for price, qty in zip(prices, of_sku, strict=True)]
    names = [kinds[sku_id][1] for sku_id in skus]
    total_fen, floor_bp = sum(amounts), compiled.floor_bp
    return Basket(
        skus=skus,
        categories=names,
        units=of_sku,
        prices=prices,
        amounts=amounts,
        floors=[floor_fen(amount, floor_bp) for amount in amounts] if floor_bp else [0] * len(skus),
        total_fen=total_fen,
        freight_fen=freight_fen,
        env=_environment(skus, names, sum(of_sku), total_fen, freight_fen, compiled, shopper),
    )


def _environment(
    skus: list[int],
    categories: list[str],
    units: int,
    total_fen: int,
    freight_fen: int,
    compiled: CompiledPack,
    shopper: Shopper,
) -> Environment:
    member = shopper.member
    env: list[Any] = [
        *(0, 0, 0),  # of the goods of a rule: Basket.look
        *(total_fen, units, len(skus), frozenset(skus), frozenset(categories), freight_fen),
        *(member.level, member.growth, member.orders, member.tags),
        *vocabulary.calendar(shopper.now_ms, compiled.pack.utc_offset_minutes),
        *(shopper.channel, shopper.flow),
    ]
    return env


def scopes(basket: Basket, compiled: CompiledPack) -> dict[int, tuple[int, ...]]:
    """Return the goods that each rule is about, by the rule's position, in the order of turns."""
    every_good = tuple(range(len(basket.skus)))
    found: dict[int, list[int]] = {}
    by_sku, by_category, anywhere = compiled.by_sku, compiled.by_category, compiled.anywhere
    for good, sku_id in enumerate(basket.skus):
        category = basket.categories[good]
        item: Environment = [
            *(sku_id, category, basket.prices[good], basket.units[good], basket.amounts[good])
        ]
        for rules in (by_sku.get(sku_id), by_category.get(category), anywhere):
            for position, check in rules or ():
                if check is None or check(item):
                    found.setdefault(position, []).append(good)
    of_rules = {position: tuple(goods) for position, goods in found.items()}
    of_rules.update(dict.fromkeys(compiled.everything, every_good) if every_good else {})
    return {position: of_rules[position] for position in sorted(of_rules)}


def discounted(
    lines: Sequence[PricedLine], basket: Basket, running: Sequence[int]
) -> tuple[PricedLine, ...]:
    """Return the lines with the discount of each good shared out over its lines.

    ``running`` is what each good costs after all discounts.
    """
    of_sku = {
        sku_id: amount - left
        for sku_id, amount, left in zip(basket.skus, basket.amounts, running, strict=True)
        if amount > left
    }
    if len(lines) == len(basket.skus):
        shares = [of_sku.get(line.sku_id, 0) for line in lines]
    else:
        shares = [0] * len(lines)
        for sku_id, discount_fen in of_sku.items():
            places = [i for i, line in enumerate(lines) if line.sku_id == sku_id]
            parts = apportion(discount_fen, [lines[i].payable_fen for i in places])
            for i, part in zip(places, parts, strict=True):
                shares[i] = part
    return tuple(
        PricedLine(
            line.sku_id, line.qty, line.unit_price_fen, share_fen, line.payable_fen - share_fen
        )
        if share_fen
        else line
        for line, share_fen in zip(lines, shares, strict=True)
    )
