"""The window of facts, and who waits for which."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from api.follower import Follower, OrderFact, Window
from schemas.topics import ORDER_EVENTS
from tests.unit.api.facts import CODEC, created, fact, place, placed, position


def follower(window_facts: int = 100) -> Follower:
    return Follower("127.0.0.1:1", CODEC, [ORDER_EVENTS], lookback_s=1.0, window_facts=window_facts)


def test_a_window_keeps_the_newest_facts_and_forgets_orders_whose_facts_are_gone() -> None:
    window = Window(2)
    first, second = place(key="a"), place(key="b")
    facts = [fact(placed(first), 1), fact(placed(second), 2), fact(created(second), 3)]
    for one in facts:
        window.add(one)

    assert window.of(first.order_no) == []
    assert window.of(second.order_no) == facts[1:]


def test_whoever_waits_gets_the_decision_whether_it_comes_or_has_come() -> None:
    async def story() -> None:
        command, follows = place(), follower()
        waiting = asyncio.create_task(follows.decided(command.order_no, 5))
        await asyncio.sleep(0)
        follows.take([fact(placed(command), 1)])
        await asyncio.sleep(0)
        assert not waiting.done()
        decision = fact(created(command), 7)
        follows.take([decision])

        assert await waiting is decision
        assert await follows.decided(command.order_no, 0) is decision

    asyncio.run(story())


def test_whoever_waits_too_long_gets_nothing_and_is_forgotten() -> None:
    async def story() -> None:
        follows = follower()
        assert await follows.decided(place().order_no, 0.01) is None
        assert follows.waiting == 0

    asyncio.run(story())


def test_an_answer_is_known_by_the_inbox_record_that_caused_it() -> None:
    async def story() -> None:
        command, follows = place(), follower()
        of_another, answer = fact(created(command), 4), fact(created(command), 5, index=3)
        follows.take([of_another, answer])
        assert await follows.answered(command.order_no, position(5), 1) is answer

    asyncio.run(story())


def test_listeners_are_told_every_batch_until_they_unsubscribe() -> None:
    heard: list[Sequence[OrderFact]] = []
    follows = follower()
    unsubscribe = follows.subscribe(heard.append)
    batch = [fact(placed(place()), 1)]
    follows.take(batch)
    unsubscribe()
    follows.take(batch)

    assert heard == [batch]


def test_a_fact_is_decoded_when_somebody_looks() -> None:
    command = place()
    assert fact(placed(command), 1).record == placed(command)
