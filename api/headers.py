"""Headers that every response carries, whatever made it.

Answers hold personal data, so no cache keeps them; nothing guesses types, frames pages or sends
the address of an order along as a referrer. A response that says otherwise itself is left alone:
a page's files may be cached.
"""

from __future__ import annotations

from typing import Final

from litestar.config.cors import CORSConfig
from litestar.types import Message, Scope

RATES: Final = "rate_headers"
"""Where a scope's state keeps the RateLimit fields of its request, once they are known."""

_PAGE_POLICY = (
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'"
)
_DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
OF_DATA: Final = (*_ALWAYS, (b"content-security-policy", _DATA_POLICY))
"""What ``harden`` adds to a response that is no page and says nothing of this itself."""

_EXPOSED = ["RateLimit", "RateLimit-Policy", "Retry-After", "Location", "Traceparent"]


async def harden(message: Message, scope: Scope) -> None:
    """Complete a response's headers; a ``before_send`` hook of the application."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", ()))
    said = {name.lower(): value for name, value in headers}
    headers += [field for field in _ALWAYS if field[0] not in said]
    if b"content-security-policy" not in said:
        is_page = said.get(b"content-type", b"").startswith(b"text/html")
        headers.append((b"content-security-policy", _PAGE_POLICY if is_page else _DATA_POLICY))
    for name, value in scope["state"].get(RATES, {}).items():
        field = name.lower().encode()
        if field not in said:
            headers.append((field, value.encode()))
    message["headers"] = headers


def cors(origins: str) -> CORSConfig | None:
    """Return what lets pages of ``origins`` (by commas) use the API; None when there are none.

    Tokens travel in a header that a page sets itself, so cookies are never allowed along.
    """
    allowed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not allowed:
        return None
    return CORSConfig(allow_origins=allowed, expose_headers=_EXPOSED, allow_credentials=False)
