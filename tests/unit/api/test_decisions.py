"""Which fact answers which command."""

from __future__ import annotations

from msgspec.structs import replace

from api.decisions import AmendAnswers, PlacementAnswers, RefundAnswers
from schemas.order import (
    AmendOrder,
    OrderAmended,
    OrderRefunding,
    OrderRefused,
    RefundOrder,
    SkuUnits,
)
from tests.unit.api.facts import (
    BUYER,
    SHOP,
    SKU,
    TRACE,
    created,
    fact,
    place,
    placed,
    position,
    refused,
    repeated,
)


def test_a_placement_is_answered_by_its_orders_decision_whoever_placed_it() -> None:
    command = place()
    answers = PlacementAnswers(command)

    assert not answers(fact(placed(command), 1))
    assert answers(fact(created(command), 9))


def test_the_decision_of_another_body_is_no_answer_but_the_refusal_is() -> None:
    first, second = place(1), place(2)
    answers = PlacementAnswers(second)
    answers.position = position(2)

    assert not answers(fact(placed(first), 1))
    assert not answers(fact(created(first), 9))
    assert answers(fact(refused(second), 2))


def test_the_refusal_of_another_request_is_no_answer() -> None:
    command = place()
    answers = PlacementAnswers(command)
    answers.position = position(1)

    assert not answers(fact(placed(command), 1))
    assert not answers(fact(refused(command), 2))
    assert answers(fact(created(command), 9))


def test_a_repeat_that_saw_nothing_is_answered_by_the_stream() -> None:
    command = place()
    answers = PlacementAnswers(command)
    answers.position = position(20)

    assert answers(fact(repeated(command, command.order_no), 20))


def test_a_request_knows_that_it_is_a_repeat_of_what_is_being_judged() -> None:
    command = place()
    own, other = PlacementAnswers(command), PlacementAnswers(command)
    own.position, other.position = position(1), position(2)
    for answers in (own, other):
        answers(fact(placed(command), 1))

    assert (own.is_repeat, other.is_repeat) == (False, True)


def amend(key: str = "a1", qty: int = 3) -> AmendOrder:
    order = place(qty)
    return AmendOrder(
        order.order_no,
        SHOP,
        BUYER,
        key,
        "CNY",
        order.lines,
        (),
        order.holds,
        order.total_fen,
        order.fingerprint,
        TRACE,
    )


def amended(command: AmendOrder) -> OrderAmended:
    return OrderAmended(
        command.order_no,
        3,
        SHOP,
        BUYER,
        command.amend_key,
        "CNY",
        command.lines,
        (),
        command.holds,
        command.total_fen,
        1,
        TRACE,
    )


def test_a_change_is_answered_by_its_end_long_after_its_record() -> None:
    command = amend()
    answers = AmendAnswers(command)
    answers.position = position(5)

    assert not answers(fact(amended(amend(key="a0")), 3))
    assert not answers(fact(amended(amend(qty=9)), 3))
    assert answers(fact(amended(command), 12))


def test_a_change_is_answered_by_a_later_refusal_and_not_by_that_of_one_before() -> None:
    command = amend()
    answers = AmendAnswers(command)
    refusal = OrderRefused(command.order_no, 3, SHOP, BUYER, "AmendOrder", "AMEND_NOT_HELD", TRACE)
    assert not answers(fact(refusal, 12))
    answers.position = position(5)

    assert not answers(fact(refusal, 4))
    assert answers(fact(refusal, 12))
    under_way = replace(refusal, reason="AMEND_UNDER_WAY")
    assert not answers(fact(under_way, 12))


def test_a_refund_is_answered_when_it_begins() -> None:
    order_no = place().order_no
    units = (SkuUnits(SKU, 1),)
    command = RefundOrder(order_no, SHOP, BUYER, "broken", TRACE, "r1", units)
    begun = OrderRefunding(
        order_no, 6, SHOP, BUYER, f"{order_no}-1", "R1", 1_990, "CNY", "broken", TRACE, "r1", units
    )
    answers = RefundAnswers(command)

    assert not answers(fact(replace(begun, refund_key="r0"), 3))
    assert not answers(fact(replace(begun, units=(SkuUnits(SKU, 2),)), 3))
    assert answers(fact(begun, 12))
