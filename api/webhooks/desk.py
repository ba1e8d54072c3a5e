"""What a shop does with its webhooks: endpoints, their deliveries, and telling again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from api.problems import Code, FieldError, Refused
from api.sender import Outcome
from api.spool import Outgoing
from api.webhooks.bodies import (
    DeliveryList,
    DeliveryView,
    EndpointList,
    EndpointView,
    NewEndpoint,
    Resent,
)
from api.webhooks.endpoints import MAX_PER_SHOP, Endpoints
from api.webhooks.events import EVENT_TYPES, message_id
from api.webhooks.guard import url_problem
from api.webhooks.queue import Delivery, DeliveryQueue, Owed
from api.webhooks.routing import event_of, wants
from api.webhooks.signing import OVERLAP_MS, secret_of
from schemas.codec import Codec
from schemas.read_model import CHANGES, rfc3339
from schemas.record import Record
from schemas.topics import WEBHOOK_ENDPOINTS
from schemas.webhook import WebhookState, WebhookSubscribed, WebhookUnsubscribed

_ID_BYTES = 12  # 96 bits: nobody guesses one
_TYPES = frozenset(EVENT_TYPES.values())
_PAGE = 50

Facts = Callable[[str], Awaitable[Sequence[tuple[Record, int]]]]
"""All facts of an order in their order, each with the broker's time (epoch ms)."""


class Webhooks:
    """What the routes do, for one shop at a time. ``now_ms`` is the clock (epoch ms)."""

    def __init__(
        self,
        endpoints: Endpoints,
        queue: DeliveryQueue,
        codec: Codec,
        send: Callable[[Sequence[Outgoing]], Awaitable[Outcome]],
        facts: Facts,
        master_key: bytes,
        now_ms: Callable[[], int],
        *,
        allows_local: bool = False,
    ) -> None:
        self._endpoints = endpoints
        self._queue = queue
        self._codec = codec
        self._send = send
        self._facts = facts
        self._master_key = master_key
        self._now_ms = now_ms
        self._allows_local = allows_local

    async def close(self) -> None:
        """Let go of the endpoints and of Redis."""
        await asyncio.to_thread(self._endpoints.stop)
        await self._queue.close()

    async def subscribe(self, shop_id: int, wanted: NewEndpoint) -> EndpointView:
        """Make an endpoint; it is told what happens from now on."""
        self._check(wanted)
        if len(self._endpoints.of_shop(shop_id)) >= MAX_PER_SHOP:
            raise Refused("TOO_MANY_WEBHOOKS", f"a shop has at most {MAX_PER_SHOP}; remove one")
        endpoint = WebhookSubscribed(
            endpoint_id=f"ep_{secrets.token_urlsafe(_ID_BYTES)}",
            shop_id=shop_id,
            url=wanted.url,
            event_types=wanted.event_types,
            secret_no=1,
            previous_until_ms=0,
            state=WebhookState.ENABLED,
            created_at_ms=self._now_ms(),
        )
        return await self._saved(endpoint)

    async def change_secret(self, shop_id: int, endpoint_id: str) -> EndpointView:
        """Give an endpoint a new secret; for a day both sign."""
        known = self._known(shop_id, endpoint_id)
        until_ms = self._now_ms() + OVERLAP_MS
        changed = replace(known, secret_no=known.secret_no + 1, previous_until_ms=until_ms)
        return await self._saved(changed)

    async def unsubscribe(self, shop_id: int, endpoint_id: str) -> None:
        """Remove an endpoint and what it is owed."""
        known = self._known(shop_id, endpoint_id)
        await self._save(WebhookUnsubscribed(known.endpoint_id, shop_id))
        await self._queue.forget(endpoint_id)

    def of_shop(self, shop_id: int) -> EndpointList:
        """Return a shop's endpoints."""
        return EndpointList(tuple(_view(e) for e in self._endpoints.of_shop(shop_id)))

    async def deliveries(self, shop_id: int, endpoint_id: str, before: int | None) -> DeliveryList:
        """Return a page of an endpoint's deliveries."""
        self._known(shop_id, endpoint_id)
        found = await self._queue.log(endpoint_id, before, _PAGE)
        return DeliveryList(
            tuple(_delivery_view(n, entry) for n, entry in found),
            found[-1][0] if len(found) == _PAGE else None,
            await self._queue.owed_orders(endpoint_id),
        )

    async def resend(self, shop_id: int, endpoint_id: str, number: int) -> Resent:
        """Owe the event of a delivery again."""
        self._known(shop_id, endpoint_id)
        entry = await self._queue.delivery(endpoint_id, number)
        if entry is None:
            raise Refused(Code.NOT_FOUND, "the log has no such delivery (any more)")
        body = entry.body.encode()
        event = Owed(0, entry.order_no, entry.version, entry.occurred_at_ms, body)
        await self._queue.owe_again(endpoint_id, (event,), self._now_ms())
        return Resent(1)

    async def resend_order(self, shop_id: int, order_no: str) -> Resent:
        """Owe every event of an order again; ``shop_id`` 0 is the operator of all shops."""
        facts = [
            (fact, at_ms) for fact, at_ms in await self._facts(order_no) if type(fact) in CHANGES
        ]
        owner = _shop_of(facts)
        if owner is None or shop_id not in (0, owner):
            raise Refused("UNKNOWN_ORDER", "there is no such order")
        count = 0
        for endpoint in self._endpoints.of_shop(owner):
            events = [event_of(f, at_ms) for f, at_ms in facts if wants(endpoint, type(f))]
            if events:
                await self._queue.owe_again(endpoint.endpoint_id, events, self._now_ms())
            count += len(events)
        return Resent(count)

    def _check(self, wanted: NewEndpoint) -> None:
        errors = []
        if problem := url_problem(wanted.url, self._allows_local):
            errors.append(FieldError("url", "BAD_URL", problem))
        for index, name in enumerate(wanted.event_types):
            if name not in _TYPES:
                known = ", ".join(sorted(_TYPES))
                field = f"event_types[{index}]"
                errors.append(FieldError(field, "UNKNOWN_EVENT_TYPE", f"send one of {known}"))
        if errors:
            raise Refused(Code.INVALID_REQUEST, "the endpoint cannot be made so", errors=errors)

    def _known(self, shop_id: int, endpoint_id: str) -> WebhookSubscribed:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None or endpoint.shop_id != shop_id:
            raise Refused(Code.NOT_FOUND, "there is no such webhook")
        return endpoint

    async def _saved(self, endpoint: WebhookSubscribed) -> EndpointView:
        await self._save(endpoint)
        secret = secret_of(self._master_key, endpoint.endpoint_id, endpoint.secret_no)
        return _view(endpoint, secret)

    async def _save(self, record: WebhookSubscribed | WebhookUnsubscribed) -> None:
        key, value = record.endpoint_id.encode(), self._codec.encode(record)
        await self._send((Outgoing(WEBHOOK_ENDPOINTS.name, key, value),))
        self._endpoints.take(record)


def _view(endpoint: WebhookSubscribed, secret: str = "") -> EndpointView:
    return EndpointView(
        id=endpoint.endpoint_id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        state=endpoint.state,
        created_at=rfc3339(endpoint.created_at_ms),
        secret=secret,
    )


def _delivery_view(n: int, entry: Delivery) -> DeliveryView:
    return DeliveryView(
        n=n,
        event=message_id(entry.order_no, entry.version),
        order_no=entry.order_no,
        version=entry.version,
        attempt=entry.attempt,
        outcome=entry.outcome,
        status=entry.status,
        duration_ms=entry.duration_ms,
        at=rfc3339(entry.at_ms),
        error=entry.error,
    )


def _shop_of(facts: Sequence[tuple[Record, int]]) -> int | None:
    """Return whose order it is; None when nothing is known of it."""
    if not facts:
        return None
    first: Any = facts[0][0]
    shop_id: int = first.shop_id
    return shop_id
