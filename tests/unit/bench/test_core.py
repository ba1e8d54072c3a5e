"""Figures of `bench core` that are worked out, not measured."""

from __future__ import annotations

from topologies.bench.core import footprint, short
from topologies.load.reservations import Reservations
from topologies.load.usage import Usage


def test_a_footprint_is_processor_time_for_an_order_and_the_peak_of_memory() -> None:
    before, after = {"worker": Usage(1.0, 50.0)}, {"worker": Usage(3.0, 80.0)}
    assert footprint(before, after, orders=1_000) == {
        "worker_cpu_ms_per_order": 2.0,
        "worker_peak_mb": 80.0,
    }


def test_counts_are_named_as_they_are_said() -> None:
    assert [short(n) for n in (1_000_000, 200_000, 1_500, 1_234)] == ["1m", "200k", "1500", "1234"]


def test_a_unit_promised_twice_is_not_ok() -> None:
    assert Reservations(10, 4, held=4, refused=6, promised=4, per_second=1.0).ok
    assert not Reservations(10, 4, held=5, refused=5, promised=5, per_second=1.0).ok
    assert not Reservations(10, 4, held=4, refused=5, promised=4, per_second=1.0).ok
