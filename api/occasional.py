"""A follower that runs while somebody needs it, and for a while after.

Operators are few, and the facts of stock are many: a process follows them only when it has to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from api.follower import Follower

_IDLE_S = 60.0
_START_LIMIT_S = 3.0


class Occasional:
    """Lends the follower that ``make`` returns."""

    def __init__(self, make: Callable[[], Follower]) -> None:
        self._make = make
        self._follower: Follower | None = None
        self._users = 0
        self._idle: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Follower]:
        """Give a follower that reads; without Kafka one that does not yet."""
        self._users += 1
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._follower is None:
            self._follower = self._make()
            self._follower.start()
        follower = self._follower
        try:
            await follower.until_reading(_START_LIMIT_S)
            yield follower
        finally:
            self._users -= 1
            if not self._users:
                self._idle = asyncio.create_task(self._stop_later())

    async def stop(self) -> None:
        """Stop following."""
        if self._idle is not None:
            self._idle.cancel()
        if self._follower is not None:
            follower, self._follower = self._follower, None
            await follower.stop()

    async def _stop_later(self) -> None:
        await asyncio.sleep(_IDLE_S)
        self._idle = None
        await self.stop()
