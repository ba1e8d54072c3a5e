"""The simulated gateway's protocol: a report as JSON, HMAC-SHA256 over ``<timestamp>.<body>``.

The simulator (``topologies/gateway.py``) signs with the same functions that verify here.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from api.gateways.port import Answer, Reason, Rejected
from schemas.payment import GatewayReport

NAME = "sim"
TIMESTAMP, SIGNATURE = "sim-timestamp", "sim-signature"
SKEW_MS = 5 * 60 * 1000  # as WeChat Pay
SECRET_BYTES = 32  # RFC 2104, section 3: at least as long as the hash

_report = msgspec.json.Decoder(GatewayReport)


class SimGateway:
    """Verifies the simulator's callbacks. ``secret`` is shared with it."""

    name = NAME
    headers = frozenset((TIMESTAMP, SIGNATURE))
    accepted = Answer(204)
    refused = Answer(401)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"a secret has at least {SECRET_BYTES} bytes")
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


def shared_secret(file: Path) -> bytes:
    """Return the secret in ``file``; the first who asks makes it, readable by this user only.

    Simulator and API may start at the same moment: the file appears with its content or not at all.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_bytes(SECRET_BYTES))
        try:
            os.link(made, file)
        except FileExistsError:
            pass  # the other one was first
        finally:
            made.unlink()
    return file.read_bytes()
