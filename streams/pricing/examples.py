"""A pack's own examples: what its author says that carts must cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schemas.order import CartLine
from schemas.promotion import Example, ExampleMember, RulePack
from streams.pricing.cart import Cart, PricedCart
from streams.pricing.compiled import CompiledPack, InvalidPack, compile_pack
from streams.pricing.findings import Finding, LintCode
from streams.pricing.outcome import Verdict
from streams.pricing.price import price
from streams.pricing.price_list import ListPrice
from streams.pricing.shopper import Coupon, Member, Shopper


class _ExamplePrices(NamedTuple):
    """The list prices that an example is about."""

    prices: dict[int, ListPrice]

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        """Return the price of a sku, whatever the shop."""
        return self.prices.get(sku_id)


def run_examples(pack: RulePack) -> Iterator[Finding]:
    """Return the examples that the pack does not keep; a pack without examples keeps none."""
    if not pack.examples:
        detail = "write at least one cart with what it must cost"
        yield Finding(LintCode.EXAMPLE_FAILED, "", ("examples",), detail)
        return
    try:
        compiled = compile_pack(pack)
    except InvalidPack as error:
        yield Finding(LintCode.BAD_PACK, "", ("rules",), str(error))
        return
    for index, example in enumerate(pack.examples):
        detail = _failure(compiled, example)
        if detail:
            path = ("examples", index, "total_fen")
            yield Finding(LintCode.EXAMPLE_FAILED, "", path, f"{example.name}: {detail}")


def price_example(compiled: CompiledPack, example: Example) -> PricedCart:
    """Return what an example's cart costs under a pack."""
    currency = compiled.pack.currency
    prices = _ExamplePrices(
        {
            line.sku_id: ListPrice(line.unit_price_fen, currency, line.category)
            for line in example.lines
        }
    )
    lines = tuple(CartLine(line.sku_id, line.qty, line.unit_price_fen) for line in example.lines)
    member = example.member or ExampleMember()
    shopper = Shopper(
        now_ms=example.at_ms,
        member=Member(member.level, member.growth, member.orders, frozenset(member.tags)),
        coupons=tuple(Coupon(code) for code in example.coupons),
        channel=example.channel,
        flow=example.flow,
    )
    cart = Cart(compiled.pack.shop_id, currency, lines, example.freight_fen)
    priced = price(cart, prices, compiled, shopper)
    assert isinstance(priced, PricedCart)  # every line of an example has its price
    return priced


def _failure(compiled: CompiledPack, example: Example) -> str:
    """Return what is wrong with an example; empty: nothing."""
    priced = price_example(compiled, example)
    assert priced.promotions is not None
    applied = {one.rule_id for one in priced.promotions.outcomes if one.verdict is Verdict.APPLIED}
    if priced.total_fen != example.total_fen:
        by = ", ".join(sorted(applied)) or "no rule"
        return (
            f"costs {priced.total_fen}, not {example.total_fen} (applied: {by}); correct the "
            "rules or the example"
        )
    if example.rules is not None and applied != set(example.rules):
        return (
            f"applied are {', '.join(sorted(applied)) or 'none'}, not "
            f"{', '.join(sorted(example.rules)) or 'none'}; correct the rules or the example"
        )
    return ""
