"""Every fact and every reason has words."""

from __future__ import annotations

import string

import pytest

from schemas import topics
from schemas.inventory import ReleaseCause, StockReason
from schemas.order import CancelCause, OrderRefused
from schemas.payment import PaymentReason, TicketReason, TicketResolution
from schemas.record import Record
from schemas.topics import Kind
from streams.orders import reasons as orders
from streams.payments import reports
from streams.payments.state import GAVE_UP
from topologies.explain import reasons, sentences
from topologies.explain.words import REQUESTS, WORDS, Who

_DOMAINS = ("schemas.order", "schemas.inventory", "schemas.payment")
_COMPUTED = {"left": {"on_hand", "held"}, "movement": {"refund_no", "pay_no", "amount_fen"}}

FACTS = [
    kind
    for topic in topics.PUBLIC
    if topic.kind is Kind.EVENTS and topic.records[0].__module__ in _DOMAINS
    for kind in topic.records
]
REQUESTED = [
    kind
    for topic in topics.PUBLIC
    if topic.kind is Kind.INTENTS and topic.key != "sku_id"
    for kind in topic.records
    if not kind.__name__.endswith("Intent")  # told by the command that follows from it
]
INTENTS = [kind for topic in topics.PUBLIC if topic.kind is Kind.INTENTS for kind in topic.records]


@pytest.mark.parametrize("kind", [*FACTS, *REQUESTED])
def test_every_fact_and_every_request_has_words(kind: type[Record]) -> None:
    assert kind.__name__ in WORDS


@pytest.mark.parametrize("kind", [*FACTS, *REQUESTED])
def test_words_name_fields_and_formats_that_there_are(kind: type[Record]) -> None:
    for _, name, spec, _ in string.Formatter().parse(WORDS[kind.__name__].says):
        if name is not None:
            assert _COMPUTED.get(name, {name}) <= set(kind.__struct_fields__)
            assert spec in ("", "+d", "money", *sentences.FORMATS)


ENUMS = (StockReason, ReleaseCause, CancelCause, PaymentReason, TicketReason, TicketResolution)
TEXTS = (orders.TIMEOUT, orders.HOLD_LOST, orders.SURPLUS, reports.DUPLICATE, reports.ORDER_CLOSED)


@pytest.mark.parametrize(
    "reason",
    [
        *(reason for kind in ENUMS for reason in kind),
        *(*orders.OrderReason, *orders.ParkReason, *TEXTS, GAVE_UP),
    ],
)
def test_every_reason_has_words(reason: str) -> None:
    assert reason in reasons.WORDS


def test_what_a_person_wrote_is_quoted_and_a_new_code_spelt_out() -> None:
    assert reasons.in_words("changed my mind") == "“changed my mind”"
    assert reasons.in_words("SOMETHING_NEW") == "something new"


@pytest.mark.parametrize("kind", INTENTS)
def test_every_intent_that_may_be_refused_has_a_name(kind: type[Record]) -> None:
    assert kind.__name__ in REQUESTS


class OrderDelivered(Record, frozen=True):
    """The carrier handed the goods over."""

    order_no: str
    version: int
    carrier: str
    cost_fen: int
    trace_id: str


OrderDelivered.__module__ = OrderRefused.__module__


def test_a_fact_without_words_is_told_by_what_it_says_of_itself() -> None:
    fact = OrderDelivered("A", 4, "swift", 1250, "5" * 32)
    assert sentences.sentence(fact) == (
        Who.ORDERS,
        "OrderDelivered: The carrier handed the goods over (carrier swift, cost ¥12.50)",
    )


@pytest.mark.parametrize(
    ("fen", "currency", "text"),
    [
        (0, "CNY", "¥0.00"),
        (-5, "CNY", "-¥0.05"),
        (123_456_789, "CNY", "¥1,234,567.89"),
        (3_998, "SEK", "39.98 SEK"),
    ],
)
def test_money_is_written_as_people_write_it(fen: int, currency: str, text: str) -> None:
    assert sentences.money(fen, currency) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (960_040, "16 min"),
        (3_725_000, "1 h 2 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_a_span_shows_its_two_largest_units(ms: int, text: str) -> None:
    assert sentences.span(ms) == text
