"""Who got the last units, in the order in which the sku's partition decided."""

from __future__ import annotations

from schemas.order import CancelOrder
from streams.orders.state import OrderStatus
from tests.unit.explain.shop import BUYER, CODEC, PRICE_FEN, SHOP, TRACE, Shop
from topologies.cli.explain import contest_json, contest_lines
from topologies.explain.last_unit import Contest, Fate, read_contest

MINUTE_MS = 60_000


def contest(shop: Shop, last: int) -> Contest:
    found = read_contest(shop, CODEC, 1, last)
    assert found is not None
    return found


def seen(contest: Contest) -> list[tuple[str, int, int, Fate, OrderStatus | None]]:
    return [
        (one.order_no, one.requested, one.available, one.fate, one.order and one.order.status)
        for one in contest.tries
    ]


def test_winners_and_losers_stand_in_the_order_in_which_they_were_decided() -> None:
    shop = Shop(stock=5)
    first = shop.place(1, key="1", qty=3)
    second = shop.place(1, key="2", qty=1)
    third = shop.place(1, key="3", qty=2)
    fourth = shop.place(1, key="4", qty=1)

    found = contest(shop, last=2)

    assert (found.winners, found.losers, found.left) == (2, 1, 0)
    assert seen(found) == [
        (second, 1, 2, Fate.HELD, OrderStatus.CREATED),
        (third, 2, 1, Fate.REFUSED, OrderStatus.REJECTED),
        (fourth, 1, 1, Fate.HELD, OrderStatus.CREATED),
    ]
    assert first not in [one.order_no for one in found.tries]


def test_what_became_of_the_units_and_of_the_order_is_told() -> None:
    shop = Shop(stock=3)
    paid = shop.place(1, key="1", qty=1)
    cancelled = shop.place(1, key="2", qty=1)
    shop.gateway_says(paid, amount_fen=PRICE_FEN)
    shop.ask(CancelOrder(cancelled, SHOP, BUYER, "changed my mind", TRACE))
    unpaid = shop.place(1, key="3", qty=2)
    shop.pass_(16 * MINUTE_MS)

    found = contest(shop, last=3)

    assert found.left == 2
    assert seen(found) == [
        (paid, 1, 3, Fate.SOLD, OrderStatus.FULFILLING),
        (cancelled, 1, 2, Fate.GIVEN_BACK, OrderStatus.CANCELLED),
        (unpaid, 2, 2, Fate.GIVEN_BACK, OrderStatus.EXPIRED),
    ]


def test_an_order_that_was_placed_long_before_its_try_is_known_too() -> None:
    shop = Shop(stock=2)
    shop.stop("inventory")
    order_no = shop.place(1)
    shop.pass_(MINUTE_MS)

    shop.start("inventory")

    (one,) = seen(contest(shop, last=1))
    assert one == (order_no, 2, 2, Fate.HELD, OrderStatus.CREATED)


def test_only_the_skus_partition_and_the_orders_concerned_are_read() -> None:
    shop = Shop(stock=2)
    orders = [shop.place(1, key=str(n), qty=1) for n in range(2)]
    shop.place(2, key="other sku")
    shop.reads.clear()

    contest(shop, last=2)

    sku = ("inventory.events", shop.partition_of("", "1"))
    concerned = {("order.events", shop.partition_of("", order_no)) for order_no in orders}
    assert shop.reads == [sku, *sorted(concerned)]


def test_a_sku_that_nobody_knows_has_no_contest() -> None:
    assert read_contest(Shop(), CODEC, 99, 10) is None


def test_nobody_has_tried_for_units_that_are_still_far_away() -> None:
    shop = Shop(stock=100)
    shop.place(1)
    assert contest_lines(contest(shop, last=3)) == [
        "sku 1: nobody has tried for the last 3 units yet"
    ]


def test_the_text_and_the_json_tell_the_same() -> None:
    shop = Shop(stock=2)
    won, lost = shop.place(1, key="1"), shop.place(1, key="2", qty=1)
    found = contest(shop, last=1)
    assert contest_lines(found) == [
        "sku 1: 1 got some of the last unit, 1 did not; 0 to be had now",
        "times of 2026-09-21, UTC, in the order in which the tries were decided",
        "",
        "     time          order             wants  of  decision",
        f"  1  14:13:20.040  {won}      2   2  held, still; order created 14:13:20.040",
        (
            f"  2  14:13:20.080  {lost}      1   0  refused: not enough in stock;"
            " order rejected 14:13:20.080"
        ),
    ]
    assert [(one["order_no"], one["fate"]) for one in contest_json(found)["tries"]] == [
        (won, "HELD"),
        (lost, "REFUSED"),
    ]
