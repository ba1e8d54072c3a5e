"""What a client's command means in each status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from schemas.order import (
    AmendOrder,
    CancelOrder,
    CompleteOrder,
    OrderRefused,
    OrderRepeated,
    PayOrder,
    RefundOrder,
    ShipOrder,
)
from schemas.record import Record
from streams.orders.commands import VERDICTS, Verdict, find
from streams.orders.state import FINISHED, OrderStatus, status_of
from tests.unit.orders.world import (
    BUYER,
    NO,
    SHOP,
    TRACE,
    WORLDS,
    World,
    amend,
    cancel,
    complete,
    completed,
    created,
    fulfilling,
    paid,
    pay,
    refund,
    ship,
)

COMMANDS: dict[type[Record], Callable[..., Record]] = {
    PayOrder: pay,
    AmendOrder: amend,
    CancelOrder: cancel,
    ShipOrder: partial(ship, waybill_no="another"),
    CompleteOrder: complete,
    RefundOrder: partial(refund, key="another"),
}


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_is_judged_as_the_table_says(kind: type[Record], status: OrderStatus) -> None:
    world = WORLDS[status]()
    order = find(world.state, NO)
    assert order is not None
    assert status_of(order) is status
    version = order.version

    facts = world.tell(COMMANDS[kind]())
    verdict = VERDICTS[kind][status]
    if verdict is Verdict.ACCEPT:
        assert facts
        assert not any(isinstance(fact, OrderRefused | OrderRepeated) for fact in facts)
    elif verdict is Verdict.REPEAT:
        assert facts == [world.repeat(COMMANDS[kind]())]
        assert world.public() == facts
    else:
        refused = OrderRefused(NO, version, SHOP, BUYER, kind.__name__, str(verdict.value), TRACE)
        assert facts == [refused]
        assert world.public() == [refused]


def test_the_table_has_a_verdict_for_every_status() -> None:
    assert set(VERDICTS) == set(COMMANDS)
    assert all(set(verdicts) == set(OrderStatus) for verdicts in VERDICTS.values())


def test_only_a_refund_is_accepted_of_a_finished_order() -> None:
    accepted = {
        (kind, status)
        for kind, verdicts in VERDICTS.items()
        for status in FINISHED
        if verdicts[status] is Verdict.ACCEPT
    }
    assert accepted == {(RefundOrder, OrderStatus.COMPLETED)}


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_an_unknown_order_is_refused(kind: type[Record]) -> None:
    reason = "UNKNOWN_ORDER"
    user_id = 0 if kind is ShipOrder else BUYER
    assert World().tell(COMMANDS[kind]()) == [
        OrderRefused(NO, 0, SHOP, user_id, kind.__name__, reason, TRACE)
    ]


@pytest.mark.parametrize("given", [created, fulfilling, completed])
@pytest.mark.parametrize(
    ("kind", "whose"),
    [
        (kind, whose)
        for kind in COMMANDS
        for whose in ({"user_id": 9}, {"shop_id": 9})
        if kind is not ShipOrder or "shop_id" in whose  # a parcel names no user
    ],
    ids=str,
)
def test_another_ones_order_is_refused_like_an_unknown_one(
    kind: type[Record], given: Callable[[], World], whose: dict[str, int]
) -> None:
    world = given()
    command = COMMANDS[kind](**whose)

    assert world.tell(command) == World().tell(command)


def test_a_refusal_carries_the_orders_trace_when_the_command_has_none() -> None:
    world = paid()

    (refused,) = world.tell(CancelOrder(NO, SHOP, BUYER, "no"))
    assert isinstance(refused, OrderRefused)
    assert refused.trace_id == TRACE
