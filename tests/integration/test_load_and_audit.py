"""Every kind of buyer on a real pipeline: each ends as he should, and every law is kept.

The payment window is shorter than the late payer's patience, so his money has to go back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.stack import Endpoints
from tests.pipeline import Process, Worker, own_stack, run
from topologies.load import closed_loop
from topologies.load.accounting import State
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import Where, connect, run_name
from topologies.load.hot_sku import run_hot_sku
from topologies.load.intents import Load, run_load
from topologies.load.payers import Mix, Payer
from topologies.load.stocking import bring_stock, list_skus

ORDERS = 600
WINDOW_MS = "4000"  # sim-late pays after 5,000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class System:
    """A pipeline that runs, with a gateway."""

    stack: Endpoints
    where: Where


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with (
        own_stack() as stack,
        Worker(stack, ORDERSTREAM_PAYMENT_WINDOW_MS=WINDOW_MS) as worker,
        Process(stack, "gateway"),
    ):
        worker.wait_until("took_over")
        yield System(stack, connect(stack.kafka, stack.registry))


def test_every_kind_of_buyer_ends_as_he_should_and_every_law_is_kept(system: System) -> None:
    catalogue, name = make_catalogue(skus=50, stock=10_000, seed=7), run_name()
    list_skus(system.where, catalogue)
    bring_stock(system.where, catalogue, name)
    everybody = Mix(dict.fromkeys(Payer, 1.0))

    report = run_load(
        system.where, catalogue, Load(orders=ORDERS, rate=150, mix=everybody, repeated=7), name
    )

    assert report.ok, report.missing
    assert {payer for counts in report.states.values() for payer in counts} == set(Payer)
    ends = {(payer, state) for state, counts in report.states.items() for payer in counts}
    assert ends == {
        (Payer.PAY, "COMPLETED"),
        (Payer.TWICE, "COMPLETED"),
        (Payer.CANCEL, "CANCELLED"),
        (Payer.NEVER, "EXPIRED"),
        (Payer.DECLINE, "EXPIRED"),
        (Payer.LATE, "EXPIRED"),
    }
    verdict = json.loads(
        run(system.stack, "audit", "--final", "--settle", "60", "--expect", str(ORDERS), "--json")
    )
    assert verdict["ok"], verdict["violations"][:5]
    completed, late = report.count(State.COMPLETED), report.states["EXPIRED"][Payer.LATE]
    assert verdict["counters"]["payments_kept"] == completed
    assert verdict["counters"]["refunds"] == late + report.states["COMPLETED"][Payer.TWICE]


def test_a_hot_sku_gives_each_unit_once_also_through_the_public_way_in(system: System) -> None:
    found = run_hot_sku(system.where, sku_id=990_001, tries=300, units=40, run=run_name())

    assert found.ok
    assert (found.winners, found.losers, found.oversold) == (40, 260, 0)


def test_orders_for_more_than_there_is_are_rejected_and_hold_nothing(system: System) -> None:
    scarce, name = make_catalogue(skus=5, stock=10, seed=8, first_sku_id=770_001), run_name()
    list_skus(system.where, scarce)
    bring_stock(system.where, scarce, name)

    report = run_load(system.where, scarce, Load(orders=200, completes=False), name)

    assert report.ok
    assert report.count(State.CONFIRMED) > 0
    assert report.count(State.CONFIRMED) + report.count(State.REJECTED) == 200
    verdict = json.loads(run(system.stack, "audit", "--final", "--settle", "60", "--json"))
    assert verdict["ok"], verdict["violations"][:5]


def test_the_driver_that_plays_the_gateway_also_gives_back_what_it_paid_too_late(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, name = make_catalogue(skus=20, stock=1_000, seed=9, first_sku_id=660_001), run_name()
    bring_stock(system.where, catalogue, name, inside=True)
    pay, waited = closed_loop._Driver._pay, False

    def pay_late(driver: closed_loop._Driver, index: int) -> None:
        nonlocal waited
        if not waited:
            waited = True
            time.sleep(6)  # all orders so far expire
        pay(driver, index)

    monkeypatch.setattr(closed_loop._Driver, "_pay", pay_late)

    bench = closed_loop.Bench(orders=60, window=30)
    figures = closed_loop.run_bench(system.where, catalogue, bench, name)

    assert figures.missing == 0
    assert figures.undone > 0
    assert figures.paid + figures.undone == 60
    verdict = json.loads(run(system.stack, "audit", "--final", "--settle", "60", "--json"))
    assert verdict["ok"], verdict["violations"][:5]
    assert verdict["counters"]["payments_kept"] >= figures.paid
