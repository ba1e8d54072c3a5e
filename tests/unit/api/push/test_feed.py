"""A client misses no transition and sees none twice, wherever and whenever it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.push.feed import Feed, Resume, Unreadable
from api.push.hub import Hub, Interest, Message
from api.push.metrics import PushMetrics
from schemas.read_model import OrderView, view_after
from tests.unit.api.push.shop import (
    BUYER,
    NO,
    SHOP,
    START_MS,
    STATUSES,
    Fact,
    Log,
    life,
    refusal,
    statuses,
)

MINE = Interest(SHOP, BUYER)
ORDERS = ("A", "B")
STRANGERS = "C"


async def live(feed: Feed) -> list[Message]:
    """Return what is sent now, if anything."""
    try:
        async with asyncio.timeout(0):
            return await anext(feed.live())
    except TimeoutError:
        return []


def texts(messages: list[Message]) -> list[tuple[int, str]]:
    return statuses([message.text for message in messages])


def test_a_client_that_was_away_gets_what_it_missed_and_then_what_happens() -> None:
    async def check() -> None:
        log, story = Log(), life()
        log.happen(*story[:4])
        feed = Feed(log.hub, log, MINE)
        log.happen(story[4])
        missed = await feed.missed(Resume({NO: 2}))
        log.happen(story[5])
        assert texts(missed) == [(3, "PAYING"), (4, "PAYING"), (5, "PAID")]
        assert texts(await live(feed)) == [(6, "FULFILLING")]

    asyncio.run(check())


def test_of_orders_that_it_does_not_name_it_gets_what_happened_since() -> None:
    async def check() -> None:
        log = Log()
        log.happen(*life("A"), *life("B")[:3])
        feed = Feed(log.hub, log, MINE)
        missed = await feed.missed(Resume({"A": 7}, since_ms=START_MS + 2))
        assert [(message.order_no, message.seq) for message in missed] == [("B", 2), ("B", 3)]

    asyncio.run(check())


def test_the_order_of_another_is_not_replayed_to_who_names_it() -> None:
    async def check() -> None:
        log = Log()
        log.happen(*life("C", user_id=BUYER + 1))
        for interest in (MINE, Interest(SHOP + 1), Interest(SHOP, BUYER, NO)):
            feed = Feed(log.hub, log, interest)
            assert await feed.missed(Resume({"C": 0}, since_ms=0)) == []

    asyncio.run(check())


def test_an_unknown_status_is_looked_up() -> None:
    async def check() -> None:
        log, story = Log(), life()
        log.facts += story[:3]  # the hub has not seen them
        hub = Hub(lambda _: (), PushMetrics())
        feed = Feed(hub, log, MINE)
        log.facts.append(story[3])
        hub.publish([story[3]])
        assert texts(await live(feed)) == [(4, "PAYING")]

    asyncio.run(check())


def test_a_gap_is_filled_before_anything_is_sent_or_the_feed_ends() -> None:
    async def check() -> None:
        log, story = Log(), life()
        feed = Feed(log.hub, log, MINE)
        log.happen(story[0])
        assert texts(await live(feed)) == [(1, "RESERVING")]
        log.facts += story[1:4]
        log.happen(story[4])
        assert texts(await live(feed)) == list(enumerate(STATUSES, 1))[1:5]
        log.hub.publish([story[6]])  # and what is between is not known to the history yet
        with pytest.raises(Unreadable):
            await live(feed)

    asyncio.run(check())


def test_in_an_ordinary_conversation_nothing_is_looked_up() -> None:
    async def check() -> None:
        log = Log()
        feed = Feed(log.hub, log, MINE)
        for fact in (*life("A"), refusal("A"), *life("B")):
            log.happen(fact)
            await live(feed)
        assert log.reads == 0

    asyncio.run(check())


class Site:
    """Two API processes behind one log; each follows it as far as it is.

    A process's history shows at least what its hub has published. While it is read, facts go on
    coming: ``surprises`` says how many, before the answer is taken and after.
    """

    def __init__(self, log: list[Fact], surprises: Iterator[int]) -> None:
        self.log = log
        self.surprises = surprises
        self.hubs = [Hub(self._window(n), PushMetrics()) for n in (0, 1)]
        self.at = [0, 0]
        self.histories = [Shown(self, 0), Shown(self, 1)]

    def follow(self, process: int, facts: int) -> None:
        begin = self.at[process]
        self.at[process] = min(len(self.log), begin + facts)
        self.hubs[process].publish(self.log[begin : self.at[process]])

    def _window(self, process: int) -> Callable[[str], list[Fact]]:
        return lambda order_no: [
            fact for fact in self.log[: self.at[process]] if fact.key == order_no
        ]


class Shown:
    """The history of one process."""

    def __init__(self, site: Site, process: int) -> None:
        self.site = site
        self.process = process

    def _facts(self) -> list[Fact]:
        self.site.follow(self.process, next(self.site.surprises, 0))
        ahead = next(self.site.surprises, 0)
        return self.site.log[: self.site.at[self.process] + ahead]

    async def views(self, order_nos: Sequence[str]) -> dict[str, OrderView]:
        found: dict[str, OrderView] = {}
        for fact in self._facts():
            if fact.key in order_nos:
                found[fact.key] = view_after(found.get(fact.key), fact.record, fact.timestamp_ms)
        self.site.follow(self.process, next(self.site.surprises, 0))
        return found

    async def changed(self, shop_id: int, user_id: int, since_ms: int) -> list[str]:
        return list(
            dict.fromkeys(fact.key for fact in self._facts() if fact.record.user_id == user_id)
        )


def _interleaved(order: list[int], resent: list[int]) -> list[Fact]:
    """Return a log of three orders in any order; a worker's crash repeats parts of it."""
    lives = [life("A"), life("B"), life(STRANGERS, user_id=BUYER + 1)]
    log = [lives[n].pop(0) for n in order]
    for at in resent:
        log[at:at] = log[max(0, at - 3) : at]
    return log


@settings(max_examples=200)
@given(
    order=st.permutations([0] * 7 + [1] * 7 + [2] * 7),
    resent=st.lists(st.integers(1, 21), max_size=3),
    surprises=st.lists(st.sampled_from((0, 1, 2, 30)), max_size=60),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("follow"), st.integers(0, 1), st.integers(1, 6)),
            st.tuples(st.just("come"), st.integers(0, 1), st.booleans()),
            st.tuples(st.just("read"), st.just(0), st.just(0)),
        ),
        max_size=30,
    ),
)
def test_whenever_a_client_loses_its_process_it_misses_nothing_and_sees_nothing_twice(
    order: list[int], resent: list[int], surprises: list[int], steps: list[tuple[str, int, int]]
) -> None:
    async def check() -> None:
        site = Site(_interleaved(order, resent), iter(surprises))
        got: list[tuple[str, int]] = []

        async def come(process: int, names_all: bool) -> Feed:
            feed = Feed(site.hubs[process], site.histories[process], MINE)
            last = dict(got)
            seen = {order_no: last.get(order_no, 0) for order_no in ORDERS}
            resume = Resume(seen) if names_all else Resume(last, since_ms=0)
            got.extend((each.order_no, each.seq) for each in await feed.missed(resume))
            return feed

        feed = await come(0, True)
        for step, process, amount in steps:
            if step == "follow":
                site.follow(process, amount)
            elif step == "come":
                feed.close()
                feed = await come(process, bool(amount))
            else:
                got.extend((each.order_no, each.seq) for each in await live(feed))
        for process in (0, 1):
            site.follow(process, len(site.log))
        got.extend((each.order_no, each.seq) for each in await live(feed))
        for order_no in ORDERS:
            assert [seq for key, seq in got if key == order_no] == list(range(1, 8))
        assert {key for key, _ in got} == set(ORDERS)

    asyncio.run(check())
