"""A change of an order before it is paid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.inventory import CancelHold, ConfirmHold, StockHeld, StockRefused, TryHold
from schemas.order import (
    CancelCause,
    HoldRef,
    OrderAmended,
    OrderCancelling,
    OrderExpired,
    OrderPaid,
    OrderParked,
    OrderPaymentOpened,
    OrderRefused,
    PricedLine,
    Refusal,
)
from schemas.payment import ClosePayments, RequestPayment, RequestRefund
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.orders.facts import (
    AmendAnswered,
    AmendEnded,
    AttemptEnded,
    HoldAnswered,
    HoldsReturned,
    PaymentTaken,
    StepRetried,
    SurplusAsked,
)
from streams.orders.limits import OrderLimits
from streams.orders.state import HoldMark, Order, OrderStatus
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    START_MS,
    TOTAL_FEN,
    TRACE,
    World,
    amend,
    cancel,
    closed,
    created,
    deducted,
    held,
    hold_id,
    pay,
    place,
    released,
    stock_refused,
    succeeded,
)

EXPIRES_AT_MS = START_MS + LIMITS.payment_window_ms


def extra(sku: int, nth: int = 1) -> str:
    return f"{hold_id(sku)}/{nth}"


def extra_held(sku: int = 1, nth: int = 1) -> StockHeld:
    return held(sku, extra(sku, nth))


def extra_refused(sku: int = 1, nth: int = 1) -> StockRefused:
    return replace(stock_refused(sku), hold_id=extra(sku, nth))


def try_hold(hold: str, sku: int, qty: int) -> TryHold:
    return TryHold(hold, NO, SHOP, BUYER, sku, qty, LIMITS.hold_ttl_ms, TRACE)


def cancel_hold(hold: str, sku: int, reason: str) -> CancelHold:
    return CancelHold(hold, NO, SHOP, sku, reason, TRACE)


def ref(hold: str, sku: int, qty: int) -> HoldRef:
    return HoldRef(hold, "stock", str(sku), qty)


def amended(
    version: int,
    lines: tuple[tuple[int, int, int], ...],
    holds: tuple[HoldRef, ...],
    key: str = "a1",
) -> OrderAmended:
    return OrderAmended(
        order_no=NO,
        version=version,
        shop_id=SHOP,
        user_id=BUYER,
        amend_key=key,
        currency="CNY",
        lines=tuple(PricedLine(sku, qty, fen, 0, fen) for sku, qty, fen in lines),
        rules=(),
        holds=holds,
        total_fen=sum(fen for _, _, fen in lines),
        expires_at_ms=EXPIRES_AT_MS,
        trace_id=TRACE,
    )


def refused(reason: str, version: int, *refusals: Refusal) -> OrderRefused:
    return OrderRefused(NO, version, SHOP, BUYER, "AmendOrder", reason, TRACE, refusals)


def opened(version: int, n: int, amount_fen: int) -> OrderPaymentOpened:
    return OrderPaymentOpened(
        NO, version, SHOP, BUYER, f"{NO}-{n}", "wechat", amount_fen, "CNY", TRACE
    )


def unpaid(*skus: int) -> World:
    """Created, and no payment attempt yet."""
    return created(*skus, channel=None)


def order_of(world: World) -> Order:
    order = world.state.get(Order, NO)
    assert order is not None
    return order


# --- holding what is new, and only then giving back what is dropped ------------------------------


def test_more_of_a_sku_holds_the_units_that_are_missing() -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997)))

    assert world.public() == []
    assert world.asked() == [try_hold(extra(1), 1, 1)]
    holds = (ref(hold_id(1), 1, 2), ref(extra(1), 1, 1))
    assert world.tell(extra_held()) == [amended(3, ((1, 3, 5_997),), holds)]
    assert world.public() == [amended(3, ((1, 3, 5_997),), holds)]
    assert world.asked() == []


def test_what_is_dropped_goes_back_only_when_everything_new_is_held() -> None:
    world = unpaid(1, 2)
    world.tell(amend((1, 2, 3_998), (3, 1, 10), (4, 1, 20)))

    assert world.asked() == [try_hold(extra(3), 3, 1), try_hold(extra(4), 4, 1)]
    assert world.tell(extra_held(4)) == [AmendAnswered(NO, 1, HoldMark.HELD)]
    assert world.asked() == []
    world.tell(extra_held(3))
    holds = (ref(hold_id(1), 1, 2), ref(extra(3), 3, 1), ref(extra(4), 4, 1))
    lines = ((1, 2, 3_998), (3, 1, 10), (4, 1, 20))
    assert world.public() == [amended(3, lines, holds)]
    assert world.asked() == [cancel_hold(hold_id(2), 2, "AMENDED")]
    assert world.tell(released(2)) == []


def test_less_of_a_sku_is_held_anew_and_the_larger_hold_goes_back() -> None:
    world = unpaid(1)
    world.tell(amend((1, 1, 1_999)))

    assert world.asked() == [try_hold(extra(1), 1, 1)]
    world.tell(extra_held())
    assert world.public() == [amended(3, ((1, 1, 1_999),), (ref(extra(1), 1, 1),))]
    assert world.asked() == [cancel_hold(hold_id(1), 1, "AMENDED")]


def test_less_of_a_sku_keeps_a_hold_that_fits() -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997)), extra_held())

    world.tell(amend((1, 2, 3_998), key="a2"))
    assert world.public() == [amended(4, ((1, 2, 3_998),), (ref(hold_id(1), 1, 2),), key="a2")]
    assert world.asked() == [cancel_hold(extra(1), 1, "AMENDED")]


def test_an_amended_order_is_paid_and_confirmed_as_it_is_then() -> None:
    world = unpaid(1, 2)
    world.tell(amend((1, 3, 5_997)), extra_held(), pay())

    assert world.public() == [opened(4, 1, 5_997)]
    world.tell(succeeded(amount_fen=5_997))
    asked = [m.hold_id for m in world.asked() if isinstance(m, ConfirmHold)]
    assert asked == [hold_id(1), extra(1)]
    world.tell(deducted(1))
    confirmed = world.tell(replace(deducted(1), hold_id=extra(1)))
    assert order_of(world).status is OrderStatus.FULFILLING
    assert len(confirmed) == 1


def test_a_change_that_needs_nothing_new_is_done_at_once() -> None:
    world = unpaid(1, 2)

    facts = world.tell(amend((1, 2, 3_998)))
    assert facts[1:] == [
        amended(3, ((1, 2, 3_998),), (ref(hold_id(1), 1, 2),)),
        HoldsReturned(NO, SHOP, (ref(hold_id(2), 2, 2),), "AMENDED", TRACE),
    ]


# --- what cannot be held leaves the order as it was ----------------------------------------------


def test_a_change_that_cannot_be_held_is_refused_by_name_and_the_order_stays_as_it_was() -> None:
    world = unpaid(1, 2)
    before = order_of(world)
    world.tell(amend((1, 3, 5_997), (3, 1, 10), (4, 1, 20)))
    first, second = Refusal("3", "INSUFFICIENT", 1, 1), Refusal("4", "INSUFFICIENT", 1, 1)

    assert world.tell(extra_refused(3)) == [AmendAnswered(NO, 1, HoldMark.REFUSED, first)]
    world.tell(extra_held(1))
    no = refused("AMEND_NOT_HELD", 2, first, second)
    assert world.tell(extra_refused(4)) == [
        no,
        AmendEnded(NO),
        HoldsReturned(NO, SHOP, (ref(extra(1), 1, 1),), "AMEND_NOT_HELD", TRACE),
    ]
    assert world.public() == [no]
    assert world.asked() == [cancel_hold(extra(1), 1, "AMEND_NOT_HELD")]
    after = order_of(world)
    assert replace(after, amends=()) == replace(before, amends=())


def test_a_hold_after_a_refusal_refuses_the_change_and_goes_back() -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997), (3, 1, 10)), extra_refused(3))

    world.tell(extra_held(1))
    assert world.public() == [refused("AMEND_NOT_HELD", 2, Refusal("3", "INSUFFICIENT", 1, 1))]
    assert world.asked() == [cancel_hold(extra(1), 1, "AMEND_NOT_HELD")]


def test_an_added_hold_that_runs_out_while_others_are_awaited_counts_as_refused() -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997), (3, 1, 10)), extra_held(1))

    lost = Refusal("1", "HOLD_EXPIRED", 1, 0)
    gone = replace(released(1), hold_id=extra(1))
    assert world.tell(gone) == [AmendAnswered(NO, 0, HoldMark.REFUSED, lost)]
    world.tell(extra_held(3))
    assert world.public() == [refused("AMEND_NOT_HELD", 2, lost)]


def test_unanswered_holds_are_asked_for_again_and_then_the_change_is_refused() -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997)))
    first = world.asked()

    facts = world.wait(LIMITS.step_budget_ms)
    late = Refusal("1", "TIMEOUT", 1, 0)
    assert facts[: LIMITS.step_retries] == [StepRetried(NO)] * LIMITS.step_retries
    assert world.asked() == [
        *first * LIMITS.step_retries,
        cancel_hold(extra(1), 1, "AMEND_NOT_HELD"),
    ]
    assert world.public() == [refused("AMEND_NOT_HELD", 2, late)]
    late_hold = world.tell(extra_held())
    assert late_hold == [HoldsReturned(NO, SHOP, (ref(extra(1), 1, 2),), "NOT_AWAITED", TRACE)]


def test_a_refused_change_leaves_the_payment_window_as_it_was() -> None:
    world = unpaid(1)
    world.wait(60_000)
    world.tell(amend((1, 3, 5_997)), extra_refused())

    world.wait(LIMITS.payment_window_ms - 60_001)
    assert order_of(world).status is OrderStatus.CREATED
    world.wait(1)
    assert order_of(world).status is OrderStatus.CANCELLING


def test_an_amended_order_expires_when_it_would_have_expired() -> None:
    world = unpaid(1)
    world.wait(60_000)
    world.tell(amend((1, 3, 5_997)), extra_held())

    world.wait(LIMITS.payment_window_ms - 60_000)
    assert world.public() == [
        OrderCancelling(NO, 4, SHOP, BUYER, CancelCause.PAYMENT_TIMEOUT, "PAYMENT_TIMEOUT", TRACE)
    ]


def test_the_payment_window_ends_also_while_a_change_is_under_way() -> None:
    world = unpaid(1)
    world.wait(LIMITS.payment_window_ms - 1)
    world.tell(amend((1, 3, 5_997)))

    cancelling = OrderCancelling(
        NO, 3, SHOP, BUYER, CancelCause.PAYMENT_TIMEOUT, "PAYMENT_TIMEOUT", TRACE
    )
    world.wait(1)
    assert world.public() == [refused("ORDER_ENDING", 2), cancelling]
    assert world.asked() == [
        cancel_hold(extra(1), 1, "ORDER_ENDING"),
        cancel_hold(hold_id(1), 1, "PAYMENT_TIMEOUT"),
    ]
    ended = OrderExpired(NO, 4, SHOP, BUYER, "PAYMENT_TIMEOUT", TRACE)
    assert world.tell(released(1)) == [ended]


# --- payments of the old total --------------------------------------------------------------------


def test_an_open_payment_of_the_old_total_is_closed_before_the_order_changes() -> None:
    world = created(1)
    world.tell(amend((1, 3, 5_997)))
    world.tell(extra_held())

    assert world.public() == []
    assert world.asked() == [ClosePayments(NO, SHOP, "AMENDED", TRACE, PAY_NO)]
    holds = (ref(hold_id(1), 1, 2), ref(extra(1), 1, 1))
    assert world.tell(closed()) == [amended(4, ((1, 3, 5_997),), holds), opened(5, 2, 5_997)]
    assert world.asked() == [
        RequestPayment(f"{NO}-2", NO, SHOP, BUYER, "wechat", 5_997, "CNY", TRACE)
    ]
    assert world.tell(closed()) == []


def test_without_an_open_payment_none_is_opened() -> None:
    world = created(1)
    world.tell(closed(), amend((1, 3, 5_997)), extra_held())

    (fact,) = world.tell(closed())
    assert isinstance(fact, OrderAmended)


def test_money_of_the_old_total_that_comes_nevertheless_goes_back() -> None:
    world = created(1)
    world.tell(amend((1, 3, 5_997)), extra_held(), closed())

    asked = SurplusAsked(PAY_NO, NO, SHOP, BUYER, TOTAL_FEN, "CNY", 1, 0, TRACE)
    assert world.tell(succeeded()) == [asked]
    assert world.asked() == [
        RequestRefund(f"{PAY_NO}-R1", PAY_NO, NO, SHOP, TOTAL_FEN, "CNY", "SURPLUS", TRACE)
    ]
    paid = world.tell(succeeded(f"{NO}-2", 5_997))
    assert [type(fact) for fact in paid] == [OrderPaid]


@pytest.mark.parametrize("is_held", [False, True], ids=["holding", "closing"])
def test_money_that_comes_before_the_change_wins_over_it(is_held: bool) -> None:
    world = created(1)
    world.tell(amend((1, 3, 5_997)), *([extra_held()] if is_held else []))

    paid = OrderPaid(NO, 4, SHOP, BUYER, "CNY", TOTAL_FEN, PAY_NO, START_MS + 50, TRACE)
    assert world.tell(succeeded()) == [
        refused("ALREADY_PAID", 3),
        AmendEnded(NO),
        HoldsReturned(NO, SHOP, (ref(extra(1), 1, 1),), "ALREADY_PAID", TRACE),
        paid,
    ]
    assert world.tell(succeeded()) == []  # the answer to the close
    world.tell(deducted(1))
    assert order_of(world).status is OrderStatus.FULFILLING


def test_money_that_does_not_fit_parks_the_order_as_it_was() -> None:
    world = created(1)
    world.tell(amend((1, 3, 5_997)))

    parked = OrderParked(NO, 4, SHOP, BUYER, "CREATED", "PAYMENT_MISMATCH", TRACE)
    facts = world.tell(succeeded(amount_fen=1))
    assert facts[0] == refused("ORDER_PARKED", 3)
    assert facts[-2:] == [PaymentTaken(NO, 1, 1), parked]


def test_a_close_that_nobody_answers_is_asked_for_again_and_then_the_change_is_refused() -> None:
    world = created(1)
    world.tell(amend((1, 3, 5_997)), extra_held())

    world.wait(LIMITS.step_budget_ms)
    close = ClosePayments(NO, SHOP, "AMENDED", TRACE, PAY_NO)
    assert world.asked() == [
        *[close] * LIMITS.step_retries,
        cancel_hold(extra(1), 1, "AMEND_UNANSWERED"),
    ]
    assert world.public() == [refused("AMEND_UNANSWERED", 3)]
    assert world.tell(closed()) == [AttemptEnded(NO)]
    assert world.tell(pay()) == [opened(4, 2, TOTAL_FEN)]


def test_a_payment_is_not_opened_while_the_total_may_change() -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997)))

    no = OrderRefused(NO, 2, SHOP, BUYER, "PayOrder", "AMEND_UNDER_WAY", TRACE)
    assert world.tell(pay()) == [no]


# --- idempotency and guards ----------------------------------------------------------------------


@pytest.mark.parametrize("answer", [extra_held(), extra_refused()], ids=["yes", "no"])
def test_the_same_amend_again_has_no_effect(answer: Record) -> None:
    world = unpaid(1)
    world.tell(amend(), answer)

    assert world.tell(amend()) == [world.repeat(amend())]


def test_the_same_amend_again_while_it_is_under_way_is_answered_by_its_end() -> None:
    world = unpaid(1)
    world.tell(amend())

    assert world.tell(amend()) == []


def test_the_same_amend_key_with_another_body_is_a_conflict() -> None:
    world = unpaid(1)
    world.tell(amend())

    assert world.tell(amend(fingerprint="b" * 16)) == [refused("AMEND_CONFLICT", 2)]
    world.tell(extra_held())
    assert world.tell(amend(fingerprint="b" * 16)) == [refused("AMEND_CONFLICT", 3)]


def test_changes_are_made_one_at_a_time() -> None:
    world = unpaid(1)
    world.tell(amend())

    assert world.tell(amend(key="a2")) == [refused("AMEND_UNDER_WAY", 2)]


def test_an_order_keeps_its_currency() -> None:
    assert unpaid(1).tell(amend(currency="USD")) == [refused("CURRENCY_MISMATCH", 2)]


def test_changes_are_limited() -> None:
    world = World(OrderLimits(amends=1))
    world.tell(place(1), held(1), amend(), extra_refused())

    assert world.tell(amend(key="a2")) == [refused("TOO_MANY_AMENDS", 2)]


def test_each_change_asks_under_hold_ids_of_its_own() -> None:
    world = unpaid(1)
    world.tell(amend(), extra_refused(), amend(key="a2"))

    assert world.asked() == [try_hold(extra(1, 2), 1, 1)]


def test_cancelling_gives_back_also_what_a_change_holds() -> None:
    world = unpaid(1)
    world.tell(amend(), extra_held(), amend((1, 4, 7_996), key="a2"), extra_held(nth=2))
    world.tell(amend((1, 5, 9_995), key="a3"))

    world.tell(cancel())
    assert [type(fact).__name__ for fact in world.public()] == ["OrderRefused", "OrderCancelling"]
    cancelled = [m.hold_id for m in world.asked() if isinstance(m, CancelHold)]
    assert cancelled == [extra(1, 3), hold_id(1), extra(1), extra(1, 2)]


def test_a_hold_of_the_order_lost_during_a_change_expires_it_with_everything() -> None:
    world = unpaid(1, 2)
    world.tell(amend((1, 3, 5_997), (2, 2, 0)))

    facts = world.tell(released(2))
    assert facts[0] == HoldAnswered(NO, 1, HoldMark.RELEASED)
    assert world.public()[0] == refused("ORDER_ENDING", 2)
    assert [m.hold_id for m in world.asked() if isinstance(m, CancelHold)] == [
        extra(1),
        hold_id(1),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"holds": ()},
        {"holds": (ref("h", 1, 0),)},
        {"holds": (replace(ref("h", 1, 1), kind="coupon"),)},
    ],
)
def test_a_malformed_amend_is_invalid(change: dict[str, object]) -> None:
    with pytest.raises(InvalidMessage) as error:
        unpaid(1).tell(replace(amend(), **change))
    assert error.value.code == "BAD_HOLDS"


@pytest.mark.parametrize("answer", [extra_held, extra_refused])
def test_a_repeated_answer_to_a_change_has_no_effect(answer: Callable[..., Record]) -> None:
    world = unpaid(1)
    world.tell(amend((1, 3, 5_997), (3, 1, 10)), answer(1))

    assert world.tell(extra_refused(1)) == []
    if answer is extra_held:
        assert world.tell(extra_held(1)) == []
