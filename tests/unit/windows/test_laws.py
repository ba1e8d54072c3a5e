"""Whatever comes in whatever pieces: the windows are those of a batch recomputation."""

from __future__ import annotations

import random

import pytest

from streams.windows.sales import SalesFlow
from tests.unit.windows.log import START_MS, Logs, Run, whole
from tests.unit.windows.orders import TOPIC, history

SEEDS = range(12)
NOTHING_LATE_MS = 400_000  # longer than a history
AFTERWARDS_MS = START_MS + 10**9


def interleaved(run: Run, logs: Logs, draw: random.Random, crash: float = 0.0) -> None:
    """Feed a log in random pieces, partitions in random order; crash now and then."""
    at = dict.fromkeys(logs, 0)
    while any(at[place] < len(log) for place, log in logs.items()):
        place = draw.choice(list(logs))
        end = at[place] + draw.randrange(1, 12)
        run.take(place, logs[place][at[place] : end])
        at[place] = min(end, len(logs[place]))
        if draw.random() < 0.5:
            run.emit()
        if draw.random() < 0.3:
            run.checkpoint()
        if draw.random() < crash:
            run.start()
            at = run.fold.positions()
    run.emit()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lateness_ms", [0, NOTHING_LATE_MS])
def test_any_batches_and_any_order_of_partitions_give_the_same_windows(
    seed: int, lateness_ms: int
) -> None:
    logs = history(seed).places
    run = Run(SalesFlow, logs, lateness_ms=lateness_ms)
    interleaved(run, logs, random.Random(seed))
    assert run.counted() == whole(SalesFlow, logs)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flow_that_crashes_ends_with_the_same_windows(seed: int) -> None:
    logs = history(seed).places
    run = Run(SalesFlow, logs, lateness_ms=0)
    interleaved(run, logs, random.Random(seed), crash=0.2)
    assert run.counted() == whole(SalesFlow, logs)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_stage_sends_again_is_counted_once(seed: int) -> None:
    clean, disturbed = history(seed), history(seed)
    draw = random.Random(seed)
    for partition in range(3):
        length = len(disturbed.places[TOPIC, partition])
        first = draw.randrange(length)
        disturbed.resend(TOPIC, partition, range(first, length))
    assert whole(SalesFlow, disturbed.places) == whole(SalesFlow, clean.places)


@pytest.mark.parametrize("seed", SEEDS)
def test_minutes_and_hours_add_up_to_the_seconds(seed: int) -> None:
    rows = whole(SalesFlow, history(seed).places)
    sums: dict[tuple[int, int], list[int]] = {}
    for (topic, _), row in rows.items():
        if topic == "report.sales":
            sale = sums.setdefault((row.shop_id, row.size_ms), [0, 0, 0])  # type: ignore[attr-defined]
            for n, name in enumerate(("placed", "gmv_fen", "refunded_fen")):
                sale[n] += getattr(row, name)
    for shop in (1, 2):
        assert sums[shop, 1000] == sums[shop, 60_000] == sums[shop, 3_600_000]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_skus_brought_is_the_gmv(seed: int) -> None:
    rows = whole(lambda: SalesFlow(), history(seed).places)
    gmv_fen = brought_fen = 0
    for (topic, _), row in rows.items():
        if topic == "report.sales" and row.size_ms == 3_600_000:  # type: ignore[attr-defined]
            gmv_fen += row.gmv_fen  # type: ignore[attr-defined]
        if topic == "report.top-skus" and row.size_ms == 3_600_000:  # type: ignore[attr-defined]
            assert row.skus == len(row.top) or len(row.top) == 20  # type: ignore[attr-defined]
            brought_fen += sum(sku.paid_fen for sku in row.top)  # type: ignore[attr-defined]
    assert 0 < brought_fen <= gmv_fen


def test_a_partition_that_comes_minutes_late_restates_complete_windows() -> None:
    logs = history(1).places
    run = Run(SalesFlow, logs)
    for place in list(logs)[:2]:
        run.take(place, logs[place])
    last = list(logs)[2]
    run.fold.reached_end(last)
    run.emit(START_MS + 300_000)  # whatever the last partition brings now is late
    complete = {key for key, row in run.rows.items() if row.is_complete}  # type: ignore[attr-defined]
    before = {key: run.rows[key] for key in complete}
    run.take(last, logs[last])
    run.emit()
    restated = {key for key in complete if run.rows[key] != before[key]}
    assert len(restated) > 10
    assert run.counted() == whole(SalesFlow, logs)


@pytest.mark.parametrize("seed", SEEDS)
def test_versions_of_a_row_only_grow_and_end_complete(seed: int) -> None:
    logs = history(seed).places
    run = Run(SalesFlow, logs)
    interleaved(run, logs, random.Random(seed))
    for place in logs:
        run.fold.reached_end(place)
    run.emit(START_MS + 3 * 3_600_000)
    newest: dict[tuple[str, str], int] = {}
    for output in run.written:
        key, version = (output.topic, output.key), output.message.version  # type: ignore[attr-defined]
        assert version >= newest.get(key, 0)
        newest[key] = version
    assert all(row.is_complete for row in run.rows.values())  # type: ignore[attr-defined]
