"""A few questions to the warehouse, and the auditor's own sums that must answer them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from sinks.warehouse.clickhouse import ClickHouseSink
from topologies.audit.auditor import Verdict

_PAUSE_S: Final = 0.2


class Question(NamedTuple):
    """``sql`` gives one row of one number; ``counter`` names the auditor's sum."""

    about: str
    sql: str
    counter: str


QUESTIONS: Final = (
    Question("orders", "SELECT count() FROM orders FINAL", "orders"),
    Question(
        "orders placed, by the live report",
        "SELECT sum(placed) FROM report_sales FINAL WHERE size_ms = 60000",
        "orders",
    ),
    Question(
        "paid fen",
        "SELECT sum(amount_fen) FROM payments FINAL WHERE status IN ('SUCCEEDED', 'SURPLUS')",
        "paid_fen",
    ),
    Question(
        "returned fen",
        "SELECT sum(amount_fen) FROM payments FINAL WHERE status = 'REFUNDED'",
        "returned_fen",
    ),
    Question(
        "units sold",
        "SELECT -sum(delta_on_hand) FROM stock_movements FINAL "
        "WHERE kind IN ('DEDUCTED', 'RETURNED', 'BACKORDER_SERVED')",
        "units_sold",
    ),
    Question("units held", "SELECT sum(held) FROM stock_levels FINAL", "units_held"),
)
_BY_STATUS: Final = "SELECT status, count() FROM orders FINAL GROUP BY status ORDER BY status"


class Answer(NamedTuple):
    """What the warehouse says, and what the auditor counted."""

    about: str
    sql: str
    found: int
    expected: int


def ask(url: str, verdict: Verdict, timeout_s: float) -> list[Answer]:
    """Return the warehouse's answers; wait up to ``timeout_s`` until all are the auditor's.

    Sinks and flows are a second behind the facts. Raises StoreAway.
    """
    warehouse = ClickHouseSink(url)
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            answers = _answers(warehouse, verdict)
            if all(one.found == one.expected for one in answers) or time.monotonic() > deadline:
                return answers
            time.sleep(_PAUSE_S)
    finally:
        warehouse.close()


def _answers(warehouse: ClickHouseSink, verdict: Verdict) -> list[Answer]:
    answers = [
        Answer(about, sql, int(warehouse.query(sql)[0][0]), verdict.counters[counter])
        for about, sql, counter in QUESTIONS
    ]
    found: dict[str, int] = dict(tuple(row) for row in warehouse.query(_BY_STATUS))
    expected = _by_status(verdict.orders)
    return answers + [
        Answer(f"orders {status}", _BY_STATUS, found.get(status, 0), expected.get(status, 0))
        for status in sorted({*found, *expected})
    ]


def _by_status(last_facts: Mapping[str, int]) -> dict[str, int]:
    """Return orders by status, of orders at rest by their last fact.

    OrderPartlyRefunded: PARTLY_REFUNDED; only a confirmed order, which waits to be shipped, is
    called otherwise.
    """
    return {_status(name): count for name, count in last_facts.items()}


def _status(last_fact: str) -> str:
    if last_fact == "OrderConfirmed":
        return "FULFILLING"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last_fact.removeprefix("Order")).upper()
