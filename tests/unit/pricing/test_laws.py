"""Laws of pricing over random packs and carts."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.order import CartLine, SkuUnits
from schemas.promotion import Base, Level, Rule, RulePack
from streams.orders.units import cost_fen
from streams.pricing import Cart, Coupon, ListPrice, Member, PricedCart, compile_pack, price
from streams.pricing.rounding import apportion
from tests.unit.pricing.reference import SlowRule, best, merged
from tests.unit.pricing.shop import (
    FREE_FREIGHT,
    SHOP,
    SHOPPER,
    Prices,
    fixed,
    gift,
    nth,
    off,
    pack,
    percent,
    told,
)

SKUS = (1, 2, 3, 4)
CODES = ("A", "B", "C")

skus = st.none() | st.frozensets(st.sampled_from(SKUS), min_size=1)
prices_of = st.fixed_dictionaries({sku: st.integers(0, 3_000) for sku in SKUS})
wanted = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 5)), min_size=1, max_size=6)


@st.composite
def slow_rules(draw: st.DrawFn) -> tuple[SlowRule, ...]:
    """Rules that the slow pricing knows."""
    count = draw(st.integers(0, 7))
    codes = iter(CODES)
    rules = []
    for n in range(count):
        level = draw(st.integers(0, 2))
        code = next(codes, "") if level == 2 else ""
        level = level if code or level < 2 else 1
        is_percent = draw(st.booleans())
        rules.append(
            SlowRule(
                rule_id=f"r{n}",
                level=level,
                skus=draw(skus),
                bp=draw(st.integers(1, 10_000)) if is_percent else 0,
                up_to_fen=draw(st.sampled_from((0, 0, 500))) if is_percent and level else 0,
                fen=0 if is_percent else draw(st.integers(1, 1_500)),
                every_fen=draw(st.sampled_from((0, 0, 2_000))) if not is_percent and level else 0,
                needs_fen=draw(st.sampled_from((0, 0, 1_000, 5_000, 9_000))),
                group=draw(st.sampled_from(("", "a", "b"))),
                excludes=frozenset(draw(st.sets(st.sampled_from([f"r{m}" for m in range(n)]))))
                if n and draw(st.booleans())
                else frozenset(),
                priority=draw(st.integers(0, 2)),
                original=draw(st.booleans()),
                floor_bp=draw(st.sampled_from((0, 0, 3_000))),
                code=code,
            )
        )
    return tuple(rules)


def as_rule(slow: SlowRule) -> Rule:
    items = (
        "" if slow.skus is None else f"item.sku_id in ({', '.join(map(str, sorted(slow.skus)))},)"
    )
    return Rule(
        rule_id=slow.rule_id,
        level=(Level.ITEM, Level.ORDER, Level.COUPON)[slow.level],
        effect=percent(slow.bp, slow.up_to_fen) if slow.bp else off(slow.fen, slow.every_fen),
        items=items,
        when=f"items.fen >= {slow.needs_fen}" if slow.needs_fen else "",
        coupon=slow.code,
        group=slow.group,
        excludes=tuple(sorted(slow.excludes)),
        priority=slow.priority,
        base=Base.ORIGINAL if slow.original else Base.DISCOUNTED,
        floor_bp=slow.floor_bp,
    )


@dataclass(frozen=True)
class Case:
    """A pack, a cart and the prices."""

    pack: RulePack
    wanted: tuple[tuple[int, int], ...]
    prices: dict[int, int]
    freight_fen: int = 0

    def priced(self) -> PricedCart:
        listed = Prices({sku: ListPrice(fen, "CNY") for sku, fen in self.prices.items()})
        lines = tuple(CartLine(sku_id, qty, 0) for sku_id, qty in self.wanted)
        shopper = SHOPPER._replace(
            coupons=tuple(Coupon(code) for code in CODES), member=Member(level=1)
        )
        cart = Cart(SHOP, "CNY", lines, self.freight_fen)
        found = price(cart, listed, compile_pack(self.pack), shopper)
        assert isinstance(found, PricedCart)
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Packs with all kinds of effects."""
    rules = [as_rule(slow) for slow in draw(slow_rules())]
    more: list[Rule] = []
    for n in range(draw(st.integers(0, 3))):
        kind = draw(st.integers(0, 5))
        about = draw(st.sampled_from(("", "item.sku_id == 1", "item.unit_price_fen > 500")))
        group = draw(st.sampled_from(("", "a")))
        level = draw(st.sampled_from((Level.ITEM, Level.ORDER)))
        effect = (
            fixed(draw(st.integers(0, 2_000))),
            fixed(draw(st.integers(0, 4_000)), draw(st.integers(2, 3))),
            nth(draw(st.integers(2, 3)), draw(st.integers(1, 10_000))),
        )[kind % 3]
        if kind == 4:
            level, effect = Level.FREIGHT, FREE_FREIGHT
        elif kind == 5:
            level, effect = Level.GIFT, gift(9)
        requires = (rules[0].rule_id,) if rules and level is Level.GIFT else ()
        more.append(Rule(f"x{n}", level, effect, items=about, group=group, requires=requires))
    return Case(
        pack(*rules, *more, floor_bp=draw(st.sampled_from((None, 1_000))), fen_per_point=100),
        tuple(draw(wanted)),
        draw(prices_of),
        draw(st.sampled_from((0, 800))),
    )


@settings(max_examples=100, deadline=None)
@given(slow_rules(), wanted, prices_of, st.sampled_from((0, 2_000)))
def test_the_best_price_is_what_trying_everything_finds(
    rules: tuple[SlowRule, ...],
    lines: list[tuple[int, int]],
    prices: dict[int, int],
    floor_bp: int,
) -> None:
    goods = tuple(merged(lines, prices))
    slow = best(rules, goods, floor_bp)

    found = Case(pack(*map(as_rule, rules), floor_bp=floor_bp), tuple(lines), prices).priced()

    assert told(found).exhaustive
    assert found.total_fen == slow.total_fen
    used = tuple(sorted(c.resource_id.split("/")[1] for c in told(found).claims if c.capacity == 1))
    assert used == slow.codes


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_amount_is_negative_and_all_adds_up(case: Case) -> None:
    found = case.priced()

    assert [(line.sku_id, line.qty) for line in found.lines] == list(case.wanted)
    for line in found.lines:
        assert line.payable_fen == line.qty * line.unit_price_fen - line.discount_fen
        assert line.payable_fen >= 0 <= line.discount_fen
    assert 0 <= found.freight_fen <= case.freight_fen
    assert found.total_fen == sum(line.payable_fen for line in found.lines) + found.freight_fen
    discounts = sum(rule.discount_fen for rule in found.rules)
    off_lines = sum(line.discount_fen for line in found.lines)
    assert discounts == off_lines + case.freight_fen - found.freight_fen


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_good_falls_below_the_declared_floor(case: Case) -> None:
    floor_bp = case.pack.floor_bp or 0
    by_sku: dict[int, list[int]] = {}
    for line in case.priced().lines:
        amounts = by_sku.setdefault(line.sku_id, [0, 0])
        amounts[0] += line.qty * line.unit_price_fen
        amounts[1] += line.payable_fen
    for listed_fen, payable_fen in by_sku.values():
        assert payable_fen * 10_000 >= listed_fen * floor_bp


@settings(max_examples=40, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_rules_and_of_lines_changes_nothing(case: Case, draw: random.Random) -> None:
    rules, lines = list(case.pack.rules), list(case.wanted)
    draw.shuffle(rules)
    draw.shuffle(lines)
    other = Case(
        replace(case.pack, rules=tuple(rules)), tuple(lines), case.prices, case.freight_fen
    ).priced()

    found = case.priced()
    assert other.rules == found.rules
    assert other.total_fen == found.total_fen
    assert other.promotions == found.promotions
    assert sorted(other.lines, key=repr) == sorted(found.lines, key=repr)


@pytest.mark.parametrize(
    "extra",
    [
        Rule("other-goods", Level.ITEM, percent(9_000), items="item.sku_id == 99", group="a"),
        Rule("other-day", Level.ORDER, off(9_000), when="time.weekday == 7", group="a"),
        Rule("too-dear", Level.ORDER, percent(9_000), when="cart.fen >= 9_000_000", group="b"),
        Rule("other-code", Level.COUPON, percent(9_000), coupon="Z", group="a"),
        Rule("ended", Level.ORDER, percent(9_000), effective_until_ms=1, group="a"),
        Rule("later", Level.ORDER, percent(9_000), effective_from_ms=2**60, priority=9),
    ],
    ids=lambda rule: rule.rule_id,
)
@settings(max_examples=15, deadline=None)
@given(case=cases())
def test_a_rule_that_does_not_apply_changes_nothing(extra: Rule, case: Case) -> None:
    with_it = Case(
        replace(case.pack, rules=(*case.pack.rules, extra)),
        case.wanted,
        case.prices,
        case.freight_fen,
    ).priced()

    found = case.priced()
    outcomes = tuple(one for one in told(with_it).outcomes if one.rule_id != extra.rule_id)
    assert with_it._replace(promotions=None) == found._replace(promotions=None)
    assert told(with_it)._replace(outcomes=outcomes) == told(found)


@settings(max_examples=40, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_refunding_every_unit_gives_back_exactly_what_was_paid(
    case: Case, draw: random.Random
) -> None:
    found = case.priced()
    units = [line.sku_id for line in found.lines for _ in range(line.qty)]
    draw.shuffle(units)
    back_fen = 0
    for done, sku_id in enumerate(units):
        before = [RefundedBefore((SkuUnits(sku, 1),)) for sku in units[:done]]
        share_fen = cost_fen(found.lines, before, (SkuUnits(sku_id, 1),))  # type: ignore[arg-type]  # only units are read
        assert share_fen >= 0
        back_fen += share_fen

    assert back_fen == found.total_fen - found.freight_fen


@dataclass(frozen=True)
class RefundedBefore:
    """What was given back earlier."""

    units: tuple[SkuUnits, ...]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=100), st.data())
def test_shares_sum_up_to_the_whole_and_none_exceeds_its_weight(
    weights: list[int], data: st.DataObject
) -> None:
    total_fen = data.draw(st.integers(0, sum(weights)))

    shares = apportion(total_fen, weights)

    assert sum(shares) == total_fen
    for share, weight in zip(shares, weights, strict=True):
        assert 0 <= share <= weight
        assert abs(share * sum(weights) - total_fen * weight) < max(1, sum(weights))
