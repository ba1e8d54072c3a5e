"""One-use tickets: a browser sends no header with a WebSocket, and no token belongs in a URL.

A client asks for a ticket with its token and opens the socket with it: it is good for half a minute
and for one socket. Tickets live in Redis, so any API process may be asked for one and
be shown it; only their hash is kept. With Redis away a process keeps the tickets it gave itself.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.auth import Principal

LIFE_S = 30
LOCAL_TICKETS = 10_000
"""Tickets kept while Redis is away, ~1 KB each: 10 MB. Then the oldest go."""

_TICKET_BYTES = 24  # 192 random bits


_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
_decode: Callable[[bytes | str], Principal] = msgspec.json.Decoder(Principal).decode


class Tickets:
    """Gives tickets and takes them, each once."""

    def __init__(
        self, redis: Redis | None, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._monotonic_s = monotonic_s
        self._local: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def issue(self, principal: Principal) -> str:
        """Return a new ticket of ``principal``: whoever shows it is taken for the principal."""
        ticket = secrets.token_urlsafe(_TICKET_BYTES)
        if self._redis is not None:
            try:
                await self._redis.set(_key(ticket), _encode(principal), ex=LIFE_S)
            except (RedisError, OSError):
                # Redis may have it all the same: a ticket in two places could be used twice.
                ticket = secrets.token_urlsafe(_TICKET_BYTES)
            else:
                return ticket
        self._local[_key(ticket)] = (self._monotonic_s() + LIFE_S, principal)
        if len(self._local) > LOCAL_TICKETS:
            self._local.popitem(last=False)
        return ticket

    async def redeem(self, ticket: str) -> Principal | None:
        """Return whose ticket it is and end it; None when it is none, over or used."""
        key = _key(ticket)
        local = self._local.pop(key, None)
        if local is not None:
            until_s, principal = local
            return principal if self._monotonic_s() < until_s else None
        if self._redis is None:
            return None
        try:
            found = await self._redis.getdel(key)
        except (RedisError, OSError):
            return None
        return None if found is None else _decode(found)

    async def close(self) -> None:
        """Let go of Redis."""
        if self._redis is not None:
            await self._redis.aclose()


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
