"""Who is told what: everybody who may see it, once, in order, and nobody without bound."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.push.hub import Interest, RecentOrders, TooSlow
from tests.unit.api.push.shop import (
    BUYER,
    NO,
    SHOP,
    START_MS,
    STATUSES,
    Log,
    life,
    refusal,
    statuses,
)

OTHER_NO, OTHER_BUYER, OTHER_SHOP = "FEDCBA9876543210", 1_002, 8


def test_every_version_is_a_message_also_when_the_status_stays() -> None:
    async def check() -> None:
        log = Log()
        subscription = log.hub.subscribe(Interest(SHOP, BUYER))
        log.happen(*life())
        texts = [message.text for message in await subscription.batch()]
        assert statuses(texts) == list(enumerate(STATUSES, 1))

    asyncio.run(check())


def test_the_message_is_that_of_the_protocol() -> None:
    async def check() -> None:
        log = Log()
        subscription = log.hub.subscribe(Interest(SHOP, BUYER, NO))
        log.happen(*life()[:2])
        text = (await subscription.batch())[1].text
        assert msgspec.json.decode(text or "") == {
            "event": "order_status_updated",
            "data": {
                "order_no": NO,
                "status": "CREATED",
                "status_text": "待支付",
                "updated_at": "2026-09-21T14:13:20.002Z",
            },
            "trace_id": "5" * 32,
            "seq": 2,
        }
        assert START_MS == 1_790_000_000_000

    asyncio.run(check())


def test_a_refusal_is_no_message() -> None:
    log = Log()
    subscription = log.hub.subscribe(Interest(SHOP))
    log.happen(refusal())
    assert not subscription._queue


def test_an_unknown_status_is_left_to_be_looked_up() -> None:
    async def check() -> None:
        log = Log()
        subscription = log.hub.subscribe(Interest(SHOP))
        log.happen(life()[3])
        assert [(message.seq, message.text) for message in await subscription.batch()] == [
            (4, None)
        ]

    asyncio.run(check())


def test_a_status_is_not_taken_from_before_a_hole() -> None:
    async def check() -> None:
        log = Log()
        subscription = log.hub.subscribe(Interest(SHOP))
        log.happen(life()[0], life()[3])
        assert [message.text is None for message in await subscription.batch()] == [False, True]

    asyncio.run(check())


def test_one_message_is_encoded_once_for_all() -> None:
    async def check() -> None:
        log = Log()
        subscriptions = [
            log.hub.subscribe(interest)
            for interest in (Interest(SHOP), Interest(SHOP, BUYER), Interest(SHOP, BUYER, NO))
            for _ in range(3)
        ]
        log.happen(life()[0])
        assert len({id((await each.batch())[0]) for each in subscriptions}) == 1

    asyncio.run(check())


_OWNERS = st.sampled_from(
    [(SHOP, BUYER, NO), (SHOP, OTHER_BUYER, OTHER_NO), (OTHER_SHOP, BUYER, "0" * 16)]
)
_INTERESTS = st.builds(
    lambda owner, wide: Interest(
        owner[0], owner[1] if wide < 2 else None, owner[2] if wide < 1 else None
    ),
    _OWNERS,
    st.integers(0, 2),
)


@settings(max_examples=50)
@given(interests=st.lists(_INTERESTS, max_size=6), moves=st.lists(_OWNERS, max_size=30))
def test_each_gets_all_that_is_its_own_in_order_and_nothing_else(
    interests: list[Interest], moves: list[tuple[int, int, str]]
) -> None:
    async def check() -> None:
        log = Log()
        left = {owner: life(owner[2], owner[1], owner[0]) for owner in set(moves)}
        subscriptions = [log.hub.subscribe(interest) for interest in interests]
        for owner in moves:
            if left[owner]:
                log.happen(left[owner].pop(0))
        for interest, subscription in zip(interests, subscriptions, strict=True):
            expected = [
                (fact.key, fact.record.version)
                for fact in log.facts
                if interest.covers(fact.record.shop_id, fact.record.user_id, fact.key)
            ]
            got = await subscription.batch() if expected else list(subscription._queue)
            assert [(message.order_no, message.seq) for message in got] == expected

    asyncio.run(check())


@settings(max_examples=50)
@given(capacity=st.integers(1, 6), reads=st.lists(st.booleans(), min_size=7, max_size=7))
def test_a_queue_never_holds_more_than_its_bound_and_who_overflows_gets_nothing_more(
    capacity: int, reads: list[bool]
) -> None:
    async def check() -> None:
        log = Log(capacity)
        subscription = log.hub.subscribe(Interest(SHOP))
        waiting, overflowed = 0, False
        for fact, read in zip(life(), reads, strict=True):
            log.happen(fact)
            waiting += 1
            overflowed = overflowed or waiting > capacity
            assert len(subscription._queue) == (0 if overflowed else waiting)
            if read and overflowed:
                with pytest.raises(TooSlow):
                    await subscription.batch()
            elif read:
                assert len(await subscription.batch()) == waiting
                waiting = 0
        assert subscription.overflowed.is_set() == overflowed
        assert log.metrics.dropped._value.get() == (1 if overflowed else 0)

    asyncio.run(check())


def test_who_ended_its_subscription_is_not_kept() -> None:
    log = Log()
    subscription = log.hub.subscribe(Interest(SHOP))
    log.hub.unsubscribe(subscription)
    log.happen(life()[0])
    assert not subscription._queue
    assert not log.hub._subscriptions


def test_recent_orders_are_bounded_and_the_oldest_go_first() -> None:
    recent = RecentOrders(limit=2)
    for order_no, user_id in (("A", 1), ("B", 2), ("A", 1), ("C", 1)):
        recent.owner(life(order_no, user_id)[0])
    assert [sorted(recent.of(SHOP, user_id)) for user_id in (1, 2)] == [["A", "C"], []]
    assert len(recent._owners) == 2
    assert list(recent._by_owner) == [(SHOP, 1)]
