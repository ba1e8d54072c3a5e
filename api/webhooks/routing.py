"""From facts to what is owed: each fact, to the endpoints of its shop that want its type.

An endpoint is told nothing from before it was subscribed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from api.webhooks.endpoints import Endpoints
from api.webhooks.events import EVENT_TYPES, body_of
from api.webhooks.queue import DeliveryQueue, Owed
from schemas.record import Record
from schemas.webhook import WebhookState, WebhookSubscribed


class Placed(Protocol):
    """A fact and where it stands in the log; ``sinks.sink.Fact`` is one."""

    @property
    def record(self) -> Record:
        """The fact."""

    @property
    def topic(self) -> str:
        """Its topic."""

    @property
    def partition(self) -> int:
        """Its partition."""

    @property
    def offset(self) -> int:
        """Its offset."""

    @property
    def timestamp_ms(self) -> int:
        """The broker's time of it."""


class Router:
    """Owes facts to endpoints.

    ``incarnations`` gives each topic's (see ``streams.engine.cause``): of a topic that was made
    again the offsets begin at 0 again. ``wake`` is told which endpoints are owed something.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        queue: DeliveryQueue,
        incarnations: Mapping[str, bytes],
        wake: Callable[[str], None],
    ) -> None:
        self._endpoints = endpoints
        self._queue = queue
        self._incarnations = {topic: known.hex() for topic, known in incarnations.items()}
        self._wake = wake

    async def take(self, facts: Sequence[Placed], now_ms: int) -> None:
        """Owe ``facts``, a partition's in their order; return when that is safe.

        A fact that was taken before changes nothing. Raises ``redis.RedisError`` while Redis is
        away: then all of them have to be given again.
        """
        owed: defaultdict[tuple[str, str], list[Owed]] = defaultdict(list)
        for fact in facts:
            record: Any = fact.record
            endpoints = self._endpoints.of_shop(record.shop_id)
            wanting = [
                endpoint
                for endpoint in endpoints
                if endpoint.created_at_ms <= fact.timestamp_ms and wants(endpoint, type(record))
            ]
            if not wanting:
                continue
            event = event_of(record, fact.timestamp_ms, fact.offset)
            partition = f"{self._incarnations[fact.topic]}/{fact.partition}"
            for endpoint in wanting:
                owed[endpoint.endpoint_id, partition].append(event)
        for (endpoint_id, partition), events in owed.items():
            await self._queue.owe(endpoint_id, partition, events, now_ms)
            self._wake(endpoint_id)


def wants(endpoint: WebhookSubscribed, kind: type[Record]) -> bool:
    """Tell whether an endpoint is told facts of ``kind``."""
    told = EVENT_TYPES.get(kind)
    if told is None or endpoint.state != WebhookState.ENABLED:
        return False
    return not endpoint.event_types or told in endpoint.event_types


def event_of(fact: Any, timestamp_ms: int, offset: int = 0) -> Owed:
    """Return what is owed to an endpoint that is told of a fact of an order."""
    body = body_of(fact, timestamp_ms)
    return Owed(offset, fact.order_no, fact.version, timestamp_ms, body)
