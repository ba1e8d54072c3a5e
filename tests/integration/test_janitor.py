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
from topologies.audit.reader import audit, read_facts, registry_schemas
from topologies.load.accounting import State
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import connect, run_name
from topologies.load.intents import Load, run_load
from topologies.load.payers import Mix, Payer
from topologies.load.stocking import bring_stock, list_skus

ORDERS = 30
WINDOW_MS = "8000"  # the first question is asked after 5,000; sim-late has paid after 9,000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_money_whose_messages_are_all_lost_is_found_by_asking_and_none_is_kept_twice() -> None:
    with (
        own_stack() as stack,
        Worker(stack, ORDERSTREAM_PAYMENT_WINDOW_MS=WINDOW_MS) as worker,
        Process(stack, "gateway", "--silent", "1", "--late-ms", "9000"),
    ):
        worker.wait_until("took_over")
        where = connect(stack.kafka, stack.registry)
        catalogue, name = make_catalogue(skus=20, stock=1_000, seed=11), run_name()
        list_skus(where, catalogue)
        bring_stock(where, catalogue, name)
        mix = Mix({Payer.PAY: 1, Payer.TWICE: 1, Payer.LATE: 1})

        report = run_load(where, catalogue, Load(orders=ORDERS, rate=30, mix=mix), name)

        assert report.ok, report.missing
        assert report.states["EXPIRED"][Payer.LATE]
        twice = sum(payers.get(Payer.TWICE, 0) for payers in report.states.values())
        kept = report.count(State.COMPLETED)
        surplus = ORDERS + twice - kept  # all that the gateway took; nobody else knows of it yet
        facts_of(stack, "RefundSucceeded", surplus)
        verdict = audit(stack.kafka, stack.registry, final=True, expected=ORDERS)
        assert verdict.ok, verdict.violations[:5]
        counters = verdict.counters
        assert counters["payments_kept"] == kept
        assert counters["payments_surplus"] == counters["refunds"] == surplus
        assert counters["gateway_queries"] >= ORDERS + surplus
        assert counters["tickets"] == 0

        # An operator's word comes in over payment.intents and is judged like any other request.
        codec = connected_codec(stack.registry, (ResolveTicket,))
        order_no = facts_of(stack, "PaymentSucceeded", kept)[0]["order_no"]
        word = ResolveTicket(
            f"{order_no}-T1", order_no, 1, "mia", TicketResolution.RETRY, "is it there?"
        )
        producer = Producer({"bootstrap.servers": stack.kafka, "acks": "all"})
        producer.produce("payment.intents", codec.encode(word), order_no.encode())
        assert producer.flush(10) == 0
        refusals = facts_of(stack, "PaymentRefused", 1)
        assert [(fact["message"], fact["reason"]) for fact in refusals] == [
            ("ResolveTicket", "TICKET_NOT_OPEN")
        ]


def facts_of(stack: Endpoints, name: str, count: int) -> list[dict[str, Any]]:
    """Return every fact of that name, once there are ``count``; the test's time limit ends it."""
    schemas = registry_schemas(stack.registry)
    while True:
        facts = read_facts(stack.kafka, schemas, ("payment.events",))
        found = [fact.fields for fact in facts if fact.name == name]
        if len(found) >= count:
            return found
        time.sleep(1)
