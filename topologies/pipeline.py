"""The pipeline: which stages and relays there are, and all their topics and records."""

from __future__ import annotations

from schemas import topics
from schemas.record import Record
from schemas.registry import public_records
from schemas.stream import Progress
from schemas.topics import Kind, Topic
from streams.admission import admit
from streams.inventory.stage import inventory_stage
from streams.kernel.relay import Relay
from streams.kernel.stage import Output, Stage
from streams.orders import OrderLimits, orders_stage
from streams.payments.stage import payments_stage
from streams.pricing import Packs, PriceList
from streams.promotions.stage import promotions_stage
from topologies import flows


class Admission:
    """Admits intents from one public topic; what it needs to judge are price list and packs."""

    def __init__(self, source: Topic, prices: PriceList, packs: Packs | None = None) -> None:
        self.name = f"admission-{source.name.partition('.')[0]}"
        self.source = source
        self._prices = prices
        self._packs = packs

    def forward(self, message: Record, now_ms: int) -> Output:
        """Return the admitted command; raise InvalidMessage with every reason against it."""
        return admit(message, self._prices, now_ms, self._packs)


def stages(limits: OrderLimits) -> tuple[Stage, ...]:
    """Return the stateful stages of the core chain."""
    return (orders_stage(limits), inventory_stage(), payments_stage(), promotions_stage())


def relays(prices: PriceList, packs: Packs | None = None) -> tuple[Relay, ...]:
    """Return the public ways in."""
    return (
        Admission(topics.ORDER_INTENTS, prices, packs),
        Admission(topics.INVENTORY_INTENTS, prices),
        Admission(topics.PAYMENT_INTENTS, prices),
        Admission(topics.PROMOTION_INTENTS, prices),
    )


def all_topics() -> tuple[Topic, ...]:
    """Return every topic of the pipeline, dead letters and changelogs included."""
    # Facts have dead letters where an effect worker reads them: the gateway's, and the delivery's.
    sources = [t for t in topics.PUBLIC if t.kind in (Kind.INTENTS, Kind.COMMANDS)]
    sources += (topics.PAYMENT_EVENTS, topics.ALERT_EVENTS)
    changelogs = [topics.changelog(stage.name, stage.entities) for stage in stages(OrderLimits())]
    return (
        *topics.PUBLIC,
        *map(topics.dead_letters, sources),
        *changelogs,
        *flows.changelogs(),
    )


def all_records() -> tuple[type[Record], ...]:
    """Return every record type: the public ones, then state and progress."""
    states = [kind for stage in stages(OrderLimits()) for kind in stage.entities]
    return tuple(dict.fromkeys((*public_records(), *states, *flows.state_records(), Progress)))
