"""Replay over a real run: a worker is killed under load, so that outputs were sent again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deploy.stack import Endpoints
from schemas.order import PlaceOrder
from schemas.payment import PaymentSucceeded
from schemas.registry import connected_codec
from tests.pipeline import Process, Worker, environment, own_stack
from topologies.audit.reader import wait_quiet
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import connect, run_name
from topologies.load.intents import Load, run_load
from topologies.load.payers import Mix, Payer
from topologies.load.stocking import bring_stock, list_skus
from topologies.reading import read, spans
from topologies.services import command

ROOT = Path(__file__).parents[2]
FACTS = ("order.events", "inventory.events", "payment.events")
ORDERS = 600
WINDOW_MS = 10_000
LATE_MS = WINDOW_MS + 1_000  # sim-late pays when it is too late
RUN = {"ORDERSTREAM_PAYMENT_WINDOW_MS": str(WINDOW_MS)}
HOLE = """
pack_id: autumn
shop_id: 1
floor_bp: 1000
rules:
  - {rule_id: sale, level: ITEM, effect: {percent_off: {bp: 2000}}}
  - {rule_id: clearance, level: ITEM, effect: {percent_off: {bp: 7000}}}
examples: []
"""
OTHER_RULE = {"ORDERSTREAM_PAYMENT_WINDOW_MS": str(WINDOW_MS + 1_000)}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run() -> Iterator[Endpoints]:
    """A pipeline at rest on which every kind of buyer has been, its worker killed halfway."""
    rare = {"ORDERSTREAM_CHECKPOINT_INTERVAL_S": "3"}  # so that there is much to send again
    gateway = ("gateway", "--late-ms", str(LATE_MS))
    with own_stack() as stack, Process(stack, *gateway), Worker(stack, **RUN, **rare) as killed:
        killed.wait_until("took_over")
        where, name = connect(stack.kafka, stack.registry), run_name()
        catalogue = make_catalogue(skus=50, stock=20, seed=7)
        list_skus(where, catalogue)
        bring_stock(where, catalogue, name)
        everybody = Mix(dict.fromkeys(Payer, 1.0))
        with Worker(stack, **RUN) as survivor:
            survivor.wait_until("took_over")
            plan = Load(orders=ORDERS, rate=100, mix=everybody)
            with ThreadPoolExecutor(1) as thread:
                loading = thread.submit(run_load, where, catalogue, plan, name)
                wait_for_facts(stack, 2 * ORDERS)
                killed.kill()
            report = loading.result()
            assert report.ok, report.missing
            wait_quiet(stack.kafka, quiet_s=4.0)  # late money comes a second after the rest
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
    assert found["inbox_records"] > 6 * ORDERS
    assert {p["stage"] for p in found["partitions"]} == {
        *("orders", "inventory", "payments", "promotions")
    }
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


def test_code_in_the_shadow_that_decides_the_same_has_nothing_to_report(run: Endpoints) -> None:
    code, text = replay(run, "shadow", "--from", str(ROOT), "--seconds", "2", "--json", env=RUN)

    assert (code, json.loads(text)["identical"]) == (0, True)


def test_draft_rules_in_the_shadow_are_reported_where_they_decide_otherwise(
    run: Endpoints,
) -> None:
    before = {topic: spans(run.kafka, [topic]) for topic in FACTS}
    code, text = replay(
        run, "shadow", "--from", "tests.integration.draft_rules:orders", "--seconds", "0",
        "--json", env=RUN,
    )  # fmt: skip

    found = json.loads(text)
    assert (code, {p["stage"] for p in found["partitions"]}) == (1, {"orders"})
    assert all(
        set(p["differences"]) == {"differs"} and set(p["first"]["fields"]) == {"expires_at_ms"}
        for p in found["partitions"]
    )
    assert {topic: spans(run.kafka, [topic]) for topic in FACTS} == before  # it never writes


def test_a_past_moment_of_an_order_is_shown_with_its_money_and_its_sku(run: Endpoints) -> None:
    placed, paid, order_no = a_paid_order(run)

    (then, _, *_) = state_of(run, order_no, placed)
    found = state_of(run, order_no, paid)

    assert [r["value"]["status"] for r in then["records"]] == ["RESERVING"]
    assert [r["value"]["status"] for r in found[0]["records"]] == ["PAID"]
    assert [r["record"] for r in found[1]["records"]] == ["OrderPayments"]
    assert "StockHold" in [r["record"] for r in found[2]["records"]]


def test_a_capsule_of_an_order_of_every_ending_runs_green(run: Endpoints, tmp_path: Path) -> None:
    endings = an_order_of_every_ending(run)
    assert {
        "OrderCompleted",
        "OrderRejected",
        "OrderExpired",
        "OrderCancelled",
    } <= endings.keys(), endings
    for order_no in endings.values():
        replay(run, "capsule", order_no, "-o", str(tmp_path / f"test_{order_no}.py"), env=RUN)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(endings)} passed" in done.stdout


def test_a_draft_that_stacks_by_mistake_shows_its_loss_on_the_recorded_orders(
    run: Endpoints, tmp_path: Path
) -> None:
    draft, charts = tmp_path / "draft.yaml", tmp_path / "charts.html"
    draft.write_text(HOLE)
    code, text = replay(
        run, "whatif", "--rules", str(draft), "--html", str(charts), "--json", env=RUN
    )

    found = json.loads(text)
    assert (code, found["orders"], found["changed"]) == (0, ORDERS, ORDERS)
    assert found["difference_fen"] == sum(found["by_rule"].values()) < 0
    (worst,) = found["by_rules"]
    assert worst == {"rules": ["clearance", "sale"], "difference_fen": found["difference_fen"]}
    assert "clearance + sale" in charts.read_text()


def a_paid_order(stack: Endpoints) -> tuple[int, int, str]:
    """Return when an order was placed and paid (the log's time), and its number."""
    placed: dict[str, int] = {}
    codec = connected_codec(stack.registry)
    for message in read(stack.kafka, ["order.commands"]):
        fact, at_ms = codec.decode(message.value()), message.timestamp()[1]
        if isinstance(fact, PlaceOrder):
            placed[fact.order_no] = at_ms
        elif isinstance(fact, PaymentSucceeded) and placed.get(fact.order_no, at_ms) < at_ms:
            return placed[fact.order_no], at_ms, fact.order_no
    raise LookupError("nobody has paid")


def an_order_of_every_ending(stack: Endpoints) -> dict[str, str]:
    """Return an order number for every kind of fact that was the last one of an order."""
    codec = connected_codec(stack.registry)
    last = {}
    for message in read(stack.kafka, ["order.events"]):
        fact = codec.decode(message.value())
        last[fact.order_no] = type(fact).__name__  # type: ignore[attr-defined]  # orders' facts
    return {name: order_no for order_no, name in last.items()}


def state_of(stack: Endpoints, order_no: str, at_ms: int) -> list[Any]:
    arguments = ("--key", order_no, "--at", str(at_ms), "--json")
    found: list[Any] = json.loads(replay(stack, "state", *arguments, env=RUN)[1])
    return found
