"""What the facts and the read model say of the orders that clients believe to have.

It reads as an outsider does: whole topics, and the rows in Redis.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis.asyncio import Redis

from deploy.stack import Endpoints
from schemas import topics
from schemas.read_model import STATUS_AFTER, order_key, status_after
from schemas.record import Record
from schemas.registry import connected_codec
from tests.chaos.buyers import Buyer, Purchase, Step
from tests.kafka import distinct, read

AT_REST = frozenset({"FULFILLING", "EXPIRED", "REFUNDED"})
"""Paid and to be shipped, never paid, and paid too late: nothing else is done here."""

_FACTS = (topics.ORDER_EVENTS, topics.INVENTORY_EVENTS, topics.PAYMENT_EVENTS)
_ROWS = 1_000  # read at once


@dataclass
class Told:
    """What the facts say of one order; ``traces``: its facts by trace, of field and header."""

    placements: int = 0
    version: int = 0
    status: str | None = None
    traces: Counter[tuple[str, str]] = field(default_factory=Counter)


def read_orders(endpoints: Endpoints) -> dict[str, Told]:
    """Return what the facts of orders, stock and payments say of each order."""
    decode = connected_codec(endpoints.registry).decode
    told: dict[str, Told] = defaultdict(Told)
    for topic in _FACTS:
        for message in distinct(read(endpoints.kafka, topic.name)):
            fact: Any = decode(cast(bytes, message.value()))
            order_no = getattr(fact, "order_no", "")
            if order_no:
                parent = cast(bytes, dict(message.headers() or ()).get("traceparent", b""))
                told[order_no].traces[fact.trace_id, _trace_of(parent)] += 1
            if topic is topics.ORDER_EVENTS:
                _take(told[order_no], fact)
    return dict(told)


def _take(told: Told, fact: Any) -> None:
    kind: type[Record] = type(fact)
    told.placements += kind.__name__ == "OrderPlaced"
    if kind in STATUS_AFTER:
        told.version, told.status = fact.version, status_after(told.status, fact)


def _trace_of(parent: bytes) -> str:
    return parent.decode().split("-")[1] if parent else ""


async def read_rows(redis_url: str, order_nos: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return (version, trace id) of the rows that Redis has."""
    redis = Redis.from_url(redis_url)
    rows = {}
    try:
        for start in range(0, len(order_nos), _ROWS):
            some = order_nos[start : start + _ROWS]
            for order_no, row in zip(some, await redis.mget(map(order_key, some)), strict=True):
                if row is not None:
                    view = json.loads(row)
                    rows[order_no] = view["version"], view["trace_id"]
    finally:
        await redis.aclose()
    return rows


async def until_rows(redis_url: str, told: dict[str, Told], limit_s: float) -> None:
    """Wait until the read model's writer has come as far as the facts; no longer than this."""
    with_limit = asyncio.timeout(limit_s)
    try:
        async with with_limit:
            while _versions(await read_rows(redis_url, list(told))) != {
                order_no: one.version for order_no, one in told.items()
            }:
                await asyncio.sleep(0.5)
    except TimeoutError:
        return  # what is missing is judged below


def _versions(rows: dict[str, tuple[int, str]]) -> dict[str, int]:
    return {order_no: version for order_no, (version, _) in rows.items()}


@dataclass
class Findings:
    """What is wrong, by the promise that is broken; each names a few of the orders."""

    by_promise: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def check(self, promise: str, order_no: str, holds: bool, found: object = "") -> None:
        """Note that a promise does not hold for an order."""
        if not holds:
            self.by_promise[promise].append(f"{order_no} {found}".strip())

    def shown(self, limit: int = 5) -> dict[str, list[str]]:
        """Return the first of each, and how many there are."""
        return {
            f"{promise}: {len(found)}": found[:limit] for promise, found in self.by_promise.items()
        }


def judge(
    buyers: Iterable[Buyer], told: dict[str, Told], rows: dict[str, tuple[int, str]]
) -> Findings:
    """Compare what clients were told with what happened."""
    findings = Findings()
    ours: Counter[str] = Counter()
    for buyer in buyers:
        for purchase in buyer.purchases:
            ours[purchase.order_no] += 1
            _judge_answers(findings, purchase)
            order = told.get(purchase.order_no, Told())
            _judge_order(findings, purchase, order, rows.get(purchase.order_no))
            _judge_socket(findings, purchase, order, buyer.watcher.seen.get(purchase.order_no, []))
    for order_no, count in ours.items():
        findings.check("one order per key", order_no, count == 1, count)
    for order_no in told.keys() - ours.keys():
        findings.check("no order that nobody asked for", order_no, False)
    return findings


def _judge_answers(findings: Findings, purchase: Purchase) -> None:
    who, first = purchase.order_no or purchase.key, purchase.placed[0]
    findings.check("an order is granted", who, first.status == 201, first)
    same = all(answer == first for answer in purchase.placed)
    findings.check("repeats get the same answer", who, same, purchase.placed)
    for answer in (*purchase.placed, *purchase.paid):
        trace_id = answer.body.get("trace_id")
        findings.check("the answer has the trace", who, trace_id == purchase.trace_id, answer)


def _judge_order(
    findings: Findings, purchase: Purchase, order: Told, row: tuple[int, str] | None
) -> None:
    who = purchase.order_no
    findings.check("an order is placed once", who, order.placements == 1, order)
    findings.check("an order comes to its end", who, order.status in AT_REST, order)
    trace = (purchase.trace_id, purchase.trace_id)
    findings.check("all facts have the trace", who, set(order.traces) == {trace}, order.traces)
    expected = (order.version, purchase.trace_id)
    findings.check("the row is as new, and has the trace", who, row == expected, row)


def _judge_socket(
    findings: Findings, purchase: Purchase, order: Told, seen: Sequence[Step]
) -> None:
    seqs = [step.seq for step in seen]
    is_whole = seqs == list(range(1, order.version + 1))
    findings.check("the socket saw 1..n once each", purchase.order_no, is_whole, (order, seqs))
    traces = {step.trace_id for step in seen}
    is_same = traces == {purchase.trace_id}
    findings.check("the messages have the trace", purchase.order_no, is_same, traces)
