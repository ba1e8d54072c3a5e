"""A ticket is good once and for half a minute, with Redis and without."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.exceptions import ConnectionError as RedisAway

from api.auth import Principal, Scope
from api.push import tickets
from api.push.tickets import LIFE_S, Tickets

MEI = Principal(7, 1_001, frozenset({Scope.CUSTOMER}), "1001", 1_790_000_000.0)


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Lost:
    """Redis as it is when its answers do not arrive: it may have done what was asked."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.answers = False

    async def set(self, key: str, value: bytes, ex: int) -> None:
        self.kept[key] = value
        if not self.answers:
            raise RedisAway

    async def getdel(self, key: str) -> bytes | None:
        if not self.answers:
            raise RedisAway
        return self.kept.pop(key, None)


def test_without_redis_a_ticket_is_good_once_in_the_process_that_gave_it() -> None:
    async def check() -> None:
        given, other = Tickets(None), Tickets(None)
        ticket = await given.issue(MEI)
        assert await other.redeem(ticket) is None
        assert await given.redeem(ticket) == MEI
        assert await given.redeem(ticket) is None

    asyncio.run(check())


def test_a_ticket_ends() -> None:
    async def check() -> None:
        clock = Clock()
        given = Tickets(None, clock)
        early, late = await given.issue(MEI), await given.issue(MEI)
        clock.now_s += LIFE_S - 1
        assert await given.redeem(early) == MEI
        clock.now_s += 1
        assert await given.redeem(late) is None

    asyncio.run(check())


def test_a_ticket_of_which_redis_did_not_answer_is_good_once_all_the_same() -> None:
    async def check() -> None:
        lost: Any = Lost()
        given = Tickets(lost)
        ticket = await given.issue(MEI)
        lost.answers = True  # and it has kept what it was asked to keep
        assert [await given.redeem(ticket), await given.redeem(ticket)] == [MEI, None]
        assert len(lost.kept) == 1

    asyncio.run(check())


def test_what_is_no_ticket_is_refused_also_while_redis_is_away() -> None:
    async def check() -> None:
        lost: Any = Lost()
        assert await Tickets(lost).redeem("guess") is None

    asyncio.run(check())


def test_no_more_tickets_are_kept_than_the_limit(monkeypatch: Any) -> None:
    async def check() -> None:
        monkeypatch.setattr(tickets, "LOCAL_TICKETS", 2)
        given = Tickets(None)
        first, second, third = [await given.issue(MEI) for _ in range(3)]
        assert [await given.redeem(each) for each in (first, second, third)] == [None, MEI, MEI]

    asyncio.run(check())
