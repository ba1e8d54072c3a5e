"""Redis goes away and comes back: nobody is refused for it, nobody waits long, and it is seen."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.auth import Principal, Scope
from api.limits import Limits, policies
from api.problems import Refused
from api.settings import ApiSettings
from deploy import stack
from deploy.process import ProcessId
from deploy.settings import DeploySettings

WHO = Principal(1, 7, frozenset({Scope.CUSTOMER}), "7", 0)
POLICIES = policies(ApiSettings(write_rate="20/3600"))
BODY = b"a" * 32
LIMIT_S = 20.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, ProcessId]]:
    """A server of this test's own, because it is paused."""
    options = stack.Options(
        servers=("redis",), data_dir=tmp_path, settings=DeploySettings(redis=None)
    )
    with stack.running(options) as endpoints:
        process = next(one.process for one in stack.status(tmp_path) if one.name == "redis")
        assert process is not None
        yield endpoints.redis, process


def test_redis_that_hangs_costs_little_and_comes_back_by_itself(
    redis: tuple[str, ProcessId],
) -> None:
    url, process = redis

    async def asking() -> None:
        limits = Limits(url, POLICIES)
        await limits.admit(WHO, "warm-up", writes=True)
        first = await limits.admit(WHO, "orders", writes=True, key="k", fingerprint=BODY)
        await limits.remember(first, b"the answer")
        assert process.signal(signal.SIGSTOP)
        try:
            admitted = [
                await limits.admit(WHO, "orders", writes=True, key="k", fingerprint=BODY)
                for _ in range(20)
            ]
            # Three wait for the time limit of a call, the others for nothing; one may try again.
            assert limits.standing().failures in (3, 4)
            assert [one.answer for one in admitted] == [None] * 20
            assert limits.standing().redis_well is False
            # The limits hold meanwhile, as far as this process sees.
            with pytest.raises(Refused, match="RATE_LIMITED"):
                await limits.admit(WHO, "orders", writes=True)
        finally:
            assert process.signal(signal.SIGCONT)
        deadline_s = time.monotonic() + LIMIT_S
        while not limits.standing().redis_well:
            assert time.monotonic() < deadline_s
            await limits.admit(WHO, f"probe {time.monotonic()}", writes=True)
            await asyncio.sleep(0.05)
        again = await limits.admit(WHO, "orders", writes=True, key="k", fingerprint=BODY)
        assert again.answer == b"the answer"
        await limits.close()

    asyncio.run(asking())


def test_redis_that_is_dead_from_the_start_refuses_nobody() -> None:
    async def asking() -> None:
        limits = Limits("redis://user:secret@127.0.0.1:1/0", POLICIES)
        for _ in range(10):
            admitted = await limits.admit(WHO, "orders", writes=True, key="k", fingerprint=BODY)
            await limits.remember(admitted, b"the answer")
            assert admitted.headers["RateLimit-Policy"] == '"write";q=20;w=3600'
        assert limits.standing().redis_well is False
        assert limits.standing().local == 10
        await limits.close()

    asyncio.run(asking())
