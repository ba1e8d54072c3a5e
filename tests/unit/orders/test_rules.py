"""The rules of `domain.md`, "Orders", sentence by sentence.

Each test is named after its sentence; the details of a rule are in the test file of its topic. Not
here: flows other than ``standard``, which no order can follow yet.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas import topics
from schemas.inventory import CancelHold, ConfirmHold, StockReason, TryHold
from schemas.order import (
    OperatorAction,
    OrderConfirmed,
    OrderExpired,
    OrderParked,
    OrderRefunded,
    OrderRefused,
    OrderRejected,
    OrderRepeated,
)
from schemas.payment import RequestRefund
from schemas.record import Record
from streams.orders.evolve_steps import STEPS
from streams.orders.facts import StepRetried
from streams.orders.limits import MINUTE_MS
from streams.orders.state import OrderStatus
from tests.unit.orders.world import (
    LIMITS,
    NO,
    TRACE,
    WORLDS,
    World,
    after,
    amend,
    cancel,
    cancelled,
    complete,
    completed,
    created,
    deducted,
    end_refused,
    fulfilling,
    held,
    hold_id,
    later,
    operate,
    paid,
    place,
    refund,
    refunded,
    released,
    reserving,
    ship,
    stock_refused,
    succeeded,
)

PUBLIC = topics.ORDER_EVENTS.records


def test_states_are_those_of_the_design() -> None:
    assert set(OrderStatus) == {
        "RESERVING",
        "CREATED",
        "PAID",
        "FULFILLING",
        "PARTLY_SHIPPED",
        "SHIPPED",
        "COMPLETED",
        "CANCELLING",
        "CANCELLED",
        "EXPIRED",
        "REJECTED",
        "REFUNDING",
        "PARTLY_REFUNDED",
        "REFUNDED",
        "PARKED",
    }


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_fact_names_its_order_its_version_its_shop_and_its_trace(kind: type[Record]) -> None:
    assert {"order_no", "version", "shop_id", "trace_id"} <= set(kind.__struct_fields__)


def test_versions_are_1_2_3_without_a_gap_over_a_whole_life() -> None:
    world = fulfilling()
    world.tell(ship((1, 1)), operate(OperatorAction.PAUSE), ship(waybill_no="SF2"), complete())
    world.tell(refund((1, 1), key="r1"), refunded())

    versions = [
        fact.version  # type: ignore[attr-defined]  # every public fact has one
        for fact in world.facts
        if type(fact) in PUBLIC and not isinstance(fact, OrderRefused | OrderRepeated)
    ]
    assert versions == list(range(1, 12))


def test_the_trace_of_the_placement_is_carried_through() -> None:
    world = fulfilling()
    world.tell(ship((1, 1)), ship(waybill_no="SF2"), refund((1, 1), key="r1"), refunded())

    public = [fact for fact in world.facts if type(fact) in PUBLIC]
    assert len(public) == 9
    assert {fact.trace_id for fact in public} == {TRACE}  # type: ignore[attr-defined]  # as above


def test_private_facts_have_no_version() -> None:
    assert not any("version" in kind.__struct_fields__ for kind in STEPS)


def test_everything_is_tried_in_parallel() -> None:
    world = reserving(1, 2, 3)

    assert [m.sku_id for m in world.asked() if isinstance(m, TryHold)] == [1, 2, 3]


def test_a_refusal_cancels_what_is_held_and_rejects_naming_every_missing_sku() -> None:
    world = after(reserving(1, 2, 3), stock_refused(1), held(2))

    world.tell(stock_refused(3))
    (rejected,) = world.public()
    assert isinstance(rejected, OrderRejected)
    assert [refusal.resource_id for refusal in rejected.refusals] == ["1", "3"]
    assert [m.hold_id for m in world.asked() if isinstance(m, CancelHold)] == [hold_id(2)]


def test_paid_confirms_all_holds() -> None:
    world = paid(1, 2)

    asked = [m.hold_id for m in world.asked() if isinstance(m, ConfirmHold)]
    assert asked == [hold_id(1), hold_id(2)]


def test_a_hold_that_expired_meanwhile_is_refunded_at_last() -> None:
    world = paid()

    world.tell(end_refused("ConfirmHold", reason=StockReason.HOLD_EXPIRED))
    assert isinstance(world.asked()[0], TryHold)
    world.tell(replace(stock_refused(), hold_id=f"{hold_id(1)}~1"))
    world.tell(refunded())
    assert isinstance(world.facts[-1], OrderRefunded)


@pytest.mark.parametrize(
    "status",
    [OrderStatus.RESERVING, OrderStatus.PAID, OrderStatus.CANCELLING, OrderStatus.REFUNDING],
)
def test_every_step_has_a_timeout_a_capped_backoff_and_an_end(status: OrderStatus) -> None:
    world = WORLDS[status]()

    waits = []
    while True:
        began_ms = world.now_ms
        while not (told := world.wait(1_000)):
            pass
        if told != [StepRetried(NO)]:
            break
        waits.append(world.now_ms - began_ms)
    assert waits == [10_000, 20_000, 40_000, 80_000]
    assert LIMITS.step_wait_ms(99) == LIMITS.step_timeout_cap_ms
    assert isinstance(told[0], OrderRejected | OrderParked)


def test_a_late_hold_of_a_finished_order_is_released() -> None:
    for given in (cancelled, completed):
        world = after(given(), held())

        assert [m.hold_id for m in world.asked() if isinstance(m, CancelHold)] == [hold_id(1)]


def test_late_money_of_a_finished_order_goes_back() -> None:
    world = after(cancelled(), succeeded())

    assert [type(message) for message in world.asked()] == [RequestRefund]


def test_a_contradictory_reply_to_a_finished_order_changes_nothing() -> None:
    for message in (deducted(), released(), stock_refused(), end_refused("ConfirmHold")):
        assert cancelled().tell(message) == []


def test_the_sweep_drives_a_stuck_order_on_within_five_minutes() -> None:
    assert LIMITS.step_budget_ms < 5 * MINUTE_MS
    world = later(reserving(), 5 * MINUTE_MS)

    assert isinstance(world.public()[0], OrderRejected)


def test_nobody_pays_in_time_and_the_order_expires() -> None:
    world = later(created(), LIMITS.payment_window_ms)

    assert isinstance(world.tell(released())[0], OrderExpired)


def test_the_same_request_is_the_same_order() -> None:
    world = after(World(), place())

    assert world.tell(place()) == []


def test_an_order_is_amended_before_payment_and_not_after() -> None:
    assert not any(isinstance(f, OrderRefused) for f in created().tell(amend()))
    assert isinstance(paid().tell(amend())[0], OrderRefused)


def test_a_parked_order_is_visible_and_waits_for_a_human_or_its_answer() -> None:
    world = later(paid(), LIMITS.step_budget_ms)

    parked = world.public()[-1]
    assert isinstance(parked, OrderParked)
    assert (parked.step, parked.reason) == ("PAID", "CONFIRM_UNANSWERED")
    assert isinstance(world.tell(deducted())[0], OrderConfirmed)


def test_a_cancelled_order_holds_nothing() -> None:
    world = after(reserving(1, 2), held(1), cancel())

    cancels = [m.hold_id for m in world.asked() if isinstance(m, CancelHold)]
    assert cancels == [hold_id(1), hold_id(2)]
