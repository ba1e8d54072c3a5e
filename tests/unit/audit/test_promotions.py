"""Each law of promotions is broken by some history, and found by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.order import CancelOrder
from tests.unit.promotions.desk import COUPON, SHOP, TRACE, USER, WELCOME, cancel, claim, issue
from tests.unit.promotions.shop import OFF_FEN, Shop, use
from topologies.audit.auditor import Auditor, Verdict
from topologies.audit.laws import Law

BUDGET, LIMIT = "budget:7/fest/full", f"limit:7/fest/full/{USER}"
MINE = "coupon:7/WELCOME-1"

Told = tuple[str, int, Any, str, dict[str, Any], int]
Break = Callable[["History"], None]


@cache
def _lawful() -> bytes:
    """Return what a shop tells: A used all it had, B was cancelled, C refunded, D never began."""
    shop = Shop()
    shop.grant(COUPON, 2)
    shop.send(topics.PROMOTION_COMMANDS, WELCOME, issue(per_user=2))
    shop.send(topics.PROMOTION_COMMANDS, WELCOME, claim())
    shop.send(topics.PROMOTION_COMMANDS, COUPON, cancel("D"))
    shop.host.run()
    shop.place("A", use(BUDGET, OFF_FEN, 1_000), use(LIMIT, 1, 2), use(MINE))
    shop.host.run()
    shop.place("B", use(COUPON))
    shop.host.run()
    shop.ask(CancelOrder("B", SHOP, USER, "changed my mind", TRACE))
    shop.place("C", use(COUPON))
    shop.host.run()
    shop.gateway_answers()
    shop.refund("C")
    return msgspec.msgpack.encode(shop.told())


class History:
    """The facts, to be changed in one place."""

    def __init__(self) -> None:
        self.facts: list[Told] = msgspec.msgpack.decode(_lawful(), type=list[Told])

    def at(self, name: str, **fields: Any) -> int:
        """Return the place of the first fact of this name with these fields."""
        return next(
            place
            for place, (_, _, _, found, fact, _) in enumerate(self.facts)
            if found == name and fields.items() <= fact.items()
        )

    def change(self, name: str, where: dict[str, Any], **fields: Any) -> None:
        self.facts[self.at(name, **where)][4].update(fields)

    def drop(self, name: str, **where: Any) -> None:
        del self.facts[self.at(name, **where)]

    def repeat(self, name: str, where: dict[str, Any], **fields: Any) -> None:
        """Say it once more, as if by another stage, with other fields."""
        topic, partition, _, _, fact, _ = self.facts[self.at(name, **where)]
        stamp = [("cause", b"\xff" * 24)]
        self.facts.append((topic, partition, stamp, name, fact | fields, 10_000))

    def verdict(self) -> Verdict:
        auditor = Auditor()
        for fact in self.facts:
            auditor.take(*fact)
        return auditor.verdict(final=True)


def broken(law: Law, break_: Break, id_: str = "") -> object:
    return pytest.param(law, break_, id=f"{law}-{id_}" if id_ else str(law))


OF_A, OF_B, OF_C = {"order_no": "A"}, {"order_no": "B"}, {"order_no": "C"}
SPENT_A = {"order_no": "A", "resource_id": BUDGET}

CASES = [
    broken(Law.RESOURCE_VERSION, lambda h: h.change("PromotionHeld", OF_B, version=9)),
    broken(Law.RESOURCE_BALANCE, lambda h: h.change("PromotionHeld", OF_B, held=2), "sum"),
    broken(Law.RESOURCE_BALANCE, lambda h: h.change("PromotionHeld", OF_B, delta_held=0), "kind"),
    broken(Law.RESOURCE_BALANCE, lambda h: h.drop("PromotionReleased"), "held-by-nobody"),
    broken(Law.RESOURCE_BOUNDS, lambda h: h.change("PromotionHeld", OF_A, on_hand=0), "held"),
    broken(
        Law.RESOURCE_BOUNDS,
        lambda h: h.change("CapacityGranted", {"resource_id": BUDGET}, delta_on_hand=1),
        "more-used-than-granted",
    ),
    broken(Law.USE_BEGINS_ONCE, lambda h: h.repeat("PromotionHeld", OF_B), "again"),
    broken(
        Law.USE_BEGINS_ONCE,
        lambda h: h.repeat("PromotionHeld", OF_B, hold_id=f"D/{COUPON}"),
        "after-its-fence",
    ),
    broken(
        Law.USE_BEGINS_ONCE,
        lambda h: h.repeat("PromotionFenced", {}, hold_id=f"A/{BUDGET}"),
        "a-fence-after-it",
    ),
    broken(Law.USE_ENDS_ONCE, lambda h: h.repeat("PromotionSpent", SPENT_A), "twice"),
    broken(Law.USE_ENDS_ONCE, lambda h: h.drop("PromotionHeld", **SPENT_A), "never-begun"),
    broken(Law.USE_ENDS_ONCE, lambda h: h.change("PromotionSpent", SPENT_A, amount=1), "part"),
    broken(Law.USE_RETURNED, lambda h: h.repeat("PromotionReturned", OF_C), "twice"),
    broken(Law.USE_RETURNED, lambda h: h.change("PromotionReturned", OF_C, amount=2), "more"),
    broken(
        Law.USE_OF_OWNER,
        lambda h: h.change("PromotionHeld", {"resource_id": MINE}, user_id=USER + 1),
        "coupon",
    ),
    broken(
        Law.USE_OF_OWNER,
        lambda h: h.change("PromotionHeld", {"resource_id": LIMIT}, user_id=USER + 1),
        "limit",
    ),
    broken(Law.COUPON_CLAIM, lambda h: h.repeat("CouponClaimed", {}), "twice"),
    broken(Law.COUPON_CLAIM, lambda h: h.change("CouponClaimed", {}, per_user=0), "limit"),
    broken(Law.USE_OF_ORDER, lambda h: h.change("PromotionHeld", OF_B, order_no="Z")),
    broken(Law.USE_OPEN, lambda h: h.drop("PromotionReleased")),
    broken(Law.USE_SPENT, lambda h: h.drop("PromotionSpent", **SPENT_A), "not"),
    broken(Law.USE_SPENT, lambda h: h.change("OrderPlaced", OF_A, holds=[]), "too-much"),
]


def test_what_a_shop_tells_is_lawful() -> None:
    verdict = History().verdict()

    assert verdict.violations == ()
    assert verdict.counters["promotions_used"] == 3


@pytest.mark.parametrize(("law", "break_"), CASES)
def test_a_broken_law_of_promotions_is_caught_by_its_name(law: Law, break_: Break) -> None:
    history = History()
    break_(history)

    verdict = history.verdict()

    assert law in verdict.broken
    assert any(v.law is law and v.key and v.expected and v.found for v in verdict.violations)
