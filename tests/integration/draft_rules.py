"""Draft rules for a shadow run: created orders may be paid for one second longer than they say."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.order import OrderCreated
from schemas.record import Record
from streams.kernel.stage import Output, Stage, View
from streams.orders import OrderLimits, orders_stage
from topologies.settings import PipelineSettings


def orders() -> Stage:
    """Return the orders stage with the draft rule."""
    return _Generous(orders_stage(OrderLimits(PipelineSettings().payment_window_ms)))


class _Generous:
    def __init__(self, stage: Stage) -> None:
        self.name, self.inbox, self.entities = stage.name, stage.inbox, stage.entities
        self.decide, self.wake, self.evolve = stage.decide, stage.wake, stage.evolve
        self._react = stage.react

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        """Announce a later end than the one that is kept."""
        if isinstance(fact, OrderCreated):
            fact = replace(fact, expires_at_ms=fact.expires_at_ms + 1_000)
        return self._react(state, fact)
