"""Ratios are ours / peer of medians, held against the bar of that peer."""

from __future__ import annotations

from tests.bench.peers.driver import Outcome
from tests.bench.peers.figures import Measured, Ratio, Sheet, ratios
from topologies.load.latency import Latency


def run(per_second: float, p99_ms: float = 0.0) -> Measured:
    times = Latency(1, p99_ms / 2, p99_ms, p99_ms, p99_ms)
    return Measured(Outcome(1, per_second, times, times, 0, 0, 1.0, 0.1), 0.5)


def test_throughput_is_compared_by_medians() -> None:
    ours = Sheet("ours", closed={2000: [run(100), run(900), run(6000)]})
    quix = Sheet("quix", closed={2000: [run(300), run(450), run(460)]})
    assert ratios({"ours": ours, "quix": quix}) == [
        Ratio("quix", "orders/s at window 2,000", 2.0, True, "bar >= 2")
    ]


def test_p99_has_to_be_lower_than_that_of_kafka_streams_with_exactly_once() -> None:
    ours = Sheet("ours", paced={1000.0: [run(1000, 30)]})
    theirs = Sheet("eos", paced={1000.0: [run(1000, 20)]})
    assert ratios({"ours": ours, "kstreams-eos": theirs}) == [
        Ratio("kstreams-eos", "create p99 at 1000/s", 1.5, False, "bar < 1"),
        Ratio("kstreams-eos", "pay p99 at 1000/s", 1.5, False, "bar < 1"),
    ]


def test_latencies_at_different_rates_are_not_compared() -> None:
    ours = Sheet("ours", paced={1000.0: [run(1000, 30)]})
    faust = Sheet("faust", paced={300.0: [run(300, 20)]})
    assert ratios({"ours": ours, "faust": faust}) == []


def test_without_ours_there_is_nothing_to_compare() -> None:
    assert ratios({"quix": Sheet("quix", closed={2000: [run(1)]})}) == []
