"""Where every order stands, from the public facts alone: which are stuck, and which are parked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from schemas.codec import Codec
from schemas.errors import InvalidMessage
from schemas.order import OperatorAction, OrderOperated, OrderParked
from schemas.record import Record
from schemas.topics import ORDER_EVENTS
from streams.orders.state import FINISHED, TRANSITIONS, OrderStatus
from topologies import reading

STUCK_AFTER_MS = 5 * 60 * 1000
"""5 min: longer than any step lasts that the system drives, all its retries together (270 s)."""

DRIVEN = frozenset(
    {OrderStatus.RESERVING, OrderStatus.PAID, OrderStatus.CANCELLING, OrderStatus.REFUNDING}
)
"""Steps that wait for another stage or the gateway, and for no person."""


class Standing(NamedTuple):
    """Where an order stands. ``since_ms``: since when it has had reason to move on (epoch ms).

    That is when it came to its step, or, of an order that waits to be paid, when it should have
    expired. ``reason`` is why it was parked and ``step`` the step it was parked in, else its own.
    ``paused_by`` is the operator who stopped its timers ("": nobody).
    """

    order_no: str
    shop_id: int
    user_id: int
    status: OrderStatus
    step: str
    reason: str
    since_ms: int
    paused_by: str
    trace_id: str


class Standings:
    """Folds order facts; finished orders are known by their status only."""

    def __init__(self) -> None:
        self._status: dict[str, OrderStatus] = {}
        self._version: dict[str, int] = {}
        self._live: dict[str, Standing] = {}

    def take(self, fact: Any, at_ms: int) -> None:
        """Take in one fact of order.events, of each order in order; a repeat has no effect."""
        order_no, version = fact.order_no, fact.version
        if version <= self._version.get(order_no, 0):
            return
        status = TRANSITIONS.get((self._status.get(order_no), type(fact)))
        if status is None:
            return
        self._status[order_no], self._version[order_no] = status, version
        if status in FINISHED:
            self._live.pop(order_no, None)
            return
        known = self._live.get(order_no)
        paused_by = _paused_by(fact, known)
        if known is not None and known.status is status and not isinstance(fact, OrderParked):
            # Another payment attempt, or another hand on it, is no progress.
            until_ms = getattr(fact, "expires_at_ms", known.since_ms)
            self._live[order_no] = known._replace(since_ms=until_ms, paused_by=paused_by)
            return
        is_parked = isinstance(fact, OrderParked)
        self._live[order_no] = Standing(
            order_no,
            fact.shop_id,
            fact.user_id,
            status,
            fact.step if is_parked else status,
            fact.reason if is_parked else "",
            getattr(fact, "expires_at_ms", at_ms),
            paused_by,
            fact.trace_id,
        )

    def parked(self) -> Iterator[Standing]:
        """Yield the orders that need a person, in no particular order."""
        return (one for one in self._live.values() if one.status is OrderStatus.PARKED)

    def stuck(self, now_ms: int, older_than_ms: int, step: str | None = None) -> Iterator[Standing]:
        """Yield the orders that should have moved on ``older_than_ms`` ago, in no particular order.

        Without ``step``: those in a step that the system drives, and unpaid ones that should have
        expired. With it: those in that step, also when they wait for a person.
        """
        for one in self._live.values():
            is_asked = one.step == step if step else one.status in _MOVES_BY_ITSELF
            if (
                one.status is not OrderStatus.PARKED
                and is_asked
                and now_ms - one.since_ms >= older_than_ms
            ):
                yield one


def _paused_by(fact: Record, known: Standing | None) -> str:
    if isinstance(fact, OrderOperated):
        if fact.action == OperatorAction.PAUSE:
            return fact.operator
        if fact.action == OperatorAction.RESUME:
            return ""
    return known.paused_by if known is not None else ""


_MOVES_BY_ITSELF = DRIVEN | {OrderStatus.CREATED}


def read_standings(kafka: str, codec: Codec) -> Standings:
    """Return where every order stands; raises what `reading` does."""
    standings = Standings()
    for fact, at_ms in _facts(kafka, codec):
        standings.take(fact, at_ms)
    return standings


def _facts(kafka: str, codec: Codec) -> Iterable[tuple[Record, int]]:
    for message in reading.read(kafka, [ORDER_EVENTS.name]):
        try:
            yield codec.decode(message.value()), message.timestamp()[1]
        except InvalidMessage:  # of a version that is not known here
            continue
