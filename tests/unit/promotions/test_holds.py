"""Coupons, budgets, quotas and limits are held, used up, given back and brought back."""

from __future__ import annotations

import pytest

from schemas.inventory import ReleaseCause
from schemas.record import Record
from schemas.resource import (
    AfterRefund,
    CapacityGranted,
    PromotionEndRefused,
    PromotionFenced,
    PromotionReason,
    PromotionRefused,
    PromotionReleased,
    PromotionReturned,
    PromotionSpent,
    partition_key,
)
from schemas.topics import ORDER_COMMANDS, PROMOTION_COMMANDS, PROMOTION_EVENTS
from streams.kernel.errors import InvalidMessage
from streams.kernel.stage import Output
from streams.promotions.decide import DECIDERS
from streams.promotions.evolve import EVOLVERS
from streams.promotions.facts import EntryForgotten, HoldAnswer, HoldForgotten, Repeated
from streams.promotions.react import REACTORS
from streams.reservations.records import RETENTION_MS
from tests.unit.promotions.desk import (
    BUDGET,
    COUPON,
    SHOP,
    START_MS,
    TRACE,
    TTL_MS,
    USER,
    Desk,
    cancel,
    confirm,
    grant,
    held,
    hold_id,
    return_,
    try_,
)

_PRIVATE = {Repeated, HoldForgotten, EntryForgotten}


def with_coupon(after_refund: AfterRefund = AfterRefund.RETURNED) -> Desk:
    desk = Desk()
    desk.tell(grant(after_refund=after_refund))
    return desk


def refused(order_no: str, reason: PromotionReason, resource_id: str = COUPON) -> PromotionRefused:
    name = hold_id(order_no, resource_id)
    return PromotionRefused(resource_id, SHOP, name, order_no, 1, 0, reason, TRACE)


def spent(order_no: str) -> PromotionSpent:
    name = hold_id(order_no, COUPON)
    return PromotionSpent(COUPON, 3, SHOP, name, order_no, 1, 0, 0, -1, -1, TRACE)


def released(order_no: str, cause: ReleaseCause) -> PromotionReleased:
    name = hold_id(order_no, COUPON)
    return PromotionReleased(COUPON, 3, SHOP, name, order_no, 1, cause, 1, 0, 0, -1, TRACE)


def returned(order_no: str) -> PromotionReturned:
    name = hold_id(order_no, COUPON)
    return PromotionReturned(COUPON, 4, SHOP, name, order_no, 1, "REFUNDED", 1, 0, 1, 0, TRACE)


def end_refused(order_no: str, command: str, reason: PromotionReason) -> PromotionEndRefused:
    return PromotionEndRefused(
        COUPON, SHOP, hold_id(order_no, COUPON), order_no, command, reason, TRACE
    )


def test_every_message_is_judged_and_every_fact_folded_and_made_known() -> None:
    inbox = {kind for kind in PROMOTION_COMMANDS.records if kind.__name__ != "Tick"}
    assert set(DECIDERS) == inbox
    assert set(EVOLVERS) == set(REACTORS) == {*PROMOTION_EVENTS.records, *_PRIVATE}


def test_a_coupon_is_held_for_the_first_order_and_refused_to_the_second() -> None:
    desk = with_coupon()

    assert desk.tell(try_("A")) == [held("A")]
    assert desk.outputs == [
        Output(PROMOTION_EVENTS.name, COUPON, held("A")),
        Output(ORDER_COMMANDS.name, "A", held("A")),
    ]
    assert desk.tell(try_("B")) == [refused("B", PromotionReason.INSUFFICIENT)]
    assert desk.amounts(COUPON) == (1, 1)


def test_a_paid_order_uses_the_coupon_up() -> None:
    desk = with_coupon()
    desk.tell(try_("A"))

    assert desk.tell(confirm("A")) == [spent("A")]
    assert desk.tell(try_("B")) == [refused("B", PromotionReason.INSUFFICIENT)]


@pytest.mark.parametrize(
    ("first", "again"),
    [((), held("A")), ((confirm("A"),), spent("A"))],
    ids=["try", "confirm"],
)
def test_what_is_asked_again_is_answered_again_and_moves_nothing(
    first: tuple[Record, ...], again: HoldAnswer
) -> None:
    desk = with_coupon()
    asks = (try_("A"), *first)
    desk.tell(*asks)
    before = desk.amounts(COUPON)

    assert desk.tell(asks[-1]) == [Repeated(again)]
    assert desk.outputs == [Output(ORDER_COMMANDS.name, "A", again)]
    assert desk.amounts(COUPON) == before


def test_a_cancelled_order_gives_the_coupon_back() -> None:
    desk = with_coupon()
    desk.tell(try_("A"))

    assert desk.tell(cancel("A")) == [released("A", ReleaseCause.CANCELLED)]
    assert desk.tell(cancel("A")) == [Repeated(released("A", ReleaseCause.CANCELLED))]
    assert desk.tell(try_("B")) == [held("B", version=4)]


def test_a_hold_runs_out_by_itself_and_then_cannot_be_confirmed() -> None:
    desk = with_coupon()
    desk.tell(try_("A"))

    assert desk.wait(TTL_MS) == [released("A", ReleaseCause.EXPIRED)]
    expired = PromotionReason.HOLD_EXPIRED
    assert desk.tell(confirm("A")) == [end_refused("A", "ConfirmPromotion", expired)]


def test_a_cancel_before_the_try_fences_it() -> None:
    desk = with_coupon()
    fenced = PromotionFenced(COUPON, SHOP, hold_id("A", COUPON), "A", TRACE)

    assert desk.tell(cancel("A")) == [fenced]
    assert desk.tell(try_("A")) == [refused("A", PromotionReason.FENCED)]


# --- refunds --------------------------------------------------------------------------------------


def test_a_refund_brings_the_coupon_back_once() -> None:
    desk = with_coupon()
    desk.tell(try_("A"), confirm("A"))

    assert desk.tell(return_("A")) == [returned("A")]
    assert desk.tell(return_("A")) == []
    assert desk.amounts(COUPON) == (1, 0)


def test_a_refund_long_after_brings_it_back_by_the_word_of_the_order_and_once() -> None:
    desk = with_coupon()
    desk.tell(try_("A"), confirm("A"))
    assert desk.wait(RETENTION_MS) == [HoldForgotten(hold_id("A", COUPON))]

    assert desk.tell(return_("A")) == [returned("A")]
    assert desk.tell(return_("A")) == []


def test_what_stays_spent_after_a_refund_does_not_come_back() -> None:
    desk = with_coupon(AfterRefund.SPENT)
    desk.tell(try_("A"), confirm("A"))

    kept = end_refused("A", "ReturnPromotion", PromotionReason.KEPT_SPENT)
    assert desk.tell(return_("A")) == [kept]
    assert desk.amounts(COUPON) == (0, 0)


def test_what_is_only_held_is_given_back_by_a_refund_whatever_the_policy() -> None:
    desk = with_coupon(AfterRefund.SPENT)
    desk.tell(try_("A"))

    assert desk.tell(return_("A", amount=0)) == [released("A", ReleaseCause.CANCELLED)]


# --- who may, and how much there is ---------------------------------------------------------------


def test_what_nobody_granted_is_not_to_be_had() -> None:
    assert Desk().tell(try_("A")) == [refused("A", PromotionReason.UNKNOWN_RESOURCE)]


def test_another_shops_coupon_is_unknown() -> None:
    desk = Desk()
    desk.tell(grant(shop_id=SHOP + 1))

    assert desk.tell(try_("A")) == [refused("A", PromotionReason.UNKNOWN_RESOURCE)]


def test_a_bound_coupon_is_only_for_its_user() -> None:
    desk = Desk()
    desk.tell(grant(user_id=USER))

    other = desk.tell(try_("A", user_id=USER + 1))
    assert other == [refused("A", PromotionReason.NOT_YOURS)]
    assert desk.tell(try_("A")) == [held("A")]


def test_a_coupon_is_not_held_when_its_time_is_over() -> None:
    desk = Desk()
    desk.tell(grant(expires_at_ms=START_MS + 1_000))
    desk.wait(1_000)

    assert desk.tell(try_("A")) == [refused("A", PromotionReason.OVER)]


def granted(capacity: int, version: int, delta: int, held: int = 0) -> CapacityGranted:
    return CapacityGranted(
        resource_id=BUDGET,
        version=version,
        shop_id=SHOP,
        ref="",
        operator="",
        granted=capacity,
        user_id=0,
        expires_at_ms=0,
        after_refund=AfterRefund.RETURNED,
        on_hand=capacity,
        held=held,
        delta_on_hand=delta,
        delta_held=0,
        trace_id=TRACE,
    )


def test_a_budget_begins_with_what_the_first_orders_rule_names() -> None:
    desk = Desk()

    first = desk.tell(try_("A", BUDGET, 300, capacity=500))
    assert first == [granted(500, 1, 500), held("A", BUDGET, 300, on_hand=500, held=300)]
    short = PromotionRefused(
        BUDGET, SHOP, hold_id("B", BUDGET), "B", 201, 200, PromotionReason.INSUFFICIENT, TRACE
    )
    assert desk.tell(try_("B", BUDGET, 201, capacity=500)) == [short]


def test_a_rule_that_names_more_grants_the_difference_and_one_that_names_less_takes_nothing() -> (
    None
):
    desk = Desk()
    desk.tell(try_("A", BUDGET, 300, capacity=500))

    more = desk.tell(try_("B", BUDGET, 400, capacity=700))
    assert more == [
        granted(700, 3, 200, held=300),
        held("B", BUDGET, 400, version=4, on_hand=700, held=700),
    ]
    desk.tell(cancel("B", BUDGET))
    less = desk.tell(try_("C", BUDGET, 400, capacity=500))
    assert less == [held("C", BUDGET, 400, version=6, on_hand=700, held=700)]


def test_what_an_operator_took_back_no_rule_grants_again() -> None:
    desk = Desk()
    desk.tell(try_("A", BUDGET, 100, capacity=500), grant(BUDGET, -400))

    last = desk.tell(try_("B", BUDGET, 1, capacity=500))
    assert last == [
        PromotionRefused(
            BUDGET, SHOP, hold_id("B", BUDGET), "B", 1, 0, PromotionReason.INSUFFICIENT, TRACE
        )
    ]


@pytest.mark.parametrize(
    "message",
    [
        try_("", BUDGET),
        try_("A", ""),
        try_("A", BUDGET, 0, capacity=5),
        try_("A", BUDGET, capacity=-1),
        return_("A", amount=-1),
    ],
)
def test_what_makes_no_sense_is_invalid(message: Record) -> None:
    with pytest.raises(InvalidMessage):
        Desk().tell(message)


@pytest.mark.parametrize(
    ("resource_id", "key"),
    [
        ("coupon:7/WELCOME-12", "lot:7/WELCOME"),
        ("coupon:7/A-B-12", "lot:7/A-B"),
        ("coupon:7/SPRING", "coupon:7/SPRING"),
        ("budget:7/festival/full-300", "budget:7/festival/full-300"),
        ("limit:7/festival/full-300/42", "limit:7/festival/full-300/42"),
        ("lot:7/A-B", "lot:7/A-B"),
    ],
)
def test_a_coupon_is_judged_where_its_lot_is(resource_id: str, key: str) -> None:
    assert partition_key(resource_id) == key
