"""Signatures of Standard Webhooks, and the secrets they are made with.

A secret is derived, not stored: HMAC-SHA256 of the endpoint's number and ``secret_no`` under a key
that only this system has (a KDF in the sense of NIST SP 800-108). So neither a log nor a backup of
Kafka or Redis holds one, and a lost one cannot be looked up, only changed.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from schemas.webhook import WebhookSubscribed

OVERLAP_MS: Final = 24 * 3600 * 1000
"""How long the secret before the newest is used as well: a day to change it at the receiver."""


def secret_of(master_key: bytes, endpoint_id: str, secret_no: int) -> str:
    """Return ``whsec_...``: 32 bytes in base 64."""
    name = f"orderstream webhook secret/{endpoint_id}/{secret_no}"
    secret = hmac.digest(master_key, name.encode(), "sha256")
    return f"whsec_{base64.b64encode(secret).decode()}"


def signed_headers(
    master_key: bytes, endpoint: WebhookSubscribed, message_id: str, body: bytes, now_ms: int
) -> dict[str, str]:
    """Return the headers of a message that is sent now, signed with every secret that is valid."""
    numbers = [endpoint.secret_no]
    if now_ms < endpoint.previous_until_ms:
        numbers.append(endpoint.secret_no - 1)
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    text = body.decode()
    signatures = (
        Webhook(secret_of(master_key, endpoint.endpoint_id, number)).sign(message_id, now, text)
        for number in numbers
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
    }
