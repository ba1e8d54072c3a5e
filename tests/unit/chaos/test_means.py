"""What a worker meets in strange surroundings: shown on a small program in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from topologies.chaos import means
from topologies.chaos.schedule import Fault

WAITS = """
import time
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "x", "log_level": 0})
started = time.monotonic()
consumer.poll(0.3)
print(time.time(), time.monotonic() - started)
"""


def needs(fault: Fault) -> pytest.MarkDecorator:
    why = means.lacking(fault)
    return pytest.mark.skipif(why is not None, reason=str(why))


def run(surroundings: means.Surroundings, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*surroundings.before, sys.executable, "-c", program],
        env={**os.environ, **surroundings.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@needs(Fault.SKEW)
@pytest.mark.parametrize("skew_s", [420, -420])
def test_a_clock_that_is_off_still_runs_at_one_speed_also_for_the_kafka_client(
    tmp_path: Path, skew_s: int
) -> None:
    done = run(means.at_another_time(tmp_path, skew_s), WAITS)

    said_s, waited_s = map(float, done.stdout.split())
    assert said_s - time.time() == pytest.approx(skew_s, abs=30)
    assert 0.2 < waited_s < 30  # neither at once nor for the minutes that the clock is off


@needs(Fault.DISK)
def test_a_full_disk_is_met_with_enospc_and_is_gone_with_the_one_who_met_it(tmp_path: Path) -> None:
    surroundings = means.on_full_disk(tmp_path / "full")

    done = run(surroundings, "import tempfile; print(tempfile.gettempdir())")

    assert "No space left on device" in done.stderr
    assert done.stdout.strip() != str(tmp_path / "full")
    assert list((tmp_path / "full").iterdir()) == []


def test_redis_cannot_bite_as_long_as_nothing_uses_it() -> None:
    assert means.lacking(Fault.REDIS) is not None


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.PAUSE, Fault.BROKER_KILL, Fault.REGISTRY])
def test_signals_need_nothing_of_the_machine(fault: Fault) -> None:
    assert means.lacking(fault) is None
