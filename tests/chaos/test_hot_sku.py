"""100,000 buyers at once for 1,000 units of one sku, a worker killed meanwhile: 1,000 are sold."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter

import pytest

from schemas.order import OrderConfirmed, OrderRejected
from schemas.registry import connected_codec
from tests.kafka import distinct, read
from tests.pipeline import Worker, own_stack, run
from topologies.load.clients import Where, run_name
from topologies.load.hot_sku import run_hot_sku

TRIES = int(os.environ.get("CHAOS_TRIES", "100000"))
UNITS = 1_000
SKU = 4711


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hot_sku_is_never_oversold_and_every_loser_is_told_why() -> None:
    with own_stack() as stack, Worker(stack) as first, Worker(stack) as second:
        for worker in (first, second):
            worker.wait_until("took_over")
        codec = connected_codec(stack.registry)
        where = Where(stack.kafka, codec)
        victim = first if owns_the_sku(first) else second

        def strike() -> None:
            time.sleep(8)
            victim.kill()

        striker = threading.Thread(target=strike)
        striker.start()
        result = run_hot_sku(where, SKU, TRIES, UNITS, run_name(), inside=True)
        striker.join()
        verdict = json.loads(run(stack, "audit", "--final", "--json"))
        confirmed, reasons = 0, Counter[tuple[str, str]]()
        for message in distinct(read(stack.kafka, "order.events")):
            fact = codec.decode(message.value())
            confirmed += isinstance(fact, OrderConfirmed)
            if isinstance(fact, OrderRejected):
                (refusal,) = fact.refusals
                reasons[refusal.resource_id, refusal.reason] += 1
    assert verdict["ok"], verdict["violations"][:5]
    assert confirmed == UNITS
    assert reasons == {(str(SKU), "INSUFFICIENT"): TRIES - UNITS}
    assert (result.winners, result.losers) == (UNITS, TRIES - UNITS)
    assert victim.process.returncode == -9


def owns_the_sku(worker: Worker) -> bool:
    """Tell whether the worker has any inventory partition, so that its death matters."""
    return any(event["stage"] == "inventory" for event in worker.events("took_over"))
