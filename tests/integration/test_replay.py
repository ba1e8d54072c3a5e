"""Replay over a real run: a worker is killed under load, so that outputs were sent again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.stack import Endpoints
from tests.pipeline import Process, Worker, environment, own_stack
from topologies.audit.reader import wait_quiet
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import connect, run_name
from topologies.load.intents import Load, run_load
from topologies.load.payers import Mix, Payer
from topologies.load.stocking import bring_stock, list_skus
from topologies.reading import spans
from topologies.services import command

ORDERS = 900
WINDOW_MS = 4_000  # sim-late pays after 5,000
RUN = {"ORDERSTREAM_PAYMENT_WINDOW_MS": str(WINDOW_MS)}
OTHER_RULE = {"ORDERSTREAM_PAYMENT_WINDOW_MS": str(WINDOW_MS + 1_000)}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run() -> Iterator[Endpoints]:
    """A pipeline at rest on which every kind of buyer has been, its worker killed halfway."""
    rare = {"ORDERSTREAM_CHECKPOINT_INTERVAL_S": "3"}  # so that there is much to send again
    with own_stack() as stack, Process(stack, "gateway"), Worker(stack, **RUN, **rare) as killed:
        killed.wait_until("took_over")
        where, name = connect(stack.kafka, stack.registry), run_name()
        catalogue = make_catalogue(skus=50, stock=100, seed=7)
        list_skus(where, catalogue)
        bring_stock(where, catalogue, name)
        everybody = Mix(dict.fromkeys(Payer, 1.0))
        with Worker(stack, **RUN) as survivor:
            survivor.wait_until("took_over")
            arguments = ("--orders", str(ORDERS), "--rate", "150", "--json")
            with Process(stack, "load", *arguments) as load:
                wait_for_facts(stack, ORDERS // 2)
                killed.kill()
                assert load.process.wait(90) == 0, load.output()[-3000:]
            run_load(where, catalogue, Load(orders=200, rate=100, mix=everybody), name)
            wait_quiet(stack.kafka)
            yield stack


def wait_for_facts(stack: Endpoints, count: int) -> None:
    """Wait until the orders have made ``count`` facts known."""
    deadline_s = time.monotonic() + 60
    while sum(span.end for span in spans(stack.kafka, ["order.events"]).values()) < count:
        assert time.monotonic() < deadline_s, "no orders come through"
        time.sleep(0.1)


def replay(stack: Endpoints, *arguments: str, env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command("replay", *arguments),
        env=environment(stack, **env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout


def verified(stack: Endpoints, *arguments: str, env: dict[str, str]) -> tuple[int, Any]:
    code, text = replay(stack, "verify", "--json", *arguments, env=env)
    return code, json.loads(text)


def test_a_run_with_a_killed_worker_is_identical_when_it_is_replayed(run: Endpoints) -> None:
    code, found = verified(run, env=RUN)

    assert (code, found["identical"]) == (0, True), found
    assert found["inbox_records"] > 9 * ORDERS
    assert {p["stage"] for p in found["partitions"]} == {"orders", "inventory", "payments"}
    assert sum(p["resent"] for p in found["partitions"]) > 0  # the kill bit
    assert sum(p["resent_unchecked"] for p in found["partitions"]) == 0


def test_a_changed_rule_is_found_and_its_first_output_shown_with_both_sides(
    run: Endpoints,
) -> None:
    code, found = verified(run, "--stage", "orders", "--partition", "1", env=OTHER_RULE)

    (partition,) = found["partitions"]
    first = partition["first"]
    assert (code, found["identical"], first["kind"]) == (1, False, "differs")
    assert first["recorded"]["topic"] == first["replayed"]["topic"] == "inventory.commands"
    grace_ms = 600_000
    assert first["fields"] == {
        "ttl_ms": {
            "recorded": WINDOW_MS + grace_ms,
            "replayed": WINDOW_MS + 1_000 + grace_ms,
        }
    }
