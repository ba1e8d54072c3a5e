"""Reads of orders and stock: by whoever knows, and never an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
import redis

from api.facts import KafkaFacts
from api.follower import OrderFact, Window
from api.read_model import ReadModel
from deploy.stack import Endpoints
from schemas.read_model import CHANGES, MOVEMENTS, OrderView, StockLevel
from schemas.registry import connected_codec
from sinks.redis.rows import levels, views
from sinks.redis.sink import RedisSink
from sinks.sink import Fact
from tests.integration.read_model_facts import of_now, produce
from tests.pipeline import set_up
from tests.proxy import Proxy

T = TypeVar("T")


class Shop:
    """The contract's shop in Kafka, and readers of it that know more or less."""

    def __init__(self, stack: Endpoints) -> None:
        self.facts = of_now("reads")
        self.kafka = stack.kafka
        self.url = stack.redis.rsplit("/", 1)[0] + "/12"
        self.codec = connected_codec(stack.registry)
        self.views = {view.order_no: view for view in views(self.facts, {})}
        produce(stack, self.facts)

    def write(self, facts: Sequence[Fact]) -> None:
        sink = RedisSink(self.url)
        sink.write(facts)
        sink.close()

    def window(self, facts: Sequence[Fact]) -> Window:
        window = Window(100_000)
        for fact in facts:
            record, kind = fact.record, type(fact.record)
            key = record.order_no if kind in CHANGES else str(record.sku_id)  # type: ignore[attr-defined]  # all have one
            value = self.codec.encode(record)
            window.add(OrderFact(self.codec, key, kind, value, fact.timestamp_ms, b""))
        return window

    def ask(
        self,
        question: Callable[[ReadModel], Awaitable[T]],
        window: Sequence[Fact] = (),
        url: str = "",
        kafka: str = "",
    ) -> T:
        """Ask a new reader; by default its window is empty, and Redis and Kafka are there."""

        async def asked() -> T:
            of_window = self.window(window)

            class Recent:
                def recent(self, key: str) -> Sequence[OrderFact]:
                    return of_window.of(key)

            reads = ReadModel(
                url or self.url, Recent(), KafkaFacts(kafka or self.kafka, self.codec)
            )
            try:
                return await question(reads)
            finally:
                await reads.close()

        return asyncio.run(asked())

    def user(self) -> tuple[int, int]:
        """Return the shop and user with the most orders."""
        users = [(view.shop_id, view.user_id) for view in self.views.values()]
        return max(set(users), key=users.count)


@pytest.fixture(scope="module")
def shop(stack: Endpoints) -> Iterator[Shop]:
    set_up(stack)
    found = Shop(stack)
    with redis.Redis.from_url(found.url) as client:
        client.flushdb()
        yield found
        client.flushdb()


@pytest.fixture
def empty(shop: Shop) -> None:
    with redis.Redis.from_url(shop.url) as client:
        client.flushdb()


@pytest.mark.usefixtures("empty")
def test_redis_answers_with_what_the_facts_say(shop: Shop) -> None:
    shop.write(shop.facts)
    for order_no, view in list(shop.views.items())[:5]:
        assert shop.ask(lambda reads, no=order_no: reads.order(no), kafka="127.0.0.1:1") == view  # type: ignore[misc]  # bound early
    (sku_id, _), _ = next(iter(levels(shop.facts).items()))
    stock = shop.ask(lambda reads: reads.stock(sku_id))
    assert stock is not None
    assert stock.warehouses == stock_of(shop, sku_id)


def stock_of(shop: Shop, sku_id: int) -> dict[str, StockLevel]:
    found = levels(shop.facts).items()
    return {warehouse: level for (sku, warehouse), level in sorted(found) if sku == sku_id}


@pytest.mark.usefixtures("empty")
def test_the_stock_of_a_list_is_what_is_known_at_once(shop: Shop) -> None:
    shop.write(shop.facts)
    skus = sorted({sku_id for sku_id, _ in levels(shop.facts)})

    stocks = shop.ask(lambda reads: reads.stocks([*skus, 404_404_404]), kafka="127.0.0.1:1")

    assert {sku: view.warehouses for sku, view in stocks.items()} == {
        sku: stock_of(shop, sku) for sku in skus
    }
    assert shop.ask(lambda reads: reads.stocks([])) == {}


@pytest.mark.usefixtures("empty")
def test_what_the_window_has_is_never_read_older(shop: Shop) -> None:
    """The sink is behind by the second half of the facts; this process has seen them."""
    half = len(shop.facts) // 2
    shop.write(shop.facts[:half])
    for order_no, view in list(shop.views.items())[::7]:
        read = shop.ask(
            lambda reads, no=order_no: reads.order(no),  # type: ignore[misc]  # bound early
            window=shop.facts[half:],
            kafka="127.0.0.1:1",
        )
        assert read == view


@pytest.mark.usefixtures("empty")
def test_an_order_that_redis_has_lost_is_read_from_its_facts(shop: Shop) -> None:
    order_no, view = next(iter(shop.views.items()))
    assert shop.ask(lambda reads: reads.order(order_no)) == view
    kinds = [type(f.record) for f in shop.facts if getattr(f.record, "order_no", "") == order_no]
    told = shop.ask(lambda reads: reads.facts(order_no))
    assert {fact.kind for fact in told} >= set(kinds) & CHANGES
    versions = [fact.record.version for fact in told if fact.kind in CHANGES]  # type: ignore[attr-defined]  # of CHANGES
    # The history repeats facts, and here they carry no cause by which a reader could tell.
    assert list(dict.fromkeys(versions)) == list(range(1, view.version + 1))


@pytest.mark.usefixtures("empty")
def test_stock_that_redis_has_lost_is_read_from_its_facts(shop: Shop) -> None:
    movement = next(f.record for f in shop.facts if type(f.record) in MOVEMENTS)
    sku_id: int = movement.sku_id  # type: ignore[attr-defined]  # a movement's
    stock = shop.ask(lambda reads: reads.stock(sku_id))
    assert stock is not None
    assert stock.warehouses == stock_of(shop, sku_id)


def test_nobody_knows_an_order_that_is_not(shop: Shop) -> None:
    assert shop.ask(lambda reads: reads.order("NO-SUCH-ORDER")) is None
    assert shop.ask(lambda reads: reads.stock(404_404_404)) is None
    assert shop.ask(lambda reads: reads.orders(404, 404, None, None, 10)) == ([], None)


@pytest.mark.usefixtures("empty")
def test_a_redis_that_is_away_costs_one_wait_and_no_error(shop: Shop) -> None:
    shop.write(shop.facts)
    parts = urlsplit(shop.url)
    order_no, view = next(iter(shop.views.items()))
    with Proxy(parts.hostname or "", parts.port or 0) as proxy:
        proxy.cut()

        async def asked(reads: ReadModel) -> None:
            assert await reads.order(order_no) == view
            assert reads.is_away
            assert await reads.orders(*shop.user(), None, None, 10) == ([], None)
            proxy.mend()
            for _ in range(100):
                page = await reads.orders(*shop.user(), None, None, 10)
                if page.views:
                    break
                await asyncio.sleep(0.1)
            assert not reads.is_away

        shop.ask(asked, url=f"redis://{proxy.host}:{proxy.port}/12")


def test_with_redis_and_kafka_away_the_window_answers_and_the_rest_is_not_known(shop: Shop) -> None:
    order_no, view = next(iter(shop.views.items()))
    nowhere = "redis://127.0.0.1:1/0"
    assert (
        shop.ask(lambda r: r.order(order_no), window=shop.facts, url=nowhere, kafka="127.0.0.1:1")
        == view
    )
    started_s = time.monotonic()
    assert shop.ask(lambda r: r.order(order_no), url=nowhere, kafka="127.0.0.1:1") is None
    assert time.monotonic() - started_s < 30


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("is_filtered", [False, True])
def test_pages_of_a_users_orders_are_all_of_them_the_newest_first(
    shop: Shop, is_filtered: bool
) -> None:
    shop.write(shop.facts)
    whose = shop.user()
    theirs = [view for view in shop.views.values() if (view.shop_id, view.user_id) == whose]
    statuses = [view.status for view in theirs]
    status = max(sorted(set(statuses)), key=statuses.count) if is_filtered else None

    async def every(reads: ReadModel) -> list[OrderView]:
        found: list[OrderView] = []
        cursor = None
        while True:
            page = await reads.orders(*whose, status, cursor, 3)
            assert len(page.views) <= 3
            found += page.views
            cursor = page.cursor
            if cursor is None:
                return found

    found = shop.ask(every)
    expected = [view for view in theirs if status in (None, view.status)]
    assert len(expected) > 3
    assert sorted(found, key=_number) == sorted(expected, key=_number)
    assert all(a.placed_at_ms >= b.placed_at_ms for a, b in pairwise(found))
    assert shop.ask(lambda reads: reads.orders(*whose, status, "nonsense", 3)).views == found[:3]


def _number(view: OrderView) -> str:
    return view.order_no
