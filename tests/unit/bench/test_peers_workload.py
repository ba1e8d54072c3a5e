"""Both kinds of bytes say the same, and the books of a run find what is missing."""

from __future__ import annotations

import msgspec
import pytest

from tests.bench.peers.accounts import mistakes
from tests.bench.peers.driver import order_number
from tests.bench.peers.ours.records import (
    Deducted,
    Line,
    OrderCreated,
    OrderPaid,
    PlaceOrder,
    codec,
)
from tests.bench.peers.ours.records import wire as our_wire
from tests.bench.peers.workload import PEER_WIRE, UNITS, Basket, baskets

BASKETS: list[Basket] = [(("sku1", 1),), (("sku1", 1), ("sku2", 2))]
RUN = "0123456789ab"


def test_baskets_are_the_same_every_time_and_name_no_sku_twice() -> None:
    drawn = baskets()
    assert drawn == baskets()
    assert all(len({sku for sku, _ in basket}) == len(basket) for basket in drawn)
    assert 1.28 < sum(map(len, drawn)) / len(drawn) < 1.32


@pytest.mark.parametrize("name", ["created", "paid"])
def test_the_peers_events_begin_as_the_driver_expects(name: str) -> None:
    event = msgspec.msgpack.encode([name, 1, [["sku1", 1]]])
    begins = [event.startswith(prefix) for prefix in (PEER_WIRE.created, PEER_WIRE.paid)]
    assert begins == [name == "created", name == "paid"]


def test_our_events_begin_as_the_driver_expects() -> None:
    created = codec().encode(OrderCreated("a", (Line("sku1", 1),), 1, "t"))
    paid = codec().encode(OrderPaid("a", (Line("sku1", 1),), 1, "t"))
    wire = our_wire()
    assert created.startswith(wire.created)
    assert paid.startswith(wire.paid)
    assert wire.created != wire.paid


def test_both_wires_place_the_same_order() -> None:
    assert msgspec.msgpack.decode(PEER_WIRE.place("a", BASKETS[1], 7)) == [
        0,
        [["sku1", 1], ["sku2", 2]],
        7,
    ]
    placed = codec().decode(our_wire().place("a", BASKETS[1], 7))
    assert placed == PlaceOrder("a", (Line("sku1", 1), Line("sku2", 2)), 7, "a".rjust(32, "0"))


def test_both_wires_read_deductions() -> None:
    theirs = msgspec.msgpack.encode(["deducted", "a", 1, 99])
    ours = codec().encode(Deducted("sku1", "a", 1, 99, "t"))
    assert PEER_WIRE.deducted(theirs) == our_wire().deducted(ours) == ("a", 99)


def deductions() -> list[tuple[str, str, int]]:
    """Return what a right engine writes for three orders: baskets are taken in turn."""
    return [
        ("sku1", order_number(RUN, 0), UNITS - 1),
        ("sku1", order_number(RUN, 1), UNITS - 2),
        ("sku2", order_number(RUN, 1), UNITS - 2),
        ("sku1", order_number(RUN, 2), UNITS - 3),
    ]


def test_an_engine_that_did_its_work_has_made_no_mistakes() -> None:
    assert mistakes([*deductions(), deductions()[0]], [(RUN, 3)], BASKETS) == []


def test_a_line_that_was_not_deducted_is_a_mistake() -> None:
    found = mistakes(deductions()[:-1], [(RUN, 3)], BASKETS)
    assert found == ["1 lines of orders were not deducted"]


def test_a_wrong_balance_is_a_mistake() -> None:
    wrong = [(sku, order, available - 1) for sku, order, available in deductions()]
    assert mistakes(wrong, [(RUN, 3)], BASKETS) == ["2 skus have a wrong balance"]


def test_a_deduction_that_belongs_to_no_order_is_a_mistake() -> None:
    foreign = [*deductions(), ("sku2", "somebody else's", UNITS - 2)]
    found = mistakes(foreign, [(RUN, 3)], BASKETS)
    assert found == ["1 deductions belong to no order"]
