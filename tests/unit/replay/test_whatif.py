"""What-if on recorded orders: the pack in force changes nothing, a hole in a draft shows itself."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from schemas import topics
from schemas.codec import local_codec
from schemas.order import CartLine, HoldRef, OrderPaid, OrderPlaced
from schemas.promotion import AmountOff, Effect, Level, PercentOff, Rule, RulePack
from schemas.record import Record
from streams.engine.memory import MemoryHost
from streams.pricing import (
    Cart,
    Coupon,
    ListPrice,
    Member,
    PricedCart,
    Shopper,
    compile_pack,
    price,
)
from streams.pricing.packs import pin_of
from topologies.pipeline import all_records
from topologies.replay import whatif_report
from topologies.replay.log import MemoryRecordedLog
from topologies.replay.whatif import Report, WhatIf, history

SHOP, SHOES, HAT = 7, 1, 2
PRICES = {SHOES: ListPrice(10_000, "CNY", "shoes"), HAT: ListPrice(4_000, "CNY", "hats")}
CATEGORIES = {sku: listed.category for sku, listed in PRICES.items()}
CODEC = local_codec(all_records())

SALE = Rule(
    "sale",
    Level.ITEM,
    Effect(percent_off=PercentOff(2_000)),
    items="item.category == 'shoes'",
    group="price",
)
CLEARANCE = replace(SALE, rule_id="clearance", effect=Effect(percent_off=PercentOff(3_000)))
FIRST = Rule("first", Level.ORDER, Effect(amount_off=AmountOff(500)), when="member.orders == 0")
COUPON = Rule("coupon", Level.COUPON, Effect(amount_off=AmountOff(100)), coupon="C-*")
IN_FORCE = RulePack("autumn", SHOP, (SALE, CLEARANCE, FIRST, COUPON), version=3, floor_bp=1_000)


class Prices:
    """The prices of the shop."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return PRICES.get(sku_id)


def placed(
    n: int, sku: int, pack: RulePack | None, code: str = "", paid_before: int = 0
) -> OrderPlaced:
    """Return the n-th order, one unit for buyer n, as the pack prices it."""
    at_ms, number = 1_000 * n, f"{n:016}"
    coupons = (Coupon(code),) if code else ()
    shopper = Shopper(at_ms, n, Member(orders=paid_before), coupons)
    compiled = None if pack is None else compile_pack(pack)
    cart = price(Cart(SHOP, "CNY", (CartLine(sku, 1, 0),)), Prices(), compiled, shopper)
    assert isinstance(cart, PricedCart)
    holds = (HoldRef(f"{number}/{code}", "promotion", f"coupon:{SHOP}/{code}", 1),) if code else ()
    return OrderPlaced(
        number, 1, SHOP, n, "CNY", cart.lines, cart.rules, holds, cart.total_fen, at_ms,
        "00112233aabbccdd", "standard", None, f"{n:032}", pin_of(pack) if pack is not None else "",
    )  # fmt: skip


def what_if(draft: RulePack, facts: Iterable[Record], since_ms: int | None = None) -> Report:
    host = MemoryHost((), CODEC, partitions=2)
    for fact in facts:
        host.send(topics.ORDER_EVENTS.name, fact.order_no, fact)  # type: ignore[attr-defined]
    log = MemoryRecordedLog(host.log)
    past = history(log, CODEC, SHOP, since_ms, None, lambda _done, _total: None)
    run = WhatIf(draft, {pin_of(IN_FORCE): IN_FORCE}, CATEGORIES)
    return run.run(past, lambda _done, _total: None)


def test_the_pack_in_force_changes_nothing() -> None:
    paid = OrderPaid("0" * 16, 3, SHOP, 3, "CNY", 1, "1", 2_500, "0" * 32)
    orders = [
        placed(1, SHOES, IN_FORCE),
        placed(2, HAT, IN_FORCE, "C-1"),
        placed(3, SHOES, IN_FORCE, paid_before=1),
    ]
    report = what_if(IN_FORCE, [*orders, paid])
    assert report == Report(
        draft="autumn@3",
        orders=3,
        before_fen=sum(one.total_fen for one in orders),
        after_fen=sum(one.total_fen for one in orders),
        by_rule=report.by_rule,
    )
    assert not any(report.by_rule.values())


def test_a_stacking_hole_shows_its_loss_and_names_the_rules() -> None:
    # given two shares that never stood together, a draft forgets the group of one
    hole = replace(IN_FORCE, version=0, rules=(SALE, replace(CLEARANCE, group=""), FIRST, COUPON))
    report = what_if(hole, [placed(1, SHOES, IN_FORCE), placed(2, HAT, IN_FORCE)])

    # then 100.00 less 30 % less 5.00 were 65.00; with 20 % off the 70.00 as well they are 51.00
    assert (report.before_fen, report.after_fen) == (6_500 + 3_500, 5_100 + 3_500)
    plain = whatif_report.as_json(report)
    assert plain["difference_fen"] == -1_400
    assert plain["changed"] == 1
    assert plain["by_rule"] == {"sale": -1_400}
    assert plain["by_rules"][0]["rules"] == ["clearance", "sale", "first"]
    assert plain["by_category"] == {"shoes": -1_400}
    assert [one["order_no"] for one in plain["winners"]] == [f"{1:016}"]
    assert plain["losers"] == []
    page = whatif_report.page(report)
    assert "clearance + sale + first: -14.00" in page
    assert "http" not in page


def test_orders_of_before_packs_cost_what_is_recorded() -> None:
    report = what_if(IN_FORCE, [placed(1, SHOES, None)])
    assert (report.before_fen, report.after_fen) == (10_000, 6_500)


def test_orders_that_find_a_budget_spent_would_be_refused() -> None:
    spent = replace(FIRST, budget_fen=1_200)
    draft = replace(IN_FORCE, version=0, rules=(SALE, CLEARANCE, spent, COUPON))
    report = what_if(draft, [placed(n, HAT, IN_FORCE) for n in (1, 2, 3)])
    budget = f"{SHOP}/autumn/first"
    assert [(one.order_no, one.resource_id) for one in report.refused] == [(f"{3:016}", budget)]
    assert report.burned == {budget: [(1_000, 500), (2_000, 1_000)]}
    assert report.capacities == {budget: 1_200}
    assert report.difference_fen == 0


def test_only_orders_of_the_time_count_once_each() -> None:
    orders = [placed(n, HAT, IN_FORCE) for n in (1, 2, 2)]
    assert what_if(IN_FORCE, orders, since_ms=2_000).orders == 1
