"""What rules do to a cart, and what they say."""

from __future__ import annotations

import pytest

from schemas.order import AppliedRule
from schemas.promotion import (
    Base,
    DepositInflation,
    Effect,
    FreeFreight,
    Level,
    PointsMultiplier,
    Rule,
)
from streams.pricing import Coupon, Member
from streams.pricing.outcome import Claim, ClaimKind, GiftUnits, Need, Outcome, Verdict
from streams.pricing.outcome import RefusalReason as Why
from streams.pricing.words import explain
from tests.unit.pricing.shop import (
    FREE_FREIGHT,
    NOW_MS,
    SHOPPER,
    fixed,
    gift,
    nth,
    off,
    outcome,
    pack,
    percent,
    priced,
    told,
)

SHOES, HATS, SOCKS = 1, 2, 3  # 100.00, 50.00 and 9.99


@pytest.mark.parametrize(
    ("rule", "cart", "total_fen"),
    [
        (Rule("r", Level.ITEM, percent(1_500)), (SOCKS, 1), 850),  # 149.85 rounds down to 149
        (Rule("r", Level.ITEM, off(100)), (SOCKS, 2), 1_798),
        (Rule("r", Level.ITEM, fixed(888)), (SOCKS, 2), 1_776),
        (Rule("r", Level.ITEM, fixed(1_200)), (SOCKS, 2), 1_998),  # no dearer than before
        (Rule("r", Level.ITEM, fixed(1_500, 2)), (SOCKS, 3), 2_499),  # one is left over
        (Rule("r", Level.ITEM, nth(2, 5_000)), (SOCKS, 3), 2_498),
        (Rule("r", Level.ORDER, off(100)), (SOCKS, 2), 1_898),
        (Rule("r", Level.ORDER, off(300, 900)), (SOCKS, 2), 1_398),
        (Rule("r", Level.ORDER, off(300, 900, times=1)), (SOCKS, 2), 1_698),
        (Rule("r", Level.ORDER, percent(5_000, up_to_fen=200)), (SOCKS, 2), 1_798),
        (Rule("r", Level.ORDER, off(99_999)), (SOCKS, 2), 0),
    ],
)
def test_an_effect_takes_off_what_it_says(
    rule: Rule, cart: tuple[int, int], total_fen: int
) -> None:
    assert priced(pack(rule), cart).total_fen == total_fen


def test_of_goods_together_the_cheap_one_is_the_second_at_half_price() -> None:
    half = Rule("half", Level.ORDER, nth(2, 5_000))
    cart = priced(pack(half), (SHOES, 1), (HATS, 1))
    assert cart.rules == (AppliedRule("half", 2_500),)


def test_a_bundle_takes_the_dearest_units() -> None:
    any_two = Rule("any-two", Level.ORDER, fixed(9_900, 2))
    cart = priced(pack(any_two), (SHOES, 1), (HATS, 1), (SOCKS, 1))
    assert cart.total_fen == 9_900 + 999


def test_a_discount_is_shared_out_to_the_fen_and_frozen_in_the_lines() -> None:
    cart = priced(pack(Rule("r", Level.ORDER, off(1_000))), (SHOES, 1), (HATS, 1), (SOCKS, 1))
    assert [line.discount_fen for line in cart.lines] == [625, 313, 62]


def test_lines_of_one_sku_are_one_good() -> None:
    together = priced(pack(Rule("r", Level.ITEM, nth(2, 5_000))), (SOCKS, 2))
    apart = priced(pack(Rule("r", Level.ITEM, nth(2, 5_000))), (SOCKS, 1), (SOCKS, 1))
    assert apart.total_fen == together.total_fen
    assert [line.discount_fen for line in apart.lines] == [250, 249]


def test_a_rule_on_list_prices_looks_at_what_was_not_discounted() -> None:
    sale = Rule("sale", Level.ITEM, percent(5_000))
    for base, total_fen in ((Base.ORIGINAL, 4_000), (Base.DISCOUNTED, 4_500)):
        more = Rule("more", Level.ORDER, percent(1_000), base=base)
        assert priced(pack(sale, more), (SHOES, 1)).total_fen == total_fen


def test_of_a_group_the_rule_that_gives_more_takes_part_good_by_good() -> None:
    shoes = Rule("shoes", Level.ITEM, percent(2_000), items="item.sku_id == 1", group="price")
    member = Rule("member", Level.ITEM, percent(500), when="member.level >= 2", group="price")

    cart = priced(pack(shoes, member), (SHOES, 1), (HATS, 1), member=Member(level=2))

    assert cart.rules == (AppliedRule("member", 250), AppliedRule("shoes", 2_000))


def test_what_may_not_stand_together_is_told_by_whom() -> None:
    low = Rule("low", Level.ORDER, off(500), group="full")
    high = Rule("high", Level.ORDER, off(900), group="full")

    cart = priced(pack(low, high), (SHOES, 1))

    assert outcome(cart, "low") == Outcome(
        "low", Verdict.REFUSED, reason=Why.OUTRANKED, detail="high"
    )


def test_a_group_keeps_nobody_off_other_goods() -> None:
    shoes = Rule("shoes", Level.ORDER, off(500), items="item.sku_id == 1", group="full")
    hats = Rule("hats", Level.ORDER, off(300), items="item.category == 'hats'", group="full")
    assert priced(pack(shoes, hats), (SHOES, 1), (HATS, 1)).total_fen == 15_000 - 800


def test_a_coupon_may_bar_a_sale_price_when_that_is_cheaper() -> None:
    sale = Rule("sale", Level.ITEM, percent(1_000))
    coupon = Rule("big", Level.COUPON, off(3_000), coupon="BIG", excludes=("sale",))
    rules = pack(sale, coupon)

    assert priced(rules, (SHOES, 1), coupons=("BIG",)).total_fen == 7_000
    dear = priced(rules, (SHOES, 4), coupons=("BIG",))  # 10 % of 400 is more than 30
    assert dear.total_fen == 36_000
    assert outcome(dear, "big").reason is Why.OUTRANKED


def test_rules_have_their_turns_by_level_requirement_priority_and_id() -> None:
    rules = pack(
        Rule("z", Level.COUPON, off(1), coupon="Z"),
        Rule("b", Level.ORDER, off(1)),
        Rule("a", Level.ORDER, off(1)),
        Rule("late", Level.ORDER, off(1), requires=("b",), priority=5),
        Rule("first", Level.ORDER, off(1), priority=1),
        Rule("item", Level.ITEM, off(1)),
    )
    cart = priced(rules, (SHOES, 1), coupons=("Z",))
    assert [rule.rule_id for rule in cart.rules] == ["item", "first", "a", "b", "late", "z"]


def test_a_threshold_says_how_much_more_it_takes() -> None:
    full = Rule("full", Level.ORDER, off(2_000), when="cart.fen >= 20_000 and items.units >= 3")
    cart = priced(pack(full), (SHOES, 1), (HATS, 1))

    needs = (Need("fen", 5_000, False), Need("units", 1, True))
    assert outcome(cart, "full") == Outcome(
        "full", Verdict.NEEDS, detail="cart.fen >= 20000", needs=needs
    )
    assert (
        explain(outcome(cart, "full")) == "full: spend 50.00 more and add 1 more unit of its goods"
    )


def test_a_condition_that_more_goods_do_not_help_is_refused_with_the_term() -> None:
    full = Rule("full", Level.ORDER, off(2_000), when="cart.fen >= 20_000 and channel == 'app'")
    assert outcome(priced(pack(full), (SHOES, 1)), "full") == Outcome(
        "full", Verdict.REFUSED, reason=Why.CONDITION, detail="channel == 'app'"
    )


def test_a_threshold_on_what_is_left_sees_the_discounts_before_it() -> None:
    sale = Rule("sale", Level.ITEM, percent(2_000))
    full = Rule("full", Level.ORDER, off(1_000), when="cart.fen >= 10_000")
    assert outcome(priced(pack(sale, full), (SHOES, 1)), "full").needs == (
        Need("fen", 2_000, False),
    )


def test_a_coupon_that_does_not_make_it_cheaper_is_kept() -> None:
    rules = pack(
        Rule("order", Level.ORDER, off(99_999)),
        Rule("coupon", Level.COUPON, off(100), coupon="C"),
    )
    cart = priced(rules, (SHOES, 1), coupons=("C",))
    assert outcome(cart, "coupon").verdict is Verdict.REFUSED
    assert told(cart).claims == ()


def test_of_coupons_that_do_the_same_the_fewest_then_the_first_to_expire_then_by_code() -> None:
    rules = pack(
        Rule("one", Level.COUPON, off(600), coupon="A", group="c"),
        Rule("two", Level.COUPON, off(600), coupon="B", group="c"),
    )

    def used(*coupons: Coupon) -> list[str]:
        cart = priced(rules, (SHOES, 1), coupons=coupons)
        return [one.coupon for one in told(cart).outcomes if one.verdict is Verdict.APPLIED]

    assert used(Coupon("A"), Coupon("B")) == ["A"]
    assert used(Coupon("A"), Coupon("B", NOW_MS + 1)) == ["B"]
    assert used(Coupon("A", NOW_MS + 2), Coupon("B", NOW_MS + 1)) == ["B"]
    floor = pack(
        Rule("small", Level.COUPON, off(600), coupon="A"),
        Rule("large", Level.COUPON, off(99_999), coupon="B"),
    )
    cart = priced(floor, (SHOES, 1), coupons=("A", "B"))
    assert cart.rules == (AppliedRule("large", 10_000),)


def test_every_presented_coupon_is_answered() -> None:
    rules = pack(
        Rule("save", Level.COUPON, off(100), coupon="SAVE-*"),
        Rule("later", Level.COUPON, off(100), coupon="LATER", effective_from_ms=NOW_MS + 1),
        Rule("over", Level.COUPON, off(100), coupon="OVER", effective_until_ms=NOW_MS),
        Rule("hats", Level.COUPON, off(100), coupon="HATS", items="item.category == 'hats'"),
    )
    shown = (
        *(Coupon("SAVE-2"), Coupon("SAVE-1"), Coupon("SAVE-0", NOW_MS)),
        *(Coupon("LATER"), Coupon("OVER"), Coupon("HATS"), Coupon("NONSENSE")),
    )
    cart = priced(rules, (SHOES, 1), coupons=shown)

    answers = {one.coupon: one.reason for one in told(cart).outcomes}
    assert answers == {
        "SAVE-1": None,
        "SAVE-2": Why.COUPON_NOT_NEEDED,
        "SAVE-0": Why.COUPON_EXPIRED,
        "LATER": Why.NOT_YET,
        "OVER": Why.OVER,
        "HATS": Why.NO_SUCH_GOODS,
        "NONSENSE": Why.COUPON_UNKNOWN,
    }


def test_an_order_is_told_what_it_has_to_hold() -> None:
    rules = pack(
        Rule("flash", Level.ORDER, off(300), budget_fen=10_000, quota=1_000, per_user=1),
        Rule("save", Level.COUPON, off(100), coupon="SAVE-*", budget_fen=500),
    )
    assert told(priced(rules, (SHOES, 1), coupons=("SAVE-1",))).claims == (
        Claim(ClaimKind.BUDGET, "7/spring/flash", 300, 10_000),
        Claim(ClaimKind.QUOTA, "7/spring/flash", 1, 1_000),
        Claim(ClaimKind.PER_USER, "7/spring/flash/5", 1, 1),
        Claim(ClaimKind.COUPON, "7/SAVE-1", 1, 1),
        Claim(ClaimKind.BUDGET, "7/spring/save", 100, 500),
    )


def test_freight_is_priced_after_the_coupons_and_is_part_of_the_total() -> None:
    rules = pack(
        Rule("coupon", Level.COUPON, off(100), coupon="C"),
        Rule("free", Level.FREIGHT, FREE_FREIGHT, when="cart.fen >= 9_950"),
        Rule("half", Level.FREIGHT, Effect(free_freight=FreeFreight(up_to_fen=50))),
    )
    # The coupon takes 1.00 off and would lose 1.00 of freight: it is kept.
    cart = priced(rules, (SHOES, 1), coupons=("C",), freight_fen=200)
    assert (cart.total_fen, cart.freight_fen) == (10_000, 0)
    assert outcome(cart, "coupon").reason is Why.COUPON_NOT_NEEDED


def test_points_and_gifts_follow_what_was_applied() -> None:
    double = Effect(points_multiplier=PointsMultiplier(20_000))
    rules = pack(
        Rule("full", Level.ORDER, off(1_000), when="cart.fen >= 10_000"),
        Rule("double", Level.POINTS, double, items="item.sku_id == 1"),
        Rule("socks", Level.GIFT, gift(900, 2), requires=("full",)),
        fen_per_point=100,
    )
    rich, poor = told(priced(rules, (SHOES, 1), (HATS, 1))), told(priced(rules, (HATS, 1)))

    # 140.00 are paid: 93.33 for shoes, doubled, and 46.67 for hats
    assert (rich.points, rich.gifts) == (233, (GiftUnits("socks", 900, 2),))
    assert (poor.points, poor.gifts) == (50, ())
    assert poor.outcomes[-1] == Outcome(
        "socks", Verdict.REFUSED, reason=Why.REQUIRES, detail="full"
    )


def test_a_deposit_counts_as_more_than_it_is() -> None:
    inflated = Effect(deposit_inflation=DepositInflation(1_000, 3_000))
    rules = pack(Rule("presale", Level.ITEM, inflated, when="flow == 'presale'"))
    cart = priced(rules, (SHOES, 2), shopper=SHOPPER._replace(flow="presale"))
    assert (cart.total_fen, told(cart).deposit_fen) == (16_000, 2_000)


# --- known disasters -----------------------------------------------------------------------------


def test_stacked_percentages_give_nothing_away_beyond_the_declared_floor() -> None:
    stacked = [Rule(f"half-{n}", Level.ORDER, percent(5_000), base=Base.ORIGINAL) for n in range(4)]
    cart = priced(pack(*stacked, floor_bp=3_000), (SHOES, 1), (SOCKS, 1))
    assert [line.payable_fen for line in cart.lines] == [3_000, 300]
    assert outcome(cart, "half-3").reason is Why.AT_FLOOR


def test_a_rule_keeps_a_floor_of_its_own() -> None:
    rules = pack(
        Rule("careful", Level.ORDER, percent(9_000), floor_bp=5_000),
        Rule("coupon", Level.COUPON, off(1_000), coupon="C"),
    )
    assert priced(rules, (SHOES, 1)).total_fen == 5_000
    assert priced(rules, (SHOES, 1), coupons=("C",)).total_fen == 4_000


def test_no_pile_of_coupons_makes_a_total_negative() -> None:
    rules = pack(*(Rule(f"c{n}", Level.COUPON, off(9_000), coupon=f"C{n}") for n in range(5)))
    cart = priced(rules, (SHOES, 1), coupons=("C0", "C1", "C2", "C3", "C4"))
    assert cart.total_fen == 0
    assert len(cart.rules) == 2  # the others are the buyer's to keep


def test_many_ways_are_searched_up_to_a_bound_and_it_says_so() -> None:
    coupons = [
        Rule(
            f"c{n:02}",
            Level.COUPON,
            percent(100 + 37 * n),
            coupon=f"C{n:02}",
            when=f"cart.fen >= {9_000 + 20 * n}",
        )
        for n in range(16)
    ]
    cart = priced(pack(*coupons), (SHOES, 1), coupons=tuple(f"C{n:02}" for n in range(16)))
    assert not told(cart).exhaustive
    assert cart.total_fen < 9_000


def test_no_rule_is_left_out_for_the_sake_of_a_later_threshold() -> None:
    rules = pack(
        Rule("small", Level.ORDER, off(600), group="g", priority=2),
        Rule("never", Level.ORDER, off(900), group="g", priority=1, when="cart.fen <= 9_000"),
        Rule("large", Level.ORDER, off(3_000), when="cart.fen >= 9_500"),
    )
    cart = priced(rules, (SHOES, 1))
    assert cart.rules == (AppliedRule("small", 600),)
    assert outcome(cart, "large").needs == (Need("fen", 100, False),)


def test_a_coupon_is_kept_for_the_sake_of_a_later_threshold() -> None:
    rules = pack(
        Rule("a", Level.COUPON, off(600), coupon="A", priority=1),
        Rule("b", Level.COUPON, off(3_000), coupon="B", when="cart.fen >= 9_500"),
    )
    assert priced(rules, (SHOES, 1), coupons=("A", "B")).rules == (AppliedRule("b", 3_000),)
