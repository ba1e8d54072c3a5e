"""What limits promise, whoever judges: Redis for all processes, or one process alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

from api.limits import Judge, LocalJudge, RedisJudge
from api.rates import Charge, Policy, Question, Record, Reply
from deploy.stack import Endpoints

SLOW = Policy("slow", quota=3, window_s=3600)
BRISK = Policy("brisk", quota=5, window_s=1)
BODY, OTHER_BODY = b"a" * 32, b"b" * 32

Asking = Callable[[Judge], Awaitable[None]]
Run = Callable[[Asking], None]

_LIMIT_S = 10.0  # of a call: what is tested is the judgement, on a machine that may be busy


@pytest.fixture(params=["local", "redis"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine with a judge, on a loop of its own."""
    if request.param == "local":
        return lambda asking: asyncio.run(_asked(asking, LocalJudge()))
    on_redis: Run = request.getfixturevalue("run_on_redis")
    return on_redis


@pytest.fixture
def run_on_redis(stack: Endpoints) -> Run:
    async def on_redis(asking: Asking) -> None:
        judge = RedisJudge(stack.redis, _LIMIT_S)
        try:
            await judge.ask(Question([Charge("warm-up", BRISK)]))  # connects and loads the script
            await asking(judge)
        finally:
            await judge.close()

    return lambda asking: asyncio.run(on_redis(asking))


async def _asked(asking: Asking, judge: Judge) -> None:
    await asking(judge)


@pytest.fixture
def key() -> str:
    """A name that nobody used before."""
    return f"limit:{{1}}:{uuid4()}"


def test_the_quota_may_come_at_once_and_not_one_more(run: Run, key: str) -> None:
    async def asking(judge: Judge) -> None:
        question = Question([Charge(key, SLOW)])
        replies = [await judge.ask(question) for _ in range(5)]
        assert [bool(one.limited) for one in replies] == [False, False, False, True, True]
        drawn = [round(one.ahead_us[0] / SLOW.interval_us, 1) for one in replies]
        assert drawn == [1, 2, 3, 3, 3]
        assert SLOW.interval_us * 0.9 < replies[-1].wait_us <= SLOW.interval_us

    run(asking)


def test_who_waits_as_long_as_told_is_let_in(run: Run, key: str) -> None:
    async def asking(judge: Judge) -> None:
        question = Question([Charge(key, BRISK)])
        reply = Reply(Record.NEW, b"", (), 0, ())
        while not reply.limited:
            reply = await judge.ask(question)
        await asyncio.sleep(reply.wait_us / 1e6 + 0.002)
        assert not (await judge.ask(question)).limited

    run(asking)


def test_a_request_that_one_limit_stops_costs_nothing_in_the_others(run: Run, key: str) -> None:
    async def asking(judge: Judge) -> None:
        other = f"{key}:other"
        for _ in range(SLOW.quota):
            await judge.ask(Question([Charge(key, SLOW)]))
        stopped = await judge.ask(Question([Charge(other, BRISK), Charge(key, SLOW)]))
        assert (stopped.limited, stopped.ahead_us[0]) == ((1,), 0)
        assert not (await judge.ask(Question([Charge(other, BRISK)]))).limited

    run(asking)


def test_requests_at_once_share_the_quota(run: Run, key: str) -> None:
    async def asking(judge: Judge) -> None:
        question = Question([Charge(key, SLOW)])
        replies = await asyncio.gather(*(judge.ask(question) for _ in range(20)))
        assert sum(not one.limited for one in replies) == SLOW.quota

    run(asking)


def test_a_key_is_claimed_then_answered_and_belongs_to_one_body(
    run_on_redis: Run, key: str
) -> None:
    async def asking(judge: Judge) -> None:
        assert isinstance(judge, RedisJudge)
        charges = [Charge(key, BRISK), Charge(f"{key}:sku", SLOW, only_new=True)]
        record = f"answer:{key}"
        mine, others = Question(charges, record, BODY), Question(charges, record, OTHER_BODY)
        first, second, conflict = [await judge.ask(one) for one in (mine, mine, others)]
        await judge.remember(record, BODY, b"201 and so on")
        third = await judge.ask(mine)
        assert [one.record for one in (first, second, conflict, third)] == [
            Record.NEW,
            Record.IN_PROGRESS,
            Record.CONFLICT,
            Record.ANSWERED,
        ]
        assert third.answer == b"201 and so on"
        # A repeat takes no more of what is scarce: only the first one was charged to the sku.
        asked = [one.ahead_us[1] for one in (first, second, conflict, third)]
        assert asked[1:] == [-1, -1, -1]
        assert asked[0] > 0
        assert (await judge.ask(others)).record is Record.CONFLICT

    run_on_redis(asking)


def test_a_limited_request_claims_no_key(run_on_redis: Run, key: str) -> None:
    async def asking(judge: Judge) -> None:
        for _ in range(SLOW.quota):
            await judge.ask(Question([Charge(key, SLOW)]))
        question = Question([Charge(key, SLOW)], f"answer:{key}", BODY)
        assert (await judge.ask(question)).limited
        fresh = question._replace(charges=[Charge(f"{key}:fresh", SLOW)])
        assert (await judge.ask(fresh)).record is Record.NEW

    run_on_redis(asking)


def test_processes_share_one_truth_and_one_clock(stack: Endpoints, key: str) -> None:
    async def asking() -> None:
        judges = [RedisJudge(stack.redis, _LIMIT_S) for _ in range(2)]
        question = Question([Charge(key, SLOW)], f"answer:{key}", BODY)
        try:
            replies = [await judges[number % 2].ask(question) for number in range(4)]
        finally:
            for judge in judges:
                await judge.close()
        assert [one.record for one in replies] == [Record.NEW, *[Record.IN_PROGRESS] * 3]
        assert [bool(one.limited) for one in replies] == [False, False, False, True]

    asyncio.run(asking())


def test_nothing_is_kept_that_says_nothing(stack: Endpoints, key: str) -> None:
    """A bucket that is full again, and a claim of a process that died, leave by themselves."""

    async def asking() -> None:
        judge = RedisJudge(stack.redis, _LIMIT_S)
        try:
            await judge.ask(Question([Charge(key, BRISK)], f"answer:{key}", BODY))
            left_ms = [await judge._batches.ask("PTTL", one) for one in (key, f"answer:{key}")]
        finally:
            await judge.close()
        assert 0 < left_ms[0] <= BRISK.interval_us / 1000 + 1
        assert 0 < left_ms[1] <= 10_000

    asyncio.run(asking())
