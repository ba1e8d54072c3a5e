"""What clients are shown of an order follows from its facts alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

import schemas
from schemas import topics
from schemas.order import (
    OrderAmended,
    OrderCreated,
    OrderOperated,
    OrderPaymentOpened,
)
from schemas.read_model import (
    CHANGES,
    FINISHED,
    PAYING,
    STATUS_TEXT,
    STEPS_KEPT,
    OrderView,
    decode_order,
    encode,
    messages,
    rfc3339,
    status_after,
    view_after,
)
from schemas.record import Record, full_name
from streams.orders import state
from streams.orders.state import TRANSITIONS, OrderStatus
from tests.unit.replay.shop import BUYER, PRICE_FEN, SHOP, every_outcome, trace

AT_MS = 1_714_558_830_123


def views(facts: list[Record]) -> dict[str, list[OrderView]]:
    """Return the views of each order after each of its facts."""
    found: dict[str, list[OrderView]] = {}
    for at_ms, fact in enumerate(facts, AT_MS):
        if type(fact) in CHANGES:
            so_far = found.setdefault(fact.order_no, [])  # type: ignore[attr-defined]  # an order's
            so_far.append(view_after(so_far[-1] if so_far else None, fact, at_ms))
    return found


def example(kind: type[Record]) -> Record:
    file = Path(schemas.__file__).with_name("examples") / f"{full_name(kind)}.json"
    return msgspec.json.decode(file.read_bytes(), type=kind)


@pytest.fixture(scope="module")
def facts() -> list[Record]:
    return every_outcome().host.facts(topics.ORDER_EVENTS.name)


def test_every_fact_that_moves_an_order_has_a_status() -> None:
    assert {kind for _, kind in TRANSITIONS} == CHANGES


@pytest.mark.parametrize(
    ("before", "kind"), TRANSITIONS, ids=lambda part: getattr(part, "__name__", str(part))
)
def test_what_is_shown_is_the_status_of_the_stage(
    before: OrderStatus | None, kind: type[Record]
) -> None:
    shown = status_after(before, example(kind))
    if kind is OrderPaymentOpened:
        assert shown == PAYING
    else:
        assert shown == TRANSITIONS[before, kind]


def test_every_status_has_a_text_and_the_finished_are_those_of_the_stage() -> None:
    assert set(STATUS_TEXT) == {status.value for status in OrderStatus} | {PAYING}
    assert frozenset(state.FINISHED) == FINISHED


def test_an_open_payment_is_shown_until_an_amend_voids_it() -> None:
    assert status_after(PAYING, example(OrderAmended)) == "CREATED"
    assert status_after(PAYING, example(OrderOperated)) == PAYING


def test_the_view_of_an_order_is_what_its_facts_said(facts: list[Record]) -> None:
    last = {order_no: found[-1] for order_no, found in views(facts).items()}

    assert {no: view.status for no, view in last.items()} == {
        "COMPLETED": "COMPLETED",
        "REFUNDED": "REFUNDED",
        "TWO-SKUS": "COMPLETED",
        "REJECTED": "REJECTED",
        "PAID-TWICE": "FULFILLING",
        "DECLINED": "EXPIRED",
        "CANCELLED": "CANCELLED",
        "PARKED": "PARKED",
        "EXPIRED": "EXPIRED",
        "PAID-LATE": "EXPIRED",
    }
    refunded = last["REFUNDED"]
    assert (refunded.shop_id, refunded.user_id, refunded.trace_id) == (
        SHOP,
        BUYER,
        trace("REFUNDED"),
    )
    assert (refunded.total_fen, refunded.paid_fen, refunded.refunded_fen) == (PRICE_FEN,) * 3
    assert [line.qty for line in refunded.lines] == [1]
    assert (refunded.pay_no, refunded.channel, refunded.reason) == (
        "REFUNDED-1",
        "sim",
        "broken",
    )
    assert [refusal.requested for refusal in last["REJECTED"].refusals] == [2]


def test_every_version_is_one_message_and_a_repeat_is_none(facts: list[Record]) -> None:
    for found in views(facts).values():
        seqs = [heard.seq for heard in messages(found[-1])]
        assert seqs == list(range(1, found[-1].version + 1))
    once = {order_no: found[-1] for order_no, found in views(facts).items()}
    # Re-sent after a crash: the same facts again, later.
    assert {no: found[-1] for no, found in views(facts + facts).items()} == once


def test_messages_since_a_time_or_above_a_number_are_the_last_of_all(facts: list[Record]) -> None:
    view = views(facts)["COMPLETED"][-1]
    every = list(messages(view))
    assert list(messages(view, since_ms=view.steps[2].at_ms)) == every[2:]
    assert list(messages(view, above=3)) == every[3:]


def test_time_never_goes_back_though_two_workers_clocks_differ() -> None:
    def created(version: int) -> OrderCreated:
        return OrderCreated("O-1", version, SHOP, BUYER, "CNY", 1, 2, trace("O-1"))

    view = view_after(view_after(None, created(1), AT_MS), created(2), AT_MS - 10)
    assert [step.at_ms for step in view.steps] == [AT_MS, AT_MS]


def test_an_order_operated_for_ever_keeps_its_last_steps() -> None:
    view: OrderView | None = None
    for version in range(1, 3 * STEPS_KEPT):
        fact = OrderOperated("O-1", version, SHOP, BUYER, "ann", "RETRY", "stuck", trace("O-1"))  # type: ignore[arg-type]  # as read from Avro
        view = view_after(view, fact, AT_MS + version)
    assert view is not None
    assert len(view.steps) == STEPS_KEPT
    assert all(b.version == a.version + 1 for a, b in pairwise(view.steps))
    assert view.steps[-1].version == view.version


def test_a_view_survives_its_json_and_starts_with_its_version(facts: list[Record]) -> None:
    for found in views(facts).values():
        for view in found:
            stored = encode(view)
            assert decode_order(stored) == view
            assert stored.startswith(b'{"version":%d,' % view.version)


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(1_714_558_830_123) == "2024-05-01T10:20:30.123Z"
    assert rfc3339(1_714_558_830_007) == "2024-05-01T10:20:30.007Z"
