"""The judge of the front door's chaos finds each broken promise, and nothing in a sound history."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.chaos.buyers import Answer, Buyer, Purchase, Step
from tests.chaos.verdict import Told, judge

ORDER, OTHER = "C8Q1ET4KW8P0J0HP", "C8Q1ET4KW8P0J0HQ"
TRACE, FOREIGN = "ab" * 16, "cd" * 16
PLACED = Answer(201, {"order_no": ORDER, "trace_id": TRACE})
TOLD = Told(placements=1, version=2, status="FULFILLING", traces=Counter({(TRACE, TRACE): 9}))
SEEN = (Step(1, TRACE), Step(2, TRACE))
ROW = (2, TRACE)


def found(
    placed: tuple[Answer, ...] = (PLACED, PLACED),
    told: dict[str, Told] | None = None,
    row: tuple[int, str] | None = ROW,
    seen: tuple[Step, ...] = SEEN,
    buyers: int = 1,
) -> set[str]:
    """Return the promises that are found broken."""
    purchase = Purchase(1, "k", TRACE, ORDER, placed=list(placed))
    watcher = SimpleNamespace(seen={ORDER: list(seen)})
    buyer = cast(Buyer, SimpleNamespace(purchases=[purchase], watcher=watcher))
    rows = {} if row is None else {ORDER: row}
    return set(judge([buyer] * buyers, {ORDER: TOLD} if told is None else told, rows).by_promise)


def test_a_sound_history_breaks_no_promise() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ({"placed": (Answer(409, PLACED.body),)}, "an order is granted"),
        ({"placed": (PLACED, Answer(201, {**PLACED.body, "x": 1}))}, "repeats get the same answer"),
        ({"placed": (Answer(201, {"trace_id": FOREIGN}),)}, "the answer has the trace"),
        ({"told": {}}, "an order is placed once"),
        ({"told": {ORDER: replace(TOLD, placements=2)}}, "an order is placed once"),
        ({"told": {ORDER: replace(TOLD, status="PAID")}}, "an order comes to its end"),
        (
            {"told": {ORDER: replace(TOLD, traces=TOLD.traces + Counter([(TRACE, FOREIGN)]))}},
            "all facts have the trace",
        ),
        ({"told": {ORDER: TOLD, OTHER: TOLD}}, "no order that nobody asked for"),
        ({"row": None}, "the row is as new, and has the trace"),
        ({"row": (1, TRACE)}, "the row is as new, and has the trace"),
        ({"seen": SEEN[1:]}, "the socket saw 1..n once each"),
        ({"seen": (*SEEN, SEEN[1])}, "the socket saw 1..n once each"),
        ({"seen": SEEN[:1]}, "the socket saw 1..n once each"),
        ({"seen": (SEEN[0], Step(2, FOREIGN))}, "the messages have the trace"),
        ({"buyers": 2}, "one order per key"),
    ],
)
def test_a_broken_promise_is_found(broken: dict[str, Any], promise: str) -> None:
    assert promise in found(**broken)
