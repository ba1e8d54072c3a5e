"""Every sink under the contract of sinks, on its real store; and the contract has teeth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from deploy.stack import Endpoints
from schemas.read_model import CHANGES
from sinks.redis.keeping import Keeping
from sinks.redis.sink import RedisSink
from sinks.sink import Fact, Sink
from tests.contracts.sinks import SinkContract, shop_log
from tests.redis import dump

_PREFIX = "contract:"
_FOR_EVER_MS = 100 * 365 * 24 * 3600 * 1000  # the shop's history is not of today


class TestRedis(SinkContract):
    @pytest.fixture(autouse=True)
    def _store(self, stack: Endpoints) -> None:
        self.url = stack.redis

    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def make(self, host: str, port: int) -> Sink:
        keeping = Keeping(_FOR_EVER_MS, _FOR_EVER_MS, orders_per_user=10)
        return RedisSink(f"redis://{host}:{port}/0", keeping, _PREFIX)

    def dump(self) -> Any:
        return dump(self.url, _PREFIX)

    def clear(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            for key in client.scan_iter(f"{_PREFIX}*"):
                client.delete(key)


def test_the_shop_has_every_kind_of_fact_of_an_order_and_some_of_them_twice() -> None:
    facts = [fact for partition in shop_log() for fact in partition]
    changes = [fact.record for fact in facts if type(fact.record) in CHANGES]
    assert {type(record) for record in changes} == CHANGES
    assert len(set(changes)) < len(changes)


class Counting(RedisSink):
    """Counts what it is given, as if nothing ever came twice."""

    def write(self, facts: Sequence[Fact]) -> None:
        super().write(facts)
        self._redis.hincrby(f"{_PREFIX}counts", "facts", len(facts))


def test_a_sink_that_counts_what_comes_twice_is_found(stack: Endpoints) -> None:
    contract = TestRedis()
    contract.url = stack.redis
    contract.make = lambda host, port: Counting(  # type: ignore[method-assign]  # another sink
        f"redis://{host}:{port}/0", prefix=_PREFIX
    )
    with pytest.raises(AssertionError):
        contract.test_every_fact_twice_is_as_good_as_once()
    with pytest.raises(AssertionError):
        contract.test_a_sink_that_crashed_is_fed_again_from_any_earlier_point()
    contract.clear()
