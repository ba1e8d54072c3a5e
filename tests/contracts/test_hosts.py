"""What every host promises a stage, whoever runs it: the contract suite of hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.record import Record
from tests.contracts.hosts import HostUnderTest, MemoryHostUnderTest
from tests.contracts.stores import STORES, new_store
from tests.contracts.toy import (
    BELL_EVENTS,
    PURSE_COMMANDS,
    PURSE_EVENTS,
    Closed,
    Deposit,
    Deposited,
    Rang,
)

IN_MEMORY = [("memory", store) for store in STORES]
ON_KAFKA = pytest.param(("faust", "memory"), marks=pytest.mark.slow)
ON_KAFKA_AND_DISK = pytest.param(("faust", "rocksdb"), marks=pytest.mark.slow)


@pytest.fixture(params=[*IN_MEMORY, ON_KAFKA], ids="-".join)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostUnderTest]:
    kind, store = request.param
    if kind == "memory":
        yield MemoryHostUnderTest(new_store(store, tmp_path))
        return
    from tests.contracts.faust_host import FaustHostUnderTest

    kafka = request.getfixturevalue("stack").kafka
    with FaustHostUnderTest(kafka, store, tmp_path) as running:
        yield running


def deposits(host: HostUnderTest, keys: int, each: int, start: int = 0) -> None:
    for n in range(start, start + each):
        for key in range(keys):
            host.send(PURSE_COMMANDS.name, f"purse-{key}", Deposit(f"purse-{key}", n + 1))


def check(host: HostUnderTest, keys: int, each: int) -> None:
    """Every deposit took effect once, in its order, and rang its bell once."""
    history: dict[str, list[Deposited]] = {}
    for fact in host.facts(PURSE_EVENTS.name):
        if isinstance(fact, Deposited):
            history.setdefault(fact.key, []).append(fact)
    assert set(history) == {f"purse-{key}" for key in range(keys)}
    for facts in history.values():
        assert [fact.version for fact in facts] == list(range(1, each + 1))
        assert [fact.amount for fact in facts] == list(range(1, each + 1))
        assert facts[-1].total == each * (each + 1) // 2
    rings = [fact for fact in host.facts(BELL_EVENTS.name) if isinstance(fact, Rang)]
    assert Counter(ring.key for ring in rings) == {f"purse-{key}": each for key in range(keys)}


def wait_for(host: HostUnderTest, topic: str, kind: type[Record], count: int) -> None:
    host.wait(lambda: sum(isinstance(f, kind) for f in host.facts(topic)) >= count)


def test_every_message_takes_effect_once_and_in_order(host: HostUnderTest) -> None:
    deposits(host, keys=20, each=10)
    wait_for(host, BELL_EVENTS.name, Rang, 200)
    check(host, keys=20, each=10)


def test_a_killed_host_loses_and_doubles_nothing(host: HostUnderTest) -> None:
    deposits(host, keys=20, each=5)
    wait_for(host, BELL_EVENTS.name, Rang, 40)
    host.kill()
    deposits(host, keys=20, each=5, start=5)
    host.restart()
    wait_for(host, BELL_EVENTS.name, Rang, 200)
    check(host, keys=20, each=10)


@pytest.mark.parametrize(
    "host", [*IN_MEMORY, ON_KAFKA, ON_KAFKA_AND_DISK], indirect=True, ids="-".join
)
def test_a_kill_right_after_a_checkpoint_loses_and_doubles_nothing(host: HostUnderTest) -> None:
    deposits(host, keys=20, each=5)
    wait_for(host, BELL_EVENTS.name, Rang, 100)
    host.checkpoint()
    deposits(host, keys=20, each=5, start=5)
    wait_for(host, PURSE_EVENTS.name, Deposited, 150)
    host.kill()
    host.restart()
    wait_for(host, BELL_EVENTS.name, Rang, 200)
    check(host, keys=20, each=10)


def test_a_graceful_stop_applies_nothing_again(host: HostUnderTest) -> None:
    deposits(host, keys=10, each=5)
    wait_for(host, BELL_EVENTS.name, Rang, 50)
    host.stop()
    sent = host.raw_count(PURSE_EVENTS.name)
    host.restart()
    deposits(host, keys=10, each=1, start=5)
    wait_for(host, BELL_EVENTS.name, Rang, 60)
    check(host, keys=10, each=6)
    assert host.raw_count(PURSE_EVENTS.name) == sent + 10


def test_timers_fire_without_traffic_and_survive_a_kill(host: HostUnderTest) -> None:
    deposits(host, keys=5, each=1)
    wait_for(host, BELL_EVENTS.name, Rang, 5)
    host.checkpoint()
    host.kill()
    host.restart()
    wait_for(host, PURSE_EVENTS.name, Closed, 5)
    closed = [f for f in host.facts(PURSE_EVENTS.name) if isinstance(f, Closed)]
    assert sorted(fact.key for fact in closed) == [f"purse-{key}" for key in range(5)]


def test_what_cannot_be_understood_goes_to_the_dead_letters(host: HostUnderTest) -> None:
    host.send_bytes(PURSE_COMMANDS.name, "purse-0", b"\x00garbage")
    host.send(PURSE_COMMANDS.name, "purse-0", Deposit("purse-0", -5))
    deposits(host, keys=1, each=3)
    wait_for(host, BELL_EVENTS.name, Rang, 3)
    check(host, keys=1, each=3)
    letters = host.dead_letters(PURSE_COMMANDS.dead_letters)
    assert sorted(dict(letter)["dlq_code"] for letter in letters) == [
        b"BAD_DEPOSIT",
        b"UNKNOWN_SCHEMA",
    ]
