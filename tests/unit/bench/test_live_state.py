"""Clones of a sample are live records like those they were made from, under other numbers."""

from __future__ import annotations

import pytest

from schemas.codec import Codec, local_codec
from streams.inventory.state import StockHold
from streams.orders.state import Order, OrderStatus
from topologies.bench.live_state import Kept, cloned, sample
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import Where
from topologies.load.closed_loop import Bench, admitted_orders
from topologies.pipeline import all_records

PARTITIONS, ORDERS, CLONES = 4, 40, 3


@pytest.fixture(scope="module")
def codec() -> Codec:
    return local_codec(all_records())


@pytest.fixture(scope="module")
def kept(codec: Codec) -> dict[tuple[str, int], list[Kept]]:
    shop = make_catalogue(skus=20, stock=1_000, seed=1)
    orders = list(admitted_orders(Where("", codec), shop, Bench(ORDERS), "0123456789ab"))
    return sample(codec, orders, shop, "0123456789ab", PARTITIONS)


def all_of(kept: dict[tuple[str, int], list[Kept]], kind: type) -> list[Kept]:
    return [one for some in kept.values() for one in some if one.kind is kind]


def test_every_order_of_the_sample_is_live_and_every_second_one_is_paid(
    codec: Codec, kept: dict[tuple[str, int], list[Kept]]
) -> None:
    orders = [codec.decode(one.value) for one in all_of(kept, Order)]
    statuses = [order.status for order in orders if isinstance(order, Order)]
    assert statuses.count(OrderStatus.CREATED) == ORDERS / 2
    assert statuses.count(OrderStatus.FULFILLING) == ORDERS / 2


def test_orders_their_holds_and_their_payments_belong_to_an_order(
    kept: dict[tuple[str, int], list[Kept]],
) -> None:
    assert all(one.order_no for one in all_of(kept, Order))
    assert all(one.order_no for one in all_of(kept, StockHold))
    payments = [one for (stage, _), some in kept.items() if stage == "payments" for one in some]
    assert len({one.order_no for one in payments}) == ORDERS


def test_clones_have_numbers_of_their_own_everywhere(
    codec: Codec, kept: dict[tuple[str, int], list[Kept]]
) -> None:
    for some in kept.values():
        changes = list(cloned(codec, some, CLONES))
        owned = sum(one.order_no is not None for one in some)
        assert len(changes) == len(some) + owned * (CLONES - 1)
        assert len({(kind, key) for kind, key, _ in changes}) == len(changes)
        for kind, key, record in changes:
            if isinstance(record, Order):
                assert (kind, key) == (Order, record.order_no)
                assert all(hold.hold_id.startswith(key) for hold in record.holds)
            elif isinstance(record, StockHold):
                assert (key, key.partition("/")[0]) == (record.hold_id, record.owner)
