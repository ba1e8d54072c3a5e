"""Orders with promotions, through all stages: what they hold, use up and give back."""

from __future__ import annotations

from msgspec.structs import replace

from schemas import topics
from schemas.order import CancelOrder, OrderRejected, Refusal
from schemas.resource import (
    AfterRefund,
    PromotionEndRefused,
    PromotionReleased,
    PromotionReturned,
)
from tests.unit.promotions.desk import COUPON, SHOP, TRACE, USER
from tests.unit.promotions.shop import LIMITS, OFF_FEN, SKU, Shop, use

BUDGET, LIMIT = "budget:7/fest/full", f"limit:7/fest/full/{USER}"
ALL = (use(COUPON), use(BUDGET, OFF_FEN, 10_000), use(LIMIT, 1, 1))


def shop_with_coupon(stock: int = 10, after_refund: AfterRefund = AfterRefund.RETURNED) -> Shop:
    shop = Shop(stock)
    shop.grant(COUPON, after_refund=after_refund)
    shop.host.run()
    return shop


def paid(shop: Shop, order_no: str = "A", qty: int = 1) -> Shop:
    shop.place(order_no, *ALL, qty=qty)
    shop.host.run()
    shop.gateway_answers()
    return shop


def came_back(shop: Shop) -> set[str]:
    return {fact.resource_id for fact in shop.facts() if isinstance(fact, PromotionReturned)}


def test_a_paid_order_has_used_its_promotions_up() -> None:
    shop = paid(shop_with_coupon())

    assert shop.statuses() == {"A": "OrderConfirmed"}
    assert [shop.used(one.resource_id) for one in ALL] == [["A"]] * 3
    assert shop.verdict().violations == ()


def test_an_order_is_rejected_for_missing_goods_and_unusable_promotions_at_once() -> None:
    shop = paid(shop_with_coupon(stock=1))
    shop.place("B", *ALL, qty=1)
    shop.host.run()

    (rejected,) = [f for f in shop.facts(topics.ORDER_EVENTS) if isinstance(f, OrderRejected)]
    assert set(rejected.refusals) == {
        Refusal(str(SKU), "INSUFFICIENT", 1, 0),
        Refusal(COUPON, "INSUFFICIENT", 1, 0),
        Refusal(LIMIT, "INSUFFICIENT", 1, 0),
    }
    released = [f.resource_id for f in shop.facts() if isinstance(f, PromotionReleased)]
    assert released == [BUDGET]
    assert shop.verdict().violations == ()


def test_a_cancelled_order_gives_its_promotions_back_to_the_next() -> None:
    shop = shop_with_coupon()
    shop.place("A", *ALL)
    shop.host.run()
    shop.ask(CancelOrder("A", SHOP, USER, "changed my mind", TRACE))
    paid(shop, "B")

    assert shop.statuses() == {"A": "OrderCancelled", "B": "OrderConfirmed"}
    assert shop.used(COUPON) == ["B"]
    assert shop.verdict().violations == ()


def test_an_order_that_nobody_pays_gives_its_promotions_back() -> None:
    shop = shop_with_coupon()
    shop.place("A", *ALL)
    shop.host.run()
    shop.host.advance(LIMITS.payment_window_ms)

    assert shop.statuses() == {"A": "OrderExpired"}
    assert len([f for f in shop.facts() if isinstance(f, PromotionReleased)]) == len(ALL)
    assert shop.verdict().violations == ()


def test_a_full_refund_brings_promotions_back_and_a_part_does_not() -> None:
    shop = paid(shop_with_coupon(), qty=2)

    shop.refund("A", units=1)
    assert came_back(shop) == set()

    shop.refund("A")
    assert came_back(shop) == {one.resource_id for one in ALL}
    assert shop.statuses() == {"A": "OrderRefunded"}
    assert shop.verdict().violations == ()


def test_a_refund_of_a_completed_order_brings_promotions_back_too() -> None:
    shop = paid(shop_with_coupon(), qty=2)
    shop.complete("A")
    shop.refund("A", units=1)
    shop.host.advance(LIMITS.return_window_ms - 1)  # completed again by itself
    assert came_back(shop) == set()

    shop.refund("A")
    assert came_back(shop) == {one.resource_id for one in ALL}
    assert shop.verdict().violations == ()


def test_what_stays_spent_is_refused_to_the_refunded_order() -> None:
    shop = paid(shop_with_coupon(after_refund=AfterRefund.SPENT))
    shop.refund("A")

    kept = [f.resource_id for f in shop.facts() if isinstance(f, PromotionEndRefused)]
    assert (kept, came_back(shop)) == ([COUPON], {BUDGET, LIMIT})
    assert shop.verdict().violations == ()


def test_a_hold_without_a_resource_or_of_an_unknown_kind_is_not_understood() -> None:
    shop = shop_with_coupon()
    shop.place("A", use(""))
    shop.place("B", replace(use(COUPON), kind="magic"))
    shop.host.run()

    letters = shop.host.log.records(topics.ORDER_COMMANDS.dead_letters)
    assert [dict(one.headers)["dlq_code"] for one in letters] == [b"BAD_HOLDS"] * 2
