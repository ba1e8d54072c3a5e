"""What operators do to orders: every action is a fact with a name, or refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.inventory import CancelHold, ConfirmHold, ReturnStock, TryHold
from schemas.order import (
    CancelCause,
    OperatorAction,
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderConfirmed,
    OrderOperated,
    OrderPartlyRefunded,
    OrderRefunded,
    OrderRefunding,
    OrderRefused,
)
from schemas.payment import ClosePayments, RequestPayment, RequestRefund
from schemas.record import Record
from streams.orders.commands import find
from streams.orders.facts import RefundWanted, StepAsked, StepRetried, TimerHeld
from streams.orders.operations import OPERATIONS, Effect, where
from streams.orders.reasons import OrderReason, ParkReason
from streams.orders.state import OrderStatus
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    TOTAL_FEN,
    TRACE,
    WORLDS,
    World,
    after,
    amend,
    cancel,
    created,
    deducted,
    fulfilling,
    held,
    hold_id,
    later,
    operate,
    paid,
    refund,
    refund_failed,
    refunded,
    released,
    reserving,
    ship,
    succeeded,
    units_of,
)

RETRY, SKIP, FORCE = OperatorAction.RETRY, OperatorAction.SKIP, OperatorAction.FORCE
PAUSE, RESUME = OperatorAction.PAUSE, OperatorAction.RESUME
PLACES = [place for place in WORLDS if place is not OrderStatus.PARKED]
WHY = "the warehouse called"


def operated(version: int, action: OperatorAction) -> OrderOperated:
    return OrderOperated(NO, version, SHOP, BUYER, "li", action, WHY, TRACE)


def refunding(version: int, reason: str = WHY, amount_fen: int = TOTAL_FEN) -> OrderRefunding:
    return OrderRefunding(
        order_no=NO,
        version=version,
        shop_id=SHOP,
        user_id=BUYER,
        pay_no=PAY_NO,
        refund_no=f"{PAY_NO}-R1",
        amount_fen=amount_fen,
        currency="CNY",
        reason=reason,
        trace_id=TRACE,
        refund_key="",
        units=units_of((1, 2)),
    )


@pytest.mark.parametrize("action", OperatorAction)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_an_action_is_judged_as_the_table_says(
    place: OrderStatus | ParkReason, action: OperatorAction
) -> None:
    world = WORLDS[place]()
    order = find(world.state, NO)
    assert order is not None
    assert where(order) is place

    facts = world.tell(operate(action))
    effect = OPERATIONS[action][place]
    if isinstance(effect, OrderReason):
        refused = OrderRefused(
            NO, order.version, SHOP, BUYER, "OperateOrder", str(effect.value), TRACE
        )
        assert facts == [refused]
        assert world.public() == [refused]
    elif effect is Effect.RESUME:
        assert facts == [world.repeat(operate(action))]  # it was not paused
    else:
        assert facts[0] == operated(order.version + 1, action)
        assert world.public()[0] == facts[0]


def test_the_table_has_a_verdict_for_every_action_and_every_place() -> None:
    assert set(OPERATIONS) == set(OperatorAction)
    for effects in OPERATIONS.values():
        assert set(effects) == {*OrderStatus, *ParkReason}


def test_nothing_is_done_to_an_order_that_ended() -> None:
    for effects in OPERATIONS.values():
        ended = {status for status, effect in effects.items() if effect is OrderReason.ORDER_ENDED}
        assert ended == {
            OrderStatus.COMPLETED,
            OrderStatus.CANCELLED,
            OrderStatus.EXPIRED,
            OrderStatus.REJECTED,
            OrderStatus.REFUNDED,
        }


@pytest.mark.parametrize("given", [World, lambda: created()])
def test_an_unknown_order_and_another_shops_are_refused_alike(given: Callable[[], World]) -> None:
    reason = "UNKNOWN_ORDER"
    assert given().tell(operate(RETRY, shop_id=9)) == [
        OrderRefused(NO, 0, 9, 0, "OperateOrder", reason, TRACE)
    ]


# --- retry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (
            lambda: after(reserving(1, 2), held(1)),
            [TryHold(hold_id(2), NO, SHOP, BUYER, 2, 2, LIMITS.hold_ttl_ms, TRACE)],
        ),
        (lambda: created(channel=None), []),
        (
            created,
            [RequestPayment(PAY_NO, NO, SHOP, BUYER, "wechat", TOTAL_FEN, "CNY", TRACE)],
        ),
        (
            lambda: after(created(channel=None), amend()),
            [TryHold(f"{hold_id(1)}/1", NO, SHOP, BUYER, 1, 1, LIMITS.hold_ttl_ms, TRACE)],
        ),
        (
            lambda: after(created(), amend(), held(1, f"{hold_id(1)}/1")),
            [ClosePayments(NO, SHOP, "AMENDED", TRACE, PAY_NO)],
        ),
        (
            lambda: after(paid(1, 2), deducted(1)),
            [ConfirmHold(hold_id(2), NO, SHOP, 2, TRACE)],
        ),
        (
            lambda: after(created(), cancel()),
            [CancelHold(hold_id(1), NO, SHOP, 1, "REQUESTED", TRACE)],
        ),
        (
            lambda: after(fulfilling(), refund()),
            [RequestRefund(f"{PAY_NO}-R1", PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", "broken", TRACE)],
        ),
        (
            WORLDS[ParkReason.CONFIRM_UNANSWERED],
            [ConfirmHold(hold_id(1), NO, SHOP, 1, TRACE)],
        ),
        (
            WORLDS[ParkReason.CANCEL_UNANSWERED],
            [CancelHold(hold_id(1), NO, SHOP, 1, "REQUESTED", TRACE)],
        ),
        (
            WORLDS[ParkReason.REFUND_UNANSWERED],
            [RequestRefund(f"{PAY_NO}-R1", PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", "broken", TRACE)],
        ),
    ],
)
def test_retry_asks_again_for_what_is_not_answered(
    given: Callable[[], World], asked: list[Record]
) -> None:
    world = given()

    assert world.tell(operate(RETRY))[1:] == [StepAsked(NO)]
    assert world.asked() == asked


def test_retry_leaves_timers_and_retries_as_they_are() -> None:
    world = later(reserving(), LIMITS.step_timeout_ms - 1)
    world.tell(operate(RETRY))

    assert world.wait(1) == [StepRetried(NO)]
    assert len(world.wait(LIMITS.step_budget_ms)) == LIMITS.step_retries + 1


def test_the_answer_to_a_retry_lets_a_parked_order_go_on() -> None:
    world = after(WORLDS[ParkReason.CONFIRM_UNANSWERED](), operate(RETRY))

    assert world.tell(deducted(1)) == [OrderConfirmed(NO, 7, SHOP, BUYER, TRACE)]


@pytest.mark.parametrize("reason", [ParkReason.REFUND_FAILED, ParkReason.REFUND_REFUSED])
def test_a_parked_refund_is_asked_for_again_under_its_number(reason: ParkReason) -> None:
    world = WORLDS[reason]()

    assert world.tell(operate(RETRY)) == [operated(8, RETRY), StepAsked(NO)]
    number = f"{PAY_NO}-R1"
    assert world.asked() == [
        RequestRefund(number, PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", "broken", TRACE)
    ]
    assert world.wait(400 * LIMITS.step_timeout_cap_ms) == []
    assert world.tell(refund_failed(number)) == []
    assert world.tell(refunded(number)) == [
        OrderRefunded(NO, 9, SHOP, BUYER, number, TOTAL_FEN, TRACE)
    ]


# --- skip ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [SKIP, FORCE])
@pytest.mark.parametrize("given", [OrderStatus.CANCELLING, ParkReason.CANCEL_UNANSWERED])
def test_a_cancel_that_nobody_answers_is_ended(
    given: OrderStatus | ParkReason, action: OperatorAction
) -> None:
    world = WORLDS[given]()
    version = 4 if given is OrderStatus.CANCELLING else 5

    assert world.tell(operate(action)) == [
        operated(version + 1, action),
        OrderCancelled(NO, version + 2, SHOP, BUYER, "changed my mind", TRACE),
    ]
    assert world.tell(released(1)) == []


@pytest.mark.parametrize("given", [fulfilling, lambda: after(fulfilling(), ship())])
def test_skip_completes_what_only_waits_for_the_buyer_to_have_it(
    given: Callable[[], World],
) -> None:
    world = given()

    facts = world.tell(operate(SKIP))
    assert [type(fact) for fact in facts] == [OrderOperated, OrderCompleted]


@pytest.mark.parametrize("reason", [ParkReason.REFUND_FAILED, ParkReason.REFUND_REFUSED])
def test_skip_counts_a_parked_refund_as_given_back_by_hand(reason: ParkReason) -> None:
    assert WORLDS[reason]().tell(operate(SKIP)) == [
        operated(8, SKIP),
        OrderRefunded(NO, 9, SHOP, BUYER, f"{PAY_NO}-R1", TOTAL_FEN, TRACE),
    ]


def test_a_part_given_back_by_hand_leaves_the_order_to_go_on() -> None:
    number = f"{PAY_NO}-R1"
    world = after(fulfilling(), refund((1, 1), key="r1"), refund_failed(number))

    assert world.tell(operate(SKIP)) == [
        operated(8, SKIP),
        OrderPartlyRefunded(NO, 9, SHOP, BUYER, number, 1_999, TRACE),
    ]


# --- force ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [reserving, created])
def test_force_cancels_what_is_not_paid(given: Callable[[], World]) -> None:
    world = given()
    order = find(world.state, NO)
    assert order is not None
    version = order.version

    world.tell(operate(FORCE))
    assert world.public() == [
        operated(version + 1, FORCE),
        OrderCancelling(NO, version + 2, SHOP, BUYER, CancelCause.REQUESTED, WHY, TRACE),
    ]
    cancels = [message for message in world.asked() if isinstance(message, CancelHold)]
    assert cancels == [CancelHold(hold_id(1), NO, SHOP, 1, "REQUESTED", TRACE)]


@pytest.mark.parametrize("given", [fulfilling, lambda: after(fulfilling(), ship((1, 1)))])
def test_force_refunds_what_is_paid(given: Callable[[], World]) -> None:
    world = given()
    order = find(world.state, NO)
    assert order is not None
    version = order.version

    assert world.tell(operate(FORCE)) == [
        operated(version + 1, FORCE),
        refunding(version + 2),
    ]
    assert isinstance(world.tell(refunded())[0], OrderRefunded)


def test_force_refunds_what_is_left() -> None:
    world = after(fulfilling(), refund((1, 1), key="r1"), refunded())

    began = world.tell(operate(FORCE))[1]
    assert isinstance(began, OrderRefunding)
    assert (began.amount_fen, began.units) == (1_999, units_of((1, 1)))


def test_force_on_a_paid_order_waits_for_its_holds() -> None:
    world = paid()

    wanted = RefundWanted(NO, WHY, "", units_of((1, 2)), TOTAL_FEN)
    assert world.tell(operate(FORCE)) == [operated(5, FORCE), wanted]
    assert world.tell(operate(FORCE)) == [
        OrderRefused(NO, 5, SHOP, BUYER, "OperateOrder", "REFUND_UNDER_WAY", TRACE)
    ]
    assert world.tell(deducted(1))[1] == refunding(7)


@pytest.mark.parametrize(
    ("reason", "version", "amount_fen"),
    [(ParkReason.CONFIRM_UNANSWERED, 5, TOTAL_FEN), (ParkReason.PAYMENT_MISMATCH, 4, 1)],
)
def test_force_refunds_a_parked_order_and_gives_back_what_it_may_hold(
    reason: ParkReason, version: int, amount_fen: int
) -> None:
    world = WORLDS[reason]()

    world.tell(operate(FORCE))
    assert world.public() == [
        operated(version + 1, FORCE),
        refunding(version + 2, amount_fen=amount_fen),
    ]
    number = f"{PAY_NO}-R1"
    assert world.asked() == [
        RequestRefund(number, PAY_NO, NO, SHOP, amount_fen, "CNY", WHY, TRACE),
        ReturnStock(hold_id(1), NO, SHOP, BUYER, 1, 0, "REFUNDED", TRACE),
    ]
    world.tell(released(1))
    assert world.tell(refunded()) == [
        OrderRefunded(NO, version + 3, SHOP, BUYER, number, amount_fen, TRACE)
    ]


# --- pause and resume ----------------------------------------------------------------------------

TIMED = [
    (reserving, LIMITS.step_timeout_ms),
    (created, LIMITS.payment_window_ms),
    (paid, LIMITS.step_timeout_ms),
    (lambda: after(created(), cancel()), LIMITS.step_timeout_ms),
    (lambda: after(fulfilling(), refund()), LIMITS.step_timeout_ms),
    (lambda: after(fulfilling(), ship()), LIMITS.delivery_window_ms),
]


@pytest.mark.parametrize(("given", "due_ms"), TIMED)
def test_no_timer_moves_a_paused_order_until_it_is_resumed(
    given: Callable[[], World], due_ms: int
) -> None:
    world, unpaused = given(), given()
    world.tell(operate(PAUSE))

    facts = world.wait(due_ms + 10 * LIMITS.step_timeout_cap_ms)
    assert set(map(type, facts)) == {TimerHeld}
    assert world.outputs == []
    world.tell(operate(RESUME))
    moved = world.wait(LIMITS.step_timeout_cap_ms)
    assert [type(fact) for fact in moved[:1]] == [type(fact) for fact in unpaused.wait(due_ms)[:1]]


def test_pausing_and_resuming_twice_has_no_effect() -> None:
    world = created()

    assert world.tell(operate(RESUME)) == [world.repeat(operate(RESUME))]
    assert world.tell(operate(PAUSE)) == [operated(4, PAUSE)]
    assert world.tell(operate(PAUSE)) == [world.repeat(operate(PAUSE))]
    assert world.tell(operate(RESUME)) == [operated(5, RESUME)]
    assert world.tell(operate(RESUME)) == [world.repeat(operate(RESUME))]


def test_answers_still_move_a_paused_order_and_it_stays_paused() -> None:
    world = after(created(), operate(PAUSE))

    world.tell(succeeded())
    assert set(map(type, world.wait(LIMITS.step_budget_ms))) == {TimerHeld}
    assert world.tell(deducted(1)) == [OrderConfirmed(NO, 6, SHOP, BUYER, TRACE)]
