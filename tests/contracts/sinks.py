"""What every sink promises: the contract suite of sinks.

A sink's own test inherits ``SinkContract`` and says how to make the sink, how to see all that it
wrote, and how to forget it (``tests/contracts/test_sinks.py`` shows how short that is)::

    class TestLedger(SinkContract):
        def make(self, host: str, port: int) -> Sink: ...

The facts are those of a little shop on the memory host, with everything that can happen to an order
and with stages that crash: some facts are in the log twice, as they are in Kafka.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from msgspec.structs import replace

from schemas import topics
from sinks.sink import Fact, Sink, StoreAway
from tests.laws.disturbed import CrashingWorld
from tests.laws.history import (
    BUYERS,
    SECOND_MS,
    SKUS,
    WAREHOUSES,
    AnyStep,
    Cancel,
    Count,
    History,
    Place,
    Rules,
    Stock,
    Transfer,
    Wait,
    from_seed,
)
from tests.laws.world import CODEC
from tests.proxy import Proxy

_SEEDS = range(300, 312)  # with these every kind of fact of an order is there: some 1,500 facts
_MOOD = 30  # of the gateway and of who crashes
_BATCH = 50
_AWAY_LIMIT_S = 30.0

Log: TypeAlias = tuple[tuple[Fact, ...], ...]
"""Facts by partition: of each in the order of the log."""


@functools.cache
def shop_log() -> Log:
    """Return the facts of a shop where everything happens, as Kafka would have them."""
    history = _history()
    world = CrashingWorld(history)
    world.play(history)
    return tuple(
        tuple(
            Fact(CODEC.decode(stored.value), topic.name, partition, stored.offset, stored.timestamp)
            for stored in world.log.read(topic.name, partition)
        )
        for topic in (topics.ORDER_EVENTS, topics.INVENTORY_EVENTS, topics.PAYMENT_EVENTS)
        for partition in range(world.log.partitions)
    )


def _history() -> History:
    """Return a dozen little histories in a row, and what happens in none of them."""
    steps: list[AnyStep] = [Rules(sku, 0, 9) for sku in SKUS]
    for nth, seed in enumerate(_SEEDS):
        placed = _orders(steps)
        steps += [_after(s, placed) for s in from_seed(seed).steps if not nth or _is_lasting(s)]
    cancelled, soon = _orders(steps), Wait(SECOND_MS)
    steps += [Rules(SKUS[0], 0, 9), Stock(SKUS[0], 5), soon]
    steps += [Place(BUYERS[0], ((SKUS[0], 1),), None), soon, Cancel(cancelled)]
    steps += [Count(SKUS[2], 0, warehouse) for warehouse in WAREHOUSES]
    steps += [Place(BUYERS[1], ((SKUS[2], 2),), "sim", ("NEAREST", "BACKORDER")), soon, soon]
    steps += [Stock(SKUS[2], 5), soon]
    return History(_MOOD, tuple(steps))


def _orders(steps: Iterable[AnyStep]) -> int:
    return sum(isinstance(step, Place) for step in steps)


def _is_lasting(step: AnyStep) -> bool:
    """Say whether a later history keeps a step: with stock of its own nothing would run short."""
    return not isinstance(step, Rules) and not (isinstance(step, Stock) and step.delta >= 5)


def _after(step: AnyStep, orders: int) -> AnyStep:
    """Return a step of a history that comes after ``orders`` orders of others."""
    if isinstance(step, Place | Stock | Transfer | Count | Rules | Wait):
        return step
    return replace(step, order=step.order + orders)


def interleaved(log: Log, seed: int = 0) -> list[Fact]:
    """Return the facts of ``log``, each partition in its order, mixed as the dice fall."""
    dice = random.Random(seed)
    left = [iter(partition) for partition in log]
    turns = [place for place, partition in enumerate(log) for _ in partition]
    dice.shuffle(turns)
    return [next(left[place]) for place in turns]


def batches(facts: Sequence[Fact], size: int = _BATCH) -> Iterator[Sequence[Fact]]:
    """Cut ``facts`` into batches."""
    return (facts[start : start + size] for start in range(0, len(facts), size))


def wanted(sink: Sink, log: Log) -> Log:
    """Return what the runner would give ``sink`` of ``log``."""
    names = {topic.name for topic in sink.topics}
    return tuple(
        tuple(fact for fact in partition if type(fact.record) in sink.records)
        for partition in log
        if partition and partition[0].topic in names
    )


def written_before(facts: Sequence[Fact], log: Log, seed: int) -> Log:
    """Return what a sink may be given again after it wrote ``facts`` and crashed.

    Of each partition, from anywhere before what was written last on to the end.
    """
    dice = random.Random(seed)
    reached = {key: len(list(group)) for key, group in groupby(sorted(map(_place, facts)))}
    return tuple(
        partition[dice.randint(0, reached.get(_place(partition[0]), 0)) :]
        for partition in log
        if partition
    )


def _place(fact: Fact) -> tuple[str, int]:
    return fact.topic, fact.partition


class SinkContract:
    """Inherit it in a class named ``Test...``; a fixture of yours may prepare ``self``."""

    few = 3
    """Facts in a small batch: more where a write costs tens of milliseconds, however small."""

    def log(self) -> Log:
        """Return the facts that the sink is fed: of all kinds that it takes."""
        return shop_log()

    def address(self) -> tuple[str, int]:
        """Return the host and port of the store: in one test a wire is cut in front of it."""
        raise NotImplementedError

    def make(self, host: str, port: int) -> Sink:
        """Return a sink as a process that starts makes it, on the store at ``host`` and ``port``.

        What other sinks of this class wrote before is there until ``clear``.
        """
        raise NotImplementedError

    def dump(self) -> Any:
        """Return all that the sinks of this class wrote, in a form that ``==`` compares.

        Without what cannot be the same twice, such as the time of a write.
        """
        raise NotImplementedError

    def clear(self) -> None:
        """Forget all that the sinks of this class wrote."""
        raise NotImplementedError

    def expected(self) -> Any:
        """Return the dump of a store to which everything was written once, and leave it empty."""
        self.clear()
        empty = self.dump()
        sink = self.make(*self.address())
        try:
            _feed(sink, batches(interleaved(wanted(sink, self.log()))))
        finally:
            sink.close()
        dump = self.dump()
        assert dump != empty, "nothing was written, so nothing can be compared"
        self.clear()
        return dump

    def test_every_fact_twice_is_as_good_as_once(self) -> None:
        expected = self.expected()
        sink = self.make(*self.address())
        facts = interleaved(wanted(sink, self.log()))
        for batch in batches(facts):
            sink.write(batch)
            sink.write(batch)
        assert self.dump() == expected
        _feed(sink, batches(facts))
        sink.close()
        assert self.dump() == expected

    def test_the_size_of_the_batches_and_how_partitions_mix_do_not_matter(self) -> None:
        expected = self.expected()
        for seed, size in enumerate((self.few, 1_000)):
            sink = self.make(*self.address())
            _feed(sink, batches(interleaved(wanted(sink, self.log()), seed + 1), size))
            sink.close()
            assert self.dump() == expected
            self.clear()

    def test_a_sink_that_crashed_is_fed_again_from_any_earlier_point(self) -> None:
        expected = self.expected()
        for seed in range(3):
            self._crash(seed)
            assert self.dump() == expected
            self.clear()

    def _crash(self, seed: int) -> None:
        crashed = self.make(*self.address())
        log = wanted(crashed, self.log())
        facts = interleaved(log, seed)
        done = facts[: random.Random(seed).randrange(len(facts))]
        _feed(crashed, batches(done))  # and it is never closed
        restarted = self.make(*self.address())
        _feed(restarted, batches(interleaved(written_before(done, log, seed), seed + 100)))
        restarted.close()

    def test_a_store_that_is_away_for_a_while_misses_nothing(self) -> None:
        expected = self.expected()
        with Proxy(*self.address()) as proxy:
            sink = self.make(proxy.host, proxy.port)
            todo = list(batches(interleaved(wanted(sink, self.log()))))
            _feed(sink, todo[: len(todo) // 2])
            proxy.cut()
            refused = _refusals(sink, todo[len(todo) // 2])
            proxy.mend()
            _insist(sink, todo[len(todo) // 2 :])
            sink.close()
        assert refused, "the wire was cut, and the sink did not say that the store is away"
        assert self.dump() == expected


def _feed(sink: Sink, todo: Iterable[Sequence[Fact]]) -> None:
    for batch in todo:
        sink.write(batch)


def _refusals(sink: Sink, batch: Sequence[Fact]) -> int:
    """Try to write over a cut wire, twice; return how often the sink said StoreAway."""
    refused = 0
    for _ in range(2):
        try:
            sink.write(batch)
        except StoreAway:
            refused += 1
    return refused


def _insist(sink: Sink, todo: Iterable[Sequence[Fact]]) -> None:
    """Write as the runner does: the same batch until the store is there."""
    deadline = time.monotonic() + _AWAY_LIMIT_S
    for batch in todo:
        while True:
            try:
                sink.write(batch)
            except StoreAway:
                assert time.monotonic() < deadline, (
                    "the store is back, and the sink does not see it"
                )
                time.sleep(0.05)
            else:
                break
