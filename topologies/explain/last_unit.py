"""Who got the last units of a sku: its partition decided one try after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from schemas import topics
from schemas.codec import Codec
from schemas.inventory import ReleaseCause, StockDeducted, StockHeld, StockRefused, StockReleased
from schemas.record import Record
from streams.orders.state import TRANSITIONS, OrderStatus
from topologies.explain.history import Event, Log, keyed

_EARLIER_MS = 60 * 60 * 1000
"""1 h: how long before its try an order may have been placed; a late payment holds goods anew."""


class Fate(StrEnum):
    """What became of the units that a try asked for."""

    REFUSED = "REFUSED"
    HELD = "HELD"  # still
    SOLD = "SOLD"
    GIVEN_BACK = "GIVEN_BACK"  # the order gave them back
    RAN_OUT = "RAN_OUT"  # the hold ran out


class Outcome(NamedTuple):
    """Where an order stands, and since when."""

    status: OrderStatus
    since_ms: int


class Try(NamedTuple):
    """One order's try: ``available`` units were to be had before it.

    ``reason`` is why it was refused. ``fate_ms`` is when its fate was decided.
    """

    at_ms: int
    order_no: str
    requested: int
    available: int
    fate: Fate
    fate_ms: int
    reason: str
    order: Outcome | None


class Contest(NamedTuple):
    """The tries for the last units of a sku, in the order in which they were decided.

    ``left`` is what is to be had now, after everything that was read.
    """

    sku_id: int
    last: int
    left: int
    tries: tuple[Try, ...]

    @property
    def winners(self) -> int:
        """Return how many tries were granted, whatever became of them."""
        return sum(1 for one in self.tries if one.fate is not Fate.REFUSED)

    @property
    def losers(self) -> int:
        """Return how many tries were refused."""
        return len(self.tries) - self.winners


def read_contest(log: Log, codec: Codec, sku_id: int, last: int) -> Contest | None:
    """Return who tried for any of the last ``last`` units; None: nothing is known of the sku.

    Reads the sku's partition for the decisions, and for what became of them the partitions of the
    orders that took part, from an hour before the first of their tries on.
    """
    stock = keyed(log, codec, (topics.INVENTORY_EVENTS,), (str(sku_id),))
    if not stock:
        return None
    contest = decided(sku_id, stock, last)
    numbers = dict.fromkeys(one.order_no for one in contest.tries)
    since_ms = max(0, contest.tries[0].at_ms - _EARLIER_MS) if contest.tries else 0
    facts = keyed(log, codec, (topics.ORDER_EVENTS,), tuple(numbers), since_ms)
    ends = outcomes(facts)
    tries = tuple(one._replace(order=ends.get(one.order_no)) for one in contest.tries)
    return contest._replace(tries=tries)


def decided(sku_id: int, facts: Iterable[Event], last: int) -> Contest:
    """Return the tries among a sku's facts, in their order, that would have taken any of the last.

    A try is one when fewer than ``last`` units would be left after it.
    """
    shelves: dict[str, int] = {}  # what is to be had in each warehouse
    tries: dict[str, Try] = {}
    for event in facts:
        fact: Any = event.record
        at_ms = event.at_ms
        if isinstance(fact, StockRefused):
            tries[f"{event.place}"] = Try(
                at_ms,
                fact.order_no,
                fact.requested,
                fact.available,
                Fate.REFUSED,
                at_ms,
                fact.reason,
                None,
            )
            continue
        if not hasattr(fact, "delta_held"):
            continue
        known = tries.get(getattr(fact, "hold_id", ""))
        if isinstance(fact, StockHeld) and known is None:
            before = _before(shelves, fact)
            tries[fact.hold_id] = Try(
                at_ms, fact.order_no, fact.qty, before, Fate.HELD, at_ms, "", None
            )
        elif isinstance(fact, StockHeld) and known is not None:  # from another warehouse
            tries[fact.hold_id] = known._replace(requested=known.requested + fact.qty)
        elif known is not None:
            tries[fact.hold_id] = known._replace(fate=_fate(fact), fate_ms=at_ms)
        shelves[fact.warehouse_id] = fact.on_hand - fact.held
    reached = (one for one in tries.values() if one.available - one.requested < last)
    return Contest(sku_id, last, sum(shelves.values()), tuple(reached))


def outcomes(facts: Iterable[Event]) -> Mapping[str, Outcome]:
    """Return where each order of these facts stands."""
    found: dict[str, Outcome] = {}
    for event in facts:
        fact: Record | None = event.record
        order_no = getattr(fact, "order_no", "")
        known = found.get(order_no)
        after = TRANSITIONS.get((known.status if known is not None else None, type(fact)))  # type: ignore[arg-type]  # what cannot be read is in no transition
        if after is not None:
            found[order_no] = Outcome(after, event.at_ms)
    return found


def _before(shelves: Mapping[str, int], fact: StockHeld) -> int:
    elsewhere = sum(units for name, units in shelves.items() if name != fact.warehouse_id)
    here = fact.on_hand - fact.delta_on_hand - (fact.held - fact.delta_held)
    return elsewhere + here


def _fate(end: Record) -> Fate:
    if isinstance(end, StockDeducted):
        return Fate.SOLD
    is_over = isinstance(end, StockReleased) and end.cause == ReleaseCause.EXPIRED
    return Fate.RAN_OUT if is_over else Fate.GIVEN_BACK
