"""What shops send and are shown of their webhooks, as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from api.webhooks.guard import MAX_URL_CHARS
from schemas.webhook import WebhookState


class NewEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shop asks for. Without ``event_types`` the endpoint is told everything."""

    url: Annotated[str, Meta(max_length=MAX_URL_CHARS)]
    event_types: Annotated[tuple[str, ...], Meta(max_length=50)] = ()


class EndpointView(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint as its shop sees it. ``secret`` is shown when it is made, and never again."""

    id: str
    url: str
    event_types: tuple[str, ...]
    state: WebhookState
    created_at: str
    secret: str = ""


class EndpointList(msgspec.Struct, frozen=True):
    """A shop's endpoints, the oldest first."""

    endpoints: tuple[EndpointView, ...]


class DeliveryView(msgspec.Struct, frozen=True):
    """A try to deliver an event. ``n`` counts the endpoint's tries."""

    n: int
    event: str
    order_no: str
    version: int
    attempt: int
    outcome: str
    status: int | None
    duration_ms: int
    at: str
    error: str


class DeliveryList(msgspec.Struct, frozen=True):
    """Tries to deliver, the newest first; ``before`` of the next page, None after the last."""

    deliveries: tuple[DeliveryView, ...]
    before: int | None
    orders_owed: int
    """Orders of which something is still to be delivered."""


class Resent(msgspec.Struct, frozen=True):
    """How many events are due again."""

    events: int
