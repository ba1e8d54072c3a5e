"""Parcels that leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.order import (
    OrderCompleted,
    OrderPartlyShipped,
    OrderRefused,
    OrderShipped,
    ShipOrder,
    SkuUnits,
)
from streams.kernel.errors import InvalidMessage
from streams.orders.limits import DAY_MS
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    SHOP,
    TRACE,
    World,
    after,
    complete,
    completed,
    fulfilling,
    partly_refunded,
    refund,
    refunded,
    ship,
    units_of,
)


def partly_shipped(
    version: int, *units: tuple[int, int], waybill: str = "SF1"
) -> OrderPartlyShipped:
    return OrderPartlyShipped(NO, version, SHOP, BUYER, waybill, "SF", units_of(*units), TRACE)


def shipped(version: int, *units: tuple[int, int], waybill: str = "SF1") -> OrderShipped:
    return OrderShipped(NO, version, SHOP, BUYER, waybill, "SF", units_of(*units), TRACE)


def refused(reason: str, version: int) -> OrderRefused:
    return OrderRefused(NO, version, SHOP, BUYER, "ShipOrder", reason, TRACE)


def test_an_order_is_shipped_parcel_by_parcel() -> None:
    world = fulfilling(1, 2)

    assert world.tell(ship((1, 2), (2, 1))) == [partly_shipped(6, (1, 2), (2, 1))]
    assert world.public() == [partly_shipped(6, (1, 2), (2, 1))]
    assert world.tell(ship((2, 1), waybill_no="SF2")) == [shipped(7, (2, 1), waybill="SF2")]
    assert world.asked() == []


def test_a_parcel_without_units_takes_everything_that_had_not_left() -> None:
    world = fulfilling(1, 2)
    world.tell(ship((1, 1)))

    assert world.tell(ship(waybill_no="SF2")) == [shipped(7, (1, 1), (2, 2), waybill="SF2")]


def test_units_of_one_sku_may_be_listed_twice() -> None:
    world = fulfilling()

    assert world.tell(ship((1, 1), (1, 1))) == [shipped(6, (1, 2))]


@pytest.mark.parametrize("again", [ship((1, 1)), ship()])
def test_the_same_waybill_again_has_no_effect(again: ShipOrder) -> None:
    world = after(fulfilling(), ship((1, 1)))

    assert world.tell(again) == [world.repeat(again)]


def test_the_same_waybill_with_other_units_is_a_conflict() -> None:
    world = after(fulfilling(), ship((1, 1)))

    assert world.tell(ship((1, 2))) == [refused("WAYBILL_CONFLICT", 6)]


@pytest.mark.parametrize("units", [((1, 3),), ((2, 1),), ((1, 1), (2, 1))])
def test_more_than_was_ordered_never_leaves(units: tuple[tuple[int, int], ...]) -> None:
    world = fulfilling()

    assert world.tell(ship(*units)) == [refused("MORE_THAN_ORDERED", 5)]


def test_what_is_refunded_does_not_leave_any_more() -> None:
    world = partly_refunded(1, 2)

    assert world.tell(ship((1, 2))) == [refused("MORE_THAN_ORDERED", 7)]
    assert world.tell(ship()) == [shipped(8, (1, 1), (2, 2))]


def test_a_refund_of_what_has_left_takes_nothing_from_what_is_still_to_leave() -> None:
    world = after(fulfilling(1, 2), ship((1, 2)), refund((1, 1), key="r1"), refunded())

    assert world.tell(ship(waybill_no="SF2")) == [shipped(9, (2, 2), waybill="SF2")]


@pytest.mark.parametrize(
    ("given", "version"),
    [
        (lambda: after(fulfilling(), ship()), 6),
        (completed, 6),
        (lambda: after(completed(), refund((1, 1), key="r1"), refunded()), 8),
        (lambda: after(fulfilling(), ship((1, 1)), refund((1, 1), key="r1"), refunded()), 8),
    ],
    ids=["shipped", "completed", "completed-and-refunded", "the-rest-refunded"],
)
def test_nothing_leaves_when_nothing_is_left(given: Callable[[], World], version: int) -> None:
    assert given().tell(ship(waybill_no="X")) == [refused("ALREADY_SHIPPED", version)]


def test_a_partly_shipped_order_is_not_completed() -> None:
    world = after(fulfilling(), ship((1, 1)))

    not_shipped = OrderRefused(NO, 6, SHOP, BUYER, "CompleteOrder", "NOT_SHIPPED", TRACE)
    assert world.tell(complete()) == [not_shipped]


@pytest.mark.parametrize("given", [fulfilling, lambda: after(fulfilling(), ship())])
def test_an_order_completes_with_and_without_reported_parcels(given: Callable[[], World]) -> None:
    assert isinstance(given().tell(complete())[0], OrderCompleted)


def test_a_shipped_order_completes_by_itself_when_nobody_says_so() -> None:
    world = after(fulfilling(), ship())

    assert LIMITS.delivery_window_ms == 15 * DAY_MS
    assert world.wait(LIMITS.delivery_window_ms - 1) == []
    assert world.wait(1) == [OrderCompleted(NO, 7, SHOP, BUYER, TRACE)]


def test_a_malformed_parcel_is_invalid() -> None:
    with pytest.raises(InvalidMessage) as error:
        fulfilling().tell(replace(ship(), units=(SkuUnits(1, 0),)))
    assert error.value.code == "BAD_UNITS"
