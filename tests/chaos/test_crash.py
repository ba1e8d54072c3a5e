"""Workers are killed, paused past their session and added, under load: nothing is lost or doubled.

Every fault must have bitten, or the test proves nothing.
"""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.pipeline import Process, Worker, own_stack, run

RATE = int(os.environ.get("CHAOS_RATE", "500"))
SECONDS = int(os.environ.get("CHAOS_SECONDS", "60"))
PAUSE_S = 14.0  # above the session timeout of 6 s: the group gives the partitions away
EXIT_FENCED = 75


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_paused_and_added_workers_lose_and_double_nothing() -> None:
    orders = RATE * SECONDS
    with own_stack() as stack, Process(stack, "gateway"):
        first, second = Worker(stack), Worker(stack)
        with first, second:
            for worker in (first, second):
                worker.wait_until("took_over")
            arguments = ("--orders", str(orders), "--rate", str(RATE), "--json")
            with Process(stack, "load", *arguments) as load:
                time.sleep(SECONDS / 6)
                first.kill()
                time.sleep(SECONDS / 6)
                with Worker(stack) as third:
                    third.wait_until("took_over")
                    time.sleep(SECONDS / 12)
                    second.signal(signal.SIGSTOP)
                    time.sleep(PAUSE_S)
                    second.signal(signal.SIGCONT)
                    code = second.process.wait(60)
                    with Worker(stack) as fourth:  # as a supervisor would
                        assert load.process.wait(SECONDS + 240) == 0, load.output()[-3000:]
                        workers = (first, second, third, fourth)
                        report = json.loads(load.output().splitlines()[-1])
                        verdict = json.loads(run(stack, "audit", "--final", "--json"))
    assert report["orders"] == orders
    assert verdict["ok"], verdict["violations"][:5]
    # The faults bit: partitions moved with work in flight, upstream stages sent again what they had
    # sent before, and the paused worker was kept from writing over its successor.
    assert sum(len(worker.events("revoked")) for worker in workers) > 0
    assert any(int(e["with_work_in_flight"]) > 0 for w in workers for e in w.events("revoked"))
    assert sum(worker.total("skipped") + worker.total("dropped") for worker in workers) > 0
    assert sum(worker.total("dropped") for worker in workers) > 0
    assert len(second.events("fenced")) > 0
    assert code == EXIT_FENCED
