"""What support and operators ask on a real pipeline: explain, dead letters again, stuck orders."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from deploy.stack import Endpoints
from schemas.order import CartLine, PlaceOrderIntent
from schemas.registry import connected_codec
from streams.admission import derive_order_no
from tests.pipeline import Process, Worker, environment, run, set_up
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus
from topologies.services import command

SKU, SCARCE_SKU, PRICE_FEN = 550_001, 550_002, 1_990
SHOP, BUYER = 1, 55
_WAIT_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Desk:
    """A running pipeline with two skus, and what a support person types."""

    def __init__(self, stack: Endpoints) -> None:
        self.stack = stack
        self.codec = connected_codec(stack.registry)
        where = Where(stack.kafka, self.codec)
        for sku, stock in ((SKU, 1_000), (SCARCE_SKU, 1)):
            catalogue = Catalogue(SHOP, (Sku(sku, PRICE_FEN, stock, ("east",)),))
            list_skus(where, catalogue)
            bring_stock(where, catalogue, run_name(), inside=False)
        self._producer = Producer(
            {"bootstrap.servers": stack.kafka, "partitioner": "murmur2_random"}
        )

    def place(self, sku_id: int = SKU, unit_price_fen: int = PRICE_FEN) -> str:
        """Place an order of one unit; return its number."""
        key = f"desk-{time.time_ns()}"
        intent = PlaceOrderIntent(
            shop_id=SHOP,
            user_id=BUYER,
            client_key=key,
            lines=(CartLine(sku_id, 1, unit_price_fen),),
            total_fen=unit_price_fen,
            placed_at_ms=time.time_ns() // 1_000_000,
            pay_channel="sim",
        )
        self._producer.produce("order.intents", self.codec.encode(intent), key)
        self._producer.flush(10)
        return derive_order_no(SHOP, BUYER, key)

    def ask(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with --json; return its exit code and what it printed."""
        done = subprocess.run(
            command(*arguments, "--json"),
            env=environment(self.stack),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)

    def story_when(self, order_no: str, is_told: Callable[[Any], bool]) -> Any:
        """Return the order's story as soon as ``is_told`` says so."""
        deadline = time.monotonic() + _WAIT_S
        while not is_told(story := self.ask("explain", order_no)[1]):
            assert time.monotonic() < deadline, story
            time.sleep(0.3)
        return story


@pytest.fixture(scope="module")
def desk(stack: Endpoints) -> Iterator[Desk]:
    set_up(stack)
    with Worker(stack) as worker, Process(stack, "gateway"):
        worker.wait_until("took_over")
        yield Desk(stack)


def test_an_order_is_explained_from_its_own_partitions(desk: Desk) -> None:
    order_no = desk.place()

    story = desk.story_when(order_no, lambda story: story["status"] == "FULFILLING")

    names = [event["record"].rpartition(".")[2] for event in story["events"]]
    assert names == [
        "PlaceOrder",
        "OrderPlaced",
        "StockHeld",
        "OrderCreated",
        "OrderPaymentOpened",
        "PaymentRequested",
        "GatewayReport",
        "PaymentSucceeded",
        "OrderPaid",
        "StockDeducted",
        "OrderConfirmed",
    ]
    assert [event["because"] for event in story["events"]] == [
        *(None, 1, 2, 3, 3, 5, 6, 7, 8, 9, 10)
    ]
    text = run(desk.stack, "explain", order_no)
    assert text.startswith(f"order {order_no}: Paid (¥19.90); waiting for the buyer to have")
    assert desk.ask("explain", "0123456789ABCDEF")[0] == 1


def test_the_last_unit_has_a_winner_and_a_loser(desk: Desk) -> None:
    winner = desk.place(SCARCE_SKU)
    desk.story_when(winner, lambda story: story["status"] == "FULFILLING")
    loser = desk.place(SCARCE_SKU)
    desk.story_when(loser, lambda story: story["status"] == "REJECTED")

    code, contest = desk.ask("explain", "--last-unit", str(SCARCE_SKU), "--last", "1")

    assert (code, contest["left"]) == (0, 0)
    assert [
        (one["order_no"], one["available"], one["fate"], one["order_status"])
        for one in contest["tries"]
    ] == [(winner, 1, "SOLD", "FULFILLING"), (loser, 0, "REFUSED", "REJECTED")]


def test_a_dead_letter_is_mended_and_sent_again_once(desk: Desk) -> None:
    order_no = desk.place(unit_price_fen=1)
    story = desk.story_when(order_no, lambda story: story["outcome"] == "REFUSED")
    topic, partition, offset = _stood_at(desk, story)
    at = f"{topic}/{partition}/{offset}"
    redrive = ("dlq", "redrive", "--at", at)
    mend = (f"--set=total_fen={PRICE_FEN}", f"--set=lines.0.unit_price_fen={PRICE_FEN}")

    code, (as_it_is,) = desk.ask(*redrive, "--dry-run")
    assert (code, as_it_is["verdict"], as_it_is["sent"]) == (1, "REFUSED", None)
    code, (mended,) = desk.ask(*redrive, *mend, "--dry-run")
    assert (code, mended["verdict"], mended["sent"]) == (0, "READY", None)
    code, (sent,) = desk.ask(*redrive, *mend, "--operator", "mei")
    assert code == 0
    assert sent["sent"].startswith("order.intents/")
    code, (again,) = desk.ask(*redrive, *mend, "--operator", "mei")
    assert (code, again["verdict"], again["why"]) == (
        *(1, "ALREADY_REDRIVEN"),
        "sent again by mei already",
    )

    story = desk.story_when(order_no, lambda story: story["status"] == "FULFILLING")
    assert story["events"][0]["says"].startswith("refuses the order: lines[0].unit_price_fen")
    letters = {one["at"]: one for one in desk.ask("dlq", "list", "order.intents")[1]}
    assert letters[at]["redriven_by"] == "mei"


def test_a_record_that_is_refused_every_time_is_sent_again_three_times_at_most(desk: Desk) -> None:
    order_no = desk.place(unit_price_fen=1)
    seen: list[str] = []
    for count in range(3):
        at = _newest_letter(desk, order_no, seen)
        code, (sent,) = desk.ask("dlq", "redrive", "--at", at, "--force", "--operator", "mei")
        assert (code, sent["redrives"]) == (0, count)
    at = _newest_letter(desk, order_no, seen)
    code, (left,) = desk.ask("dlq", "redrive", "--at", at, "--operator", "mei")
    assert (code, left["verdict"], left["redrives"]) == (1, "TOO_OFTEN", 3)


def test_orders_that_wait_for_a_person_are_listed_by_step(desk: Desk) -> None:
    order_no = desk.place()
    desk.story_when(order_no, lambda story: story["status"] == "FULFILLING")
    arguments = ("orders", "stuck", "--older-than", "0s", "--step", "FULFILLING")
    listed = {one["order_no"]: one for one in desk.ask(*arguments)[1]}
    assert listed[order_no]["step"] == "FULFILLING"
    assert order_no not in {one["order_no"] for one in desk.ask("orders", "parked")[1]}


def test_an_operators_hand_is_a_fact_with_his_name_or_a_refusal(desk: Desk) -> None:
    order_no = desk.place()
    desk.story_when(order_no, lambda story: story["status"] == "FULFILLING")
    mei = ("--operator", "mei", "--reason", "asked by phone")

    code, refused = desk.ask("orders", "retry", order_no, *mei)
    assert (code, refused["taken"]) == (1, True)
    (fact,) = refused["facts"]
    assert fact["record"] == "orderstream.order.OrderRefused"
    assert fact["fields"]["reason"] == "NOTHING_AWAITED"

    code, done = desk.ask("orders", "skip", order_no, *mei)
    assert code == 0
    assert [fact["record"].rpartition(".")[2] for fact in done["facts"]] == [
        "OrderOperated",
        "OrderCompleted",
    ]
    operated = done["facts"][0]["fields"]
    assert (operated["operator"], operated["reason"]) == ("mei", "asked by phone")
    assert desk.ask("explain", order_no)[1]["outcome"] == "COMPLETED"


def test_an_intent_of_an_operator_that_admission_refuses_says_why(desk: Desk) -> None:
    order_no = desk.place()
    desk.story_when(order_no, lambda story: story["status"] == "FULFILLING")
    code, answer = desk.ask("orders", "pause", order_no, "--operator", "", "--reason", "x")
    assert (code, answer["taken"]) == (1, False)
    assert "operator" in answer["refused"]


def _stood_at(desk: Desk, story: Any) -> tuple[str, str, str]:
    """Return where the record of a story's only dead letter stood."""
    (event,) = story["events"]
    assert event["refused"] == "PRICE_CHANGED"
    key = event["fields"]["client_key"]
    (letter,) = (one for one in desk.ask("dlq", "list")[1] if one["key"] == key)
    topic, partition, offset = letter["at"].split("/")
    return topic, partition, offset


def _newest_letter(desk: Desk, order_no: str, seen: list[str]) -> str:
    """Wait for a letter of the order that is not in ``seen``; add it there."""
    count = len(seen) + 1
    story = desk.story_when(order_no, lambda story: len(story["events"]) == count)
    key = story["events"][0]["fields"]["client_key"]
    new = [one["at"] for one in desk.ask("dlq", "list")[1] if one["key"] == key]
    (at,) = (at for at in new if at not in seen)
    seen.append(at)
    return str(at)
