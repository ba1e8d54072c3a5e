"""What is read from the logs of workers, and that no child outlives its parent's wish."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from topologies.chaos.processes import Worker
from topologies.processes import Process

STATS = {"applied": 900, "skipped": 5, "dropped": 30, "event": "stats"}
LINES = (
    json.dumps({"event": "started", "temporary": "/tmp", "timestamp": "2026-01-01T00:07:02Z"}),
    json.dumps({"event": "took_over", "stage": "orders"}),
    json.dumps({"event": "revoked", "partitions": 4, "with_work_in_flight": 3}),
    "%3|1764000000.1|FAIL|rdkafka#producer-1| Connect to 127.0.0.1:1 failed: Connection refused",
    json.dumps(STATS),
    json.dumps(STATS | {"applied": 1_000}),
    json.dumps(STATS)[:20],  # cut off by SIGKILL
)


class Written(Worker):
    """A worker that has written a log; no process belongs to it."""

    def __init__(self, log: Path, started_s: float) -> None:
        self.log = log
        self.started_s = started_s


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    log = tmp_path / "worker.log"
    log.write_text("\n".join(LINES))
    return Written(log, started_s=1_767_225_600.0)  # 2026-01-01T00:00:00Z


def test_a_worker_is_counted_by_its_last_report_and_its_events(worker: Worker) -> None:
    tally = worker.tally()

    assert {name: tally[name] for name in ("applied", "read_again", "took_over", "in_flight")} == {
        "applied": 1_000,
        "read_again": 35,
        "took_over": 1,
        "in_flight": 3,
    }
    assert tally["connections_lost"] == 1
    assert tally["fenced"] == 0


def test_the_clock_that_a_worker_logs_by_tells_its_skew_in_whole_minutes(worker: Worker) -> None:
    assert worker.skew_min() == 7


def test_a_worker_that_has_said_nothing_is_not_skewed(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("")

    assert Written(log, started_s=0.0).skew_min() == 0


def test_a_stopped_process_is_woken_to_end(tmp_path: Path) -> None:
    with Process(
        tmp_path / "log", os.environ, "--help", before=("sh", "-c", "exec sleep 60")
    ) as process:
        process.signal(signal.SIGSTOP)

        assert process.exit_code is None

    assert process.exit_code is not None
