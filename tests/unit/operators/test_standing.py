"""Which orders are stuck and which are parked, told from their facts."""

from __future__ import annotations

import pytest
import typer

from schemas.order import OperateOrder, OperatorAction, OrderParked
from schemas.topics import ORDER_EVENTS
from streams.engine.memory import distinct
from streams.orders.state import OrderStatus
from tests.unit.explain.shop import BUYER, CODEC, SHOP, TRACE, Shop
from topologies.cli.orders import parse_span_ms
from topologies.standing import STUCK_AFTER_MS, Standing, Standings

MINUTE_MS = 60_000


def standings(shop: Shop) -> Standings:
    found = Standings()
    for record in shop.host.log.records(ORDER_EVENTS.name):
        found.take(CODEC.decode(record.value), record.timestamp)
    return found


def stuck(shop: Shop, after_ms: int = STUCK_AFTER_MS, step: str | None = None) -> list[str]:
    return [one.order_no for one in standings(shop).stuck(shop.host.log.clock_ms, after_ms, step)]


def test_an_order_whose_stage_does_not_answer_is_stuck_after_a_while() -> None:
    shop = Shop()
    shop.stop("inventory")
    order_no = shop.place(1)
    assert stuck(shop) == []
    shop.host.log.clock_ms += STUCK_AFTER_MS
    assert stuck(shop) == [order_no]


def test_an_order_that_waits_for_its_buyer_is_not_stuck_unless_it_should_have_expired() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.host.log.clock_ms += 19 * MINUTE_MS
    assert stuck(shop) == []
    shop.host.log.clock_ms += 1 * MINUTE_MS
    assert stuck(shop) == [order_no]


def test_an_order_that_waits_for_a_person_is_listed_when_its_step_is_asked_for() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.gateway_says(order_no)
    shop.host.log.clock_ms += 60 * MINUTE_MS
    assert stuck(shop) == []
    assert stuck(shop, step="FULFILLING") == [order_no]


def test_a_finished_order_is_neither_stuck_nor_parked() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.gateway_says(order_no)
    shop.complete(order_no)
    shop.host.log.clock_ms += 60 * MINUTE_MS
    assert stuck(shop, step="COMPLETED") == []
    assert list(standings(shop).parked()) == []


def test_a_parked_order_names_the_step_and_the_reason_and_is_not_also_stuck() -> None:
    shop = Shop()
    order_no = shop.park()

    (event,) = (e for e in shop.events(order_no) if isinstance(e.record, OrderParked))
    assert list(standings(shop).parked()) == [
        Standing(
            order_no,
            SHOP,
            BUYER,
            OrderStatus.PARKED,
            "PAID",
            "CONFIRM_UNANSWERED",
            event.at_ms,
            "",
            TRACE,
        )
    ]
    assert stuck(shop, 0) == []


def test_an_order_that_an_operator_paused_names_him_until_it_is_resumed() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.ask(OperateOrder(order_no, SHOP, "mei", OperatorAction.PAUSE, "fraud check", TRACE))
    shop.pass_(20 * MINUTE_MS)

    (one,) = standings(shop).stuck(shop.host.log.clock_ms, STUCK_AFTER_MS)
    assert (one.order_no, one.status, one.paused_by) == (order_no, OrderStatus.CREATED, "mei")

    shop.ask(OperateOrder(order_no, SHOP, "mei", OperatorAction.RESUME, "checked", TRACE))
    (one,) = standings(shop).stuck(shop.host.log.clock_ms, STUCK_AFTER_MS)
    assert one.paused_by == ""


def test_a_fact_that_was_sent_again_moves_nothing() -> None:
    shop = Shop()
    shop.host.checkpoint()
    shop.place(1)
    before = standings(shop)
    shop.host.crash()
    shop.host.run()
    assert len(shop.host.log.records(ORDER_EVENTS.name)) > len(
        list(distinct(shop.host.log, ORDER_EVENTS.name))
    )
    assert list(standings(shop).stuck(2**60, 0)) == list(before.stuck(2**60, 0))


@pytest.mark.parametrize(
    ("text", "ms"), [("90s", 90_000), ("5m", 300_000), ("2h", 7_200_000), ("0s", 0)]
)
def test_a_length_of_time_has_a_unit(text: str, ms: int) -> None:
    assert parse_span_ms(text) == ms


@pytest.mark.parametrize("text", ["5", "m", "-1m", "five"])
def test_what_is_no_length_of_time_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_span_ms(text)
