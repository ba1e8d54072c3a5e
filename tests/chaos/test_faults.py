"""`orderstream chaos` in a short form: workers are killed, paused and added under load.

The command itself fails a round whose fault did not bite, whose orders did not all come to their
end, or in which the auditor or the replay found something.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from topologies.services import command

RATE = os.environ.get("CHAOS_RATE", "300")
SECONDS = os.environ.get("CHAOS_SECONDS", "20")
ROUNDS = os.environ.get("CHAOS_ROUNDS", "2")
FAULTS = os.environ.get("CHAOS_FAULTS", "kill,pause,scale")
SEED = os.environ.get("CHAOS_SEED", "6")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_paused_and_added_workers_lose_and_double_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    numbers = ("--rounds", ROUNDS, "--seed", SEED, "--rate", RATE, "--seconds-per-round", SECONDS)

    done = subprocess.run(
        command("chaos", *numbers, "--faults", FAULTS, "--json", str(file)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-5000:] + done.stdout[-5000:]
    report = json.loads(file.read_text())
    assert report["ok"]
    assert report["orders"] == int(ROUNDS) * int(RATE) * int(SECONDS)
    struck = {bite["fault"] for one in report["rounds"] for bite in one["bites"]}
    assert struck == set(FAULTS.split(","))
