"""An order under a pack of promotions is admitted at their price, with what it has to hold."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.order import AmendOrder, AmendOrderIntent, CartLine, HoldRef, PlaceOrderIntent
from schemas.promotion import AmountOff, Effect, Level, Rule, RulePack
from schemas.record import Record
from streams.admission import admit
from streams.admission.identity import derive_order_no, fingerprint_of
from streams.admission.problems import InvalidIntent
from streams.pricing import CompiledPack, ListPrice, compile_pack

SHOP, USER, NOW_MS = 7, 1_001, 1_790_000_000_000
NO = derive_order_no(SHOP, USER, "k")
OFF_FEN = 300

PACK = RulePack(
    "fest",
    SHOP,
    (
        Rule(
            "welcome",
            Level.COUPON,
            Effect(amount_off=AmountOff(OFF_FEN)),
            coupon="WELCOME-*",
            budget_fen=9_000,
            quota=30,
            per_user=1,
        ),
    ),
    version=1,
)


class Prices:
    def lookup(self, shop_id: int, sku_id: int) -> ListPrice:
        return ListPrice(1_000, "CNY")


class Packs:
    def in_force(self, shop_id: int, at_ms: int) -> CompiledPack | None:
        return compile_pack(PACK) if shop_id == SHOP else None


def intent(*coupons: str, total_fen: int) -> PlaceOrderIntent:
    lines = (CartLine(1, 2, 1_000),)
    return PlaceOrderIntent(SHOP, USER, "k", lines, total_fen, NOW_MS, coupons=coupons)


def admitted(message: Record) -> Record:
    return admit(message, Prices(), NOW_MS, Packs()).message


HOLDS = (
    HoldRef(f"{NO}/1", "stock", "1", 2),
    *(
        HoldRef(f"{NO}/{resource_id}", "promotion", resource_id, amount, None, capacity)
        for resource_id, amount, capacity in (
            ("coupon:7/WELCOME-1", 1, 0),
            ("budget:7/fest/welcome", OFF_FEN, 9_000),
            ("quota:7/fest/welcome", 1, 30),
            (f"limit:7/fest/welcome/{USER}", 1, 1),
        )
    ),
)


def test_an_order_with_a_coupon_holds_it_and_all_that_its_rule_bounds() -> None:
    order = admitted(intent("WELCOME-1", total_fen=2_000 - OFF_FEN))

    assert order.holds == HOLDS  # type: ignore[attr-defined]
    assert order.total_fen == 2_000 - OFF_FEN  # type: ignore[attr-defined]


def test_a_change_of_the_order_asks_for_the_same_holds() -> None:
    placed = intent("WELCOME-1", total_fen=2_000 - OFF_FEN)
    change = AmendOrderIntent(
        NO, SHOP, USER, "a1", placed.lines, placed.total_fen, coupons=placed.coupons
    )

    order = admitted(change)
    assert isinstance(order, AmendOrder)
    assert order.holds == HOLDS


def test_an_order_without_coupons_holds_only_its_goods() -> None:
    assert admitted(intent(total_fen=2_000)).holds == HOLDS[:1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("codes", [("SPRING",), ("WELCOME-1", "WELCOME-2"), ("X",) * 21])
def test_a_coupon_that_nothing_comes_of_is_told(codes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidIntent) as caught:
        admitted(intent(*codes, total_fen=2_000 - OFF_FEN))

    assert "UNUSABLE_COUPON" in {problem.code for problem in caught.value.problems}


def test_a_coupon_in_a_shop_without_promotions_is_unusable() -> None:
    with pytest.raises(InvalidIntent, match="WELCOME-1 takes nothing off"):
        admit(intent("WELCOME-1", total_fen=2_000), Prices(), NOW_MS)


def test_the_same_order_with_other_coupons_is_another_body() -> None:
    with_one = intent("A", "B", total_fen=1)
    assert fingerprint_of(with_one) == fingerprint_of(replace(with_one, coupons=("B", "A")))
    assert fingerprint_of(with_one) != fingerprint_of(replace(with_one, coupons=()))
