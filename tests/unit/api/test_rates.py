"""Rates: the laws of the bucket, and the words of the headers."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.limits import LocalJudge
from api.rates import Charge, Policy, Question, Record, Reply, headers

policies = st.builds(
    Policy, st.just("any"), st.integers(min_value=1, max_value=20), st.integers(1, 60)
)
gaps_us = st.lists(st.integers(min_value=0, max_value=5_000_000), min_size=1, max_size=60)


class Clock:
    def __init__(self) -> None:
        self.now_us = 1_000_000_000

    def __call__(self) -> int:
        return self.now_us


def run(policy: Policy, gaps: list[int]) -> list[tuple[int, Reply]]:
    """Ask after each gap; return (time, reply) of each."""
    clock = Clock()
    judge = LocalJudge(clock)

    async def asking() -> list[tuple[int, Reply]]:
        replies = []
        for gap_us in gaps:
            clock.now_us += gap_us
            replies.append((clock.now_us, await judge.ask(Question([Charge("k", policy)]))))
        return replies

    return asyncio.run(asking())


@given(policy=policies, gaps=gaps_us)
def test_no_span_of_time_admits_more_than_the_quota_and_what_came_back(
    policy: Policy, gaps: list[int]
) -> None:
    admitted = [at for at, reply in run(policy, gaps) if not reply.limited]
    for first, begin in enumerate(admitted):
        for count, end in enumerate(admitted[first:], start=1):
            assert count <= policy.quota + (end - begin) // policy.interval_us + 1


@given(policy=policies, gaps=gaps_us)
def test_who_asks_no_faster_than_the_rate_is_never_stopped(policy: Policy, gaps: list[int]) -> None:
    slow_enough = [gap + policy.interval_us for gap in gaps]
    assert not any(reply.limited for _, reply in run(policy, slow_enough))


@given(policy=policies, gaps=gaps_us)
def test_the_wait_that_is_told_is_the_shortest_that_helps(policy: Policy, gaps: list[int]) -> None:
    replies = run(policy, gaps)
    stopped = next((index for index, (_, reply) in enumerate(replies) if reply.limited), None)
    if stopped is None:
        return
    wait_us = replies[stopped][1].wait_us
    assert not run(policy, [*gaps[: stopped + 1], wait_us])[-1][1].limited
    assert run(policy, [*gaps[: stopped + 1], wait_us - 1])[-1][1].limited


@given(policy=policies, gaps=gaps_us)
def test_as_many_as_the_header_says_are_left(policy: Policy, gaps: list[int]) -> None:
    charges = [Charge("k", policy)]
    reply = run(policy, gaps)[-1][1]
    left = int(headers(charges, reply)["RateLimit"].partition("r=")[2].partition(";")[0])
    more = run(policy, [*gaps, *[0] * (left + 1)])[len(gaps) :]
    assert [bool(one.limited) for _, one in more] == [*[False] * left, True]


def test_the_headers_speak_draft_11() -> None:
    charges = [
        Charge("a", Policy("write", 100, 60)),
        Charge("b", Policy("sku", 5, 1)),
        Charge("c", Policy("sku", 7, 1)),
    ]
    admitted = Reply(Record.NEW, b"", (), 0, (36_000_000, 200_000, -1))
    assert headers(charges, admitted) == {
        "RateLimit-Policy": '"write";q=100;w=60',
        "RateLimit": '"write";r=40;t=36',
    }
    stopped = Reply(Record.NEW, b"", (1,), 150_001, (36_000_000, 1_000_000, 0))
    assert headers(charges, stopped) == {
        "RateLimit-Policy": '"write";q=100;w=60, "sku";q=5;w=1',
        "RateLimit": '"write";r=40;t=36, "sku";r=0;t=1',
        "Retry-After": "1",
    }


def test_a_rate_is_read_from_text() -> None:
    assert Policy.parse("read", "1200/60") == Policy("read", 1200, 60)
    for text in ("", "5", "0/1", "1/0", "a/b", "-1/5"):
        with pytest.raises(ValueError, match=r"rate|invalid literal"):
            Policy.parse("read", text)
