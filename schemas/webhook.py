"""Messages of the webhooks: who is told of a shop's order facts. Key: ``endpoint_id``.

No secret is in them: an endpoint's secret follows from a key that only this system has, the
endpoint's number and ``secret_no``.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.record import Record


class WebhookState(StrEnum):
    """Whether an endpoint is told anything."""

    ENABLED = "ENABLED"
    GONE = "GONE"  # it answered 410: it wants to hear no more


class WebhookSubscribed(Record, frozen=True):
    """An endpoint as it is from now on: ``url`` is told the facts of ``event_types``.

    Without ``event_types`` it is told all. Until ``previous_until_ms`` (epoch ms) messages are
    signed with the secret before ``secret_no`` as well.
    """

    endpoint_id: str
    shop_id: int
    url: str
    event_types: tuple[str, ...]
    secret_no: int
    previous_until_ms: int
    state: WebhookState
    created_at_ms: int


class WebhookUnsubscribed(Record, frozen=True):
    """The endpoint is no more."""

    endpoint_id: str
    shop_id: int
