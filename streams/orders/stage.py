"""Builds the orders stage."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.record import Record
from schemas.topics import ORDER_COMMANDS, Topic
from streams.kernel.errors import InvalidMessage
from streams.kernel.stage import Output, Stage, State, View
from streams.orders.decide import DECIDE, wake
from streams.orders.evolve import EVOLVE
from streams.orders.limits import OrderLimits
from streams.orders.react import REACT
from streams.orders.state import FinishedOrder, Order, SurplusRefund


def orders_stage(limits: OrderLimits = OrderLimits()) -> Stage:  # noqa: B008  # immutable
    """Return the stage that leads every order through its life; see ``docs/orders.md``."""
    return _OrdersStage(limits)


class _OrdersStage:
    name = "orders"
    inbox: Topic = ORDER_COMMANDS
    entities: tuple[type[Record], ...] = (Order, FinishedOrder, SurplusRefund)

    def __init__(self, limits: OrderLimits) -> None:
        self._limits = limits

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        judge = DECIDE.get(type(message))
        if judge is None:
            raise InvalidMessage(
                "UNKNOWN_MESSAGE", f"{type(message).__name__} is not for the orders stage"
            )
        return judge(self._limits, state, message, now_ms)

    def wake(self, state: View, record: Record, now_ms: int) -> Sequence[Record]:
        return wake(self._limits, state, record)

    def evolve(self, state: State, fact: Record, now_ms: int) -> None:
        EVOLVE[type(fact)](self._limits, state, fact, now_ms)

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        return REACT[type(fact)](self._limits, state, fact)
