"""What an order asks of promotions, and what it makes of their answers."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.inventory import ReleaseCause
from schemas.order import HoldRef, OperatorAction, OrderCancelling, OrderConfirmed, OrderRefunding
from schemas.record import Record
from schemas.resource import (
    CancelPromotion,
    ConfirmPromotion,
    PromotionEndRefused,
    PromotionHeld,
    PromotionReason,
    PromotionRefused,
    PromotionReleased,
    PromotionSpent,
    ReturnPromotion,
    TryPromotion,
)
from streams.orders.facts import HoldAnswered, HoldReasked, HoldRegained
from streams.orders.state import HoldMark
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    SHOP,
    START_MS,
    TRACE,
    World,
    deducted,
    held,
    hold_id,
    operate,
    place,
    succeeded,
)

COUPON = "coupon:7/WELCOME-1"
HOLD = HoldRef(f"{NO}/{COUPON}", "promotion", COUPON, 1, None, 5)


def reserving() -> World:
    world = World()
    message = place(channel="wechat")
    world.tell(replace(message, holds=(*message.holds, HOLD)))
    return world


def paid() -> World:
    world = reserving()
    world.tell(held(), promotion_held(), succeeded(), deducted())
    return world


def promotion_held(hold: str = HOLD.hold_id) -> PromotionHeld:
    until_ms = START_MS + LIMITS.hold_ttl_ms
    return PromotionHeld(COUPON, 2, SHOP, hold, NO, BUYER, 1, until_ms, 1, 1, 0, 1, TRACE)


def promotion_spent(hold: str = HOLD.hold_id) -> PromotionSpent:
    return PromotionSpent(COUPON, 3, SHOP, hold, NO, 1, 0, 0, -1, -1, TRACE)


def released(cause: ReleaseCause) -> PromotionReleased:
    return PromotionReleased(COUPON, 3, SHOP, HOLD.hold_id, NO, 1, cause, 1, 0, 0, -1, TRACE)


def confirm_refused() -> PromotionEndRefused:
    expired = PromotionReason.HOLD_EXPIRED
    return PromotionEndRefused(COUPON, SHOP, HOLD.hold_id, NO, "ConfirmPromotion", expired, TRACE)


def asked(world: World) -> list[Record]:
    """What the last message had the order ask of promotions, under the key of the coupon's lot."""
    mine = [o for o in world.outputs if o.topic == "promotion.commands"]
    assert all(o.key == "lot:7/WELCOME" for o in mine)
    return [o.message for o in mine]


def test_stock_and_promotions_are_asked_for_together() -> None:
    world = reserving()

    assert asked(world) == [
        TryPromotion(HOLD.hold_id, NO, SHOP, BUYER, COUPON, 1, 5, LIMITS.hold_ttl_ms, TRACE)
    ]
    assert len(world.asked()) == 1


def test_a_paid_order_is_confirmed_when_its_promotions_are_used_up_too() -> None:
    world = reserving()
    world.tell(held(), promotion_held(), succeeded())
    assert asked(world) == [ConfirmPromotion(HOLD.hold_id, NO, SHOP, COUPON, TRACE)]

    world.tell(deducted())
    assert world.tell(promotion_spent()) == [OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)]


def test_an_unpaid_order_that_lost_a_promotion_ends() -> None:
    world = reserving()
    world.tell(held(), promotion_held())

    facts = world.tell(released(ReleaseCause.EXPIRED))
    assert any(isinstance(fact, OrderCancelling) for fact in facts)


def test_what_a_paid_order_lost_of_promotions_is_asked_for_anew() -> None:
    world = paid()
    anew = f"{HOLD.hold_id}~1"

    assert world.tell(confirm_refused()) == [HoldReasked(NO, 1, replace(HOLD, hold_id=anew))]
    assert asked(world) == [
        TryPromotion(anew, NO, SHOP, BUYER, COUPON, 1, 5, LIMITS.hold_ttl_ms, TRACE)
    ]
    assert world.tell(promotion_held(anew)) == [HoldRegained(NO, 1)]
    assert world.tell(promotion_spent(anew)) == [OrderConfirmed(NO, 5, SHOP, BUYER, TRACE)]


def test_a_paid_order_that_cannot_have_its_promotion_again_is_refunded_and_its_goods_undone() -> (
    None
):
    world = paid()
    world.tell(confirm_refused())
    gone = PromotionRefused(
        COUPON, SHOP, f"{HOLD.hold_id}~1", NO, 1, 0, PromotionReason.INSUFFICIENT, TRACE
    )

    facts = world.tell(gone)
    assert facts[0] == HoldAnswered(NO, 1, HoldMark.RELEASED)
    assert isinstance(facts[1], OrderRefunding)
    assert [type(ask).__name__ for ask in world.asked()] == ["RequestRefund", "ReturnStock"]
    assert hold_id(1) in str(world.asked()[1])


def test_a_promotion_that_nobody_awaits_any_more_is_given_back() -> None:
    world = World()
    world.tell(promotion_held())

    assert asked(world) == [CancelPromotion(HOLD.hold_id, NO, SHOP, COUPON, "NOT_AWAITED", TRACE)]


def test_promotions_that_are_used_up_are_undone_when_the_goods_are_lost() -> None:
    world = reserving()
    world.tell(held(), promotion_held(), succeeded(), promotion_spent())
    world.wait(LIMITS.step_budget_ms)  # inventory never answers: parked
    world.tell(operate(OperatorAction.FORCE))

    assert asked(world) == [ReturnPromotion(HOLD.hold_id, NO, SHOP, COUPON, 1, "REFUNDED", TRACE)]
