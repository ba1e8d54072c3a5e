"""The read model on real servers: killed midway, damaged and rebuilt, it is what the facts say."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from deploy.stack import Endpoints
from schemas.read_model import decode_level, decode_order, order_key, stock_key
from sinks.redis.keeping import Keeping
from sinks.redis.rebuild import Rebuild, RebuildLost
from sinks.redis.rows import levels, views
from sinks.redis.sink import RedisSink
from sinks.sink import Fact, StoreAway
from tests.integration.read_model_facts import of_now, produce
from tests.pipeline import Process, run, set_up
from tests.redis import dump
from topologies.replay.log import KafkaLog

_LIMIT_S = 60.0


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    return of_now("sink")


@pytest.fixture
def servers(stack: Endpoints) -> Iterator[Endpoints]:
    """The stack, with a database of Redis' that nobody else uses, empty before and after."""
    set_up(stack)
    url = stack.redis.rsplit("/", 1)[0] + "/11"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield Endpoints({**stack.addresses, "redis": url})
        client.flushdb()


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def has_all(url: str, facts: Sequence[Fact]) -> bool:
    """Say whether Redis has, of every order and level in ``facts``, what they come to."""
    with redis.Redis.from_url(url) as client:
        for view in views(facts, {}):
            stored = client.get(order_key(view.order_no))
            if stored is None or decode_order(stored) != view:
                return False
        for (sku_id, warehouse_id), level in levels(facts).items():
            stored = client.hget(stock_key(sku_id), warehouse_id)
            if stored is None or decode_level(stored) != level:
                return False
    return True


def test_killed_midway_damaged_and_rebuilt_it_is_what_the_facts_say(
    servers: Endpoints, facts: list[Fact]
) -> None:
    half = len(facts) // 2
    produce(servers, facts[:half])
    few_at_a_time = {"ORDERSTREAM_SINK_BATCH_RECORDS": "3", "ORDERSTREAM_SINK_LINGER_S": "0"}
    with (
        redis.Redis.from_url(servers.redis) as client,
        Process(servers, "sink", "redis", **few_at_a_time) as killed,
    ):
        eventually(lambda: client.dbsize() > 10, killed.output())
        killed.signal(signal.SIGKILL)
        assert not has_all(servers.redis, facts[:half]), "it was killed too late"

        produce(servers, facts[half:])
        with Process(servers, "sink", "redis") as sink:
            eventually(lambda: has_all(servers.redis, facts), sink.output())
            # The shared Kafka holds other tests' facts, too; a rebuild reads all of them.
            eventually(lambda: has_read_all(servers), sink.output())
            whole = dump(servers.redis)

            # Data is lost and data is wrong; the sink keeps running.
            for key in list(client.scan_iter("order:*"))[::2]:
                client.delete(key)
            for key in list(client.scan_iter("changed:*")):
                client.delete(key)
            spoilt = next(client.scan_iter("order:*"))
            view = decode_order(client.get(spoilt))
            client.set(spoilt, b'{"version":%d,"nonsense":1}' % view.version)
            rebuilt = json.loads(run(servers, "sink", "rebuild", "redis", "--json"))

            assert rebuilt["facts"] >= len(facts)
            assert without_turn(dump(servers.redis)) == without_turn(whole)
        assert sink.exit_code == 0, sink.output()


def has_read_all(servers: Endpoints) -> bool:
    log = KafkaLog(servers.kafka, "sink-redis")
    held = log.spans([topic.name for topic in RedisSink(servers.redis).topics])
    committed = log.applied(held)
    return all(committed[place] == span.end for place, span in held.items() if span.end)


def without_turn(found: dict[str, Any]) -> dict[str, Any]:
    return {key: entry for key, entry in found.items() if key != "read_model:turn"}


def test_while_a_rebuild_swaps_the_sink_waits_and_a_second_one_is_refused(
    servers: Endpoints, facts: list[Fact]
) -> None:
    sink, rebuild = RedisSink(servers.redis, Keeping()), Rebuild(servers.redis)
    with pytest.raises(RebuildLost):
        Rebuild(servers.redis)

    rebuild.write(facts[:100])
    sink.write(facts[:50])
    rebuild.hold()
    with pytest.raises(StoreAway):
        sink.write(facts[50:200])
    assert rebuild.swap() > 0
    rebuild.close()

    assert has_all(servers.redis, facts[:100])
    sink.write(facts[50:200])
    assert has_all(servers.redis, facts[:200])
    assert not [key for key in dump(servers.redis) if key.startswith("rebuild:")]
    Rebuild(servers.redis).close()
    sink.close()
