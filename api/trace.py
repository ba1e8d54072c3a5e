"""Reads what a request brings in its headers: the trace that it belongs to, and its names.

Headers are looked up in the raw list of the ASGI scope: a map of all of them would cost more than
the few look-ups of a request. Source of ``traceparent``: W3C Trace Context, section 3.2.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}.*"
)

Headers = Iterable[tuple[bytes, bytes]]
"""Of an ASGI scope: lower-case names."""


def header(headers: Headers, name: bytes) -> str | None:
    """Return a header's value, the first if there are several; None without one."""
    for known, value in headers:
        if known == name:
            return value.decode("latin-1")
    return None


def trace_of(headers: Headers) -> str:
    """Return the trace id (32 hex digits) of ``traceparent``; "" without a sound one."""
    for name, value in headers:
        if name == b"traceparent":
            found = _TRACEPARENT.fullmatch(value)
            return found[1].decode() if found else ""
    return ""


def new_trace() -> str:
    """Return a trace id for a request that came without one and made no fact."""
    return secrets.token_hex(16)
