"""A gateway whose callbacks are all lost: only who asks hears of the money, and it is found."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Producer

from deploy.stack import Endpoints
from schemas.payment import ResolveTicket, TicketResolution
from schemas.registry import connected_codec
from tests.pipeline import Process, Worker, own_stack
from topologies.audit.auditor import Verdict
from topologies.audit.reader import audit, read_facts
from topologies.load.accounting import State
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import connect, run_name
from topologies.load.intents import Load, run_load
from topologies.load.payers import Mix, Payer
from topologies.load.stocking import bring_stock, list_skus

ORDERS = 60
WINDOW_MS = "8000"  # the first question is asked after 5,000; sim-late has paid after 9,000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_money_whose_messages_are_all_lost_is_found_by_asking_and_none_is_kept_twice() -> None:
    with (
        own_stack() as stack,
        Worker(stack, ORDERSTREAM_PAYMENT_WINDOW_MS=WINDOW_MS) as worker,
        Process(stack, "gateway", "--silent", "1", "--duplicate", "0.3", "--late-ms", "9000"),
    ):
        worker.wait_until("took_over")
        where = connect(stack.kafka, stack.registry)
        catalogue, name = make_catalogue(skus=20, stock=1_000, seed=11), run_name()
        list_skus(where, catalogue)
        bring_stock(where, catalogue, name)
        mix = Mix({Payer.PAY: 1, Payer.TWICE: 1, Payer.LATE: 1})

        report = run_load(where, catalogue, Load(orders=ORDERS, rate=30, mix=mix), name)

        assert report.ok, report.missing
        late = report.states["EXPIRED"][Payer.LATE]
        twice = report.states["COMPLETED"][Payer.TWICE]
        assert report.count(State.COMPLETED) == ORDERS - late
        verdict = at_rest(stack)
        assert verdict.ok, verdict.violations[:5]
        counters = verdict.counters
        assert counters["payments_kept"] == ORDERS - late
        assert counters["payments_surplus"] == counters["refunds"] == late + twice
        assert counters["gateway_queries"] >= ORDERS + late + twice
        assert counters["tickets"] == 0

        # An operator's word comes in over payment.intents and is judged like any other request.
        codec = connected_codec(stack.registry, (ResolveTicket,))
        order_no = facts_of(stack, "PaymentSucceeded")[0]["order_no"]
        word = ResolveTicket(
            f"{order_no}-T1", order_no, 1, "mia", TicketResolution.RETRY, "is it there?"
        )
        producer = Producer({"bootstrap.servers": stack.kafka, "acks": "all"})
        producer.produce("payment.intents", codec.encode(word), order_no.encode())
        assert producer.flush(10) == 0
        while not (refusals := facts_of(stack, "PaymentRefused")):
            time.sleep(0.5)
        assert [(fact["message"], fact["reason"]) for fact in refusals] == [
            ("ResolveTicket", "TICKET_NOT_OPEN")
        ]


def at_rest(stack: Endpoints) -> Verdict:
    """Return the verdict once every refund has been asked about and answered, or after a while.

    The janitor waits 5, 10 and 20 s, which looks like rest from outside.
    """
    deadline = time.monotonic() + 60
    while True:
        verdict = audit(stack.kafka, stack.registry, final=True, expected=ORDERS)
        if verdict.ok or time.monotonic() > deadline:
            return verdict
        time.sleep(2)


def facts_of(stack: Endpoints, name: str) -> list[dict[str, Any]]:
    """Return every fact of that name."""
    facts = read_facts(stack.kafka, stack.registry, ("payment.events",))
    return [fact.fields for fact in facts if fact.name == name]
