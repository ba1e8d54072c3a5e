"""The tables of the orders stage are total, and its page is drawn from them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import order, topics
from schemas.codec import local_codec
from schemas.inventory import TryHold
from schemas.order import (
    AppliedRule,
    HoldRef,
    OrderRefused,
    OrderRepeated,
    PricedLine,
    Refusal,
    SkuUnits,
)
from schemas.record import Record
from schemas.stream import Tick
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.orders import facts, orders_stage
from streams.orders.decide import DECIDE
from streams.orders.diagram import page
from streams.orders.evolve import EVOLVE
from streams.orders.react import REACT
from streams.orders.reasons import ParkReason
from streams.orders.sold import packed
from streams.orders.state import (
    FINISHED,
    TRANSITIONS,
    Amended,
    Amendment,
    FinishedOrder,
    HoldMark,
    Order,
    OrderStatus,
    Parcel,
    RefundPart,
    SurplusRefund,
    after,
)
from tests.unit.orders.world import NO, START_MS, TRACE, World, place

PUBLIC = topics.ORDER_EVENTS.records
PRIVATE = tuple(
    kind
    for kind in vars(facts).values()
    if inspect.isclass(kind) and issubclass(kind, Record) and kind.__module__ == facts.__name__
)
MOVES = [kind for kind in PUBLIC if kind not in (OrderRefused, OrderRepeated)]


def test_every_message_of_the_inbox_has_a_decider() -> None:
    assert set(DECIDE) == set(topics.ORDER_COMMANDS.records) - {Tick}


def test_every_fact_is_folded_and_made_known() -> None:
    assert set(EVOLVE) == {*PUBLIC, *PRIVATE}
    assert set(REACT) == {*PUBLIC, *PRIVATE}


@pytest.mark.parametrize("table", [DECIDE, EVOLVE, REACT], ids=["decide", "evolve", "react"])
def test_every_function_takes_the_record_that_it_is_listed_under(
    table: Mapping[type[Record], Callable[..., object]],
) -> None:
    for kind, function in table.items():
        _limits, _state, record, *_ = inspect.signature(function).parameters
        taken = typing.get_type_hints(function)[record]
        kinds = typing.get_args(taken) if isinstance(taken, UnionType) else (taken,)
        assert kind in kinds or taken in (Any, Record), function.__name__


@pytest.mark.parametrize("fact", MOVES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", [None, *OrderStatus])
def test_a_pair_that_the_table_lacks_stops_the_worker(
    status: OrderStatus | None, fact: type[Record]
) -> None:
    blank = _blank(fact)
    if (status, fact) in TRANSITIONS:
        assert after(status, blank) is TRANSITIONS[status, fact]
    else:
        with pytest.raises(StageDefect):
            after(status, blank)


def test_every_public_fact_moves_some_order() -> None:
    assert {fact for _, fact in TRANSITIONS} == set(MOVES)


def test_every_status_can_be_reached_and_left() -> None:
    reached: set[OrderStatus | None] = {None}
    for _ in OrderStatus:
        reached |= {to for (status, _), to in TRANSITIONS.items() if status in reached}
    assert reached == {None, *OrderStatus}
    left = {status for status, _ in TRANSITIONS}
    assert {*OrderStatus} - FINISHED <= left


def test_only_a_completed_order_goes_on_after_its_end() -> None:
    assert {status for status, _ in TRANSITIONS if status in FINISHED} == {OrderStatus.COMPLETED}


def test_the_page_is_what_the_tables_say() -> None:
    written = Path(__file__).parents[3] / "docs" / "orders.md"
    assert written.read_text() == page()


def test_a_message_of_another_stage_is_invalid() -> None:
    with pytest.raises(InvalidMessage, match="TryHold is not for the orders stage"):
        World().tell(TryHold("h", NO, 1, 1, 1, 1, 1, TRACE))


def test_a_timer_of_another_stage_is_a_defect() -> None:
    with pytest.raises(StageDefect):
        orders_stage().wake(World().state, place(), 0)


def _blank(kind: type[Record]) -> Record:
    hints = typing.get_type_hints(kind)
    blanks: dict[object, object] = {
        str: "",
        int: 0,
        order.CancelCause: order.CancelCause.REQUESTED,
        order.OperatorAction: order.OperatorAction.RETRY,
    }
    return kind(**{name: blanks.get(hint, ()) for name, hint in hints.items()})


STATES: list[Record] = [
    Order(
        order_no=NO,
        status=OrderStatus.CANCELLING,
        version=4,
        shop_id=7,
        user_id=1_001,
        currency="CNY",
        total_fen=3_998,
        placed_at_ms=START_MS,
        fingerprint="00112233aabbccdd",
        trace_id=TRACE,
        holds=(HoldRef("h1", "stock", "1", 2), HoldRef("h2", "stock", "2", 1)),
        hold_marks=HoldMark.CANCELLING + HoldMark.REFUSED,
        due_ms=START_MS + 1,
        retries=2,
        refusals=(Refusal("2", "INSUFFICIENT", 1, 0),),
        channel="wechat",
        attempts=2,
        cause=order.CancelCause.HOLD_LOST,
        reason="HOLD_LOST",
        sold=packed((PricedLine(1, 2, 1_999, 0, 3_998),)),
        amendment=Amendment(
            amend_key="a2",
            fingerprint="00112233aabbccdd",
            lines=(PricedLine(1, 3, 1_999, 0, 5_997),),
            rules=(AppliedRule("r", 1),),
            total_fen=5_997,
            added=(HoldRef("h3", "stock", "1", 1),),
            marks=HoldMark.ASKED.value,
            dropped=("h2",),
            expires_at_ms=START_MS,
            refusals=(Refusal("2", "INSUFFICIENT", 1, 0),),
            is_held=True,
        ),
        amends=(Amended("a1", "00112233aabbccdd"),),
        void_attempts=1,
        parcels=(Parcel("SF1", (SkuUnits(1, 1),)),),
        refunds=(RefundPart("r1", (SkuUnits(1, 1),), 1_999),),
        park_reason=ParkReason.REFUND_FAILED,
        paused=True,
        odd_fen=1,
    ),
    FinishedOrder(
        order_no=NO,
        outcome=OrderStatus.COMPLETED,
        version=63,
        shop_id=100_000,
        user_id=10_000_000_000,
        currency="CNY",
        total_fen=100_000_000,
        paid_attempt=20,
        fingerprint=bytes(8),
        due_ms=START_MS,
    ),
    SurplusRefund(f"{NO}-1", NO, 7, 0, 3_998, "CNY", 2, 1, True, 0, TRACE),
]


@pytest.mark.parametrize("record", STATES, ids=lambda record: type(record).__name__)
def test_state_survives_its_way_through_the_changelog(record: Record) -> None:
    codec = local_codec((type(record),))
    back = codec.decode(codec.encode(record))
    assert back == record
    for name in record.__struct_fields__:
        assert type(getattr(back, name)) is type(getattr(record, name)), name


@pytest.mark.parametrize(("lines", "at_most"), [(0, 64), (1, 76), (2, 88)])
def test_the_memory_of_a_large_finished_order_is_64_bytes_and_12_a_line_that_may_come_back(
    lines: int, at_most: int
) -> None:
    line = PricedLine(10_000_000, 100, 100_000_000, 0, 100_000_000)
    finished = replace(STATES[1], sold=packed((line,) * lines) if lines else b"")
    codec = local_codec((FinishedOrder,))
    prefix = 5  # the wire format's own
    assert len(codec.encode(finished)) - prefix <= at_most
