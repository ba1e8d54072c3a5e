"""The simulated gateway's protocol: a report as JSON, HMAC-SHA256 over ``<timestamp>.<body>``.

The simulator (``topologies/gateway.py``) signs with the same functions that verify here.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import msgspec

from api.gateways.port import Answer, Reason, Rejected
from api.key_files import KEY_BYTES
from schemas.payment import GatewayReport

NAME = "sim"
TIMESTAMP, SIGNATURE = "sim-timestamp", "sim-signature"
SKEW_MS = 5 * 60 * 1000  # as WeChat Pay

_report = msgspec.json.Decoder(GatewayReport)


class SimGateway:
    """Verifies the simulator's callbacks. ``secret`` is shared with it."""

    name = NAME
    headers = frozenset((TIMESTAMP, SIGNATURE))
    accepted = Answer(204)
    refused = Answer(401)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < KEY_BYTES:
            raise ValueError(f"a secret has at least {KEY_BYTES} bytes")
        self._secret = secret

    def verify(
        self, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> GatewayReport | Rejected:
        """Judge a callback; see the port."""
        timestamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 15):
            return Rejected(Reason.MALFORMED, f"{TIMESTAMP} is no epoch time in milliseconds")
        if abs(now_ms - int(timestamp)) >= SKEW_MS:
            return Rejected(Reason.STALE, f"{now_ms - int(timestamp)} ms old")
        expected = signature_of(self._secret, timestamp, body)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            return Rejected(Reason.BAD_SIGNATURE, SIGNATURE)
        try:
            report = _report.decode(body)
        except msgspec.MsgspecError as error:
            return Rejected(Reason.MALFORMED, str(error))
        if report.gateway != NAME:
            return Rejected(Reason.NOT_OURS, "it speaks for another gateway")
        return report


def signed_headers(secret: bytes, now_ms: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove ``body``, sent at ``now_ms`` (epoch ms)."""
    timestamp = str(now_ms)
    return {TIMESTAMP: timestamp, SIGNATURE: signature_of(secret, timestamp, body)}


def signature_of(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256 of ``<timestamp>.<body>`` in lower-case hex."""
    return hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()
