"""Commands to Redis in batches, over one connection.

One batch is under way at a time, and what is asked meanwhile goes with the next one: the busier the
process, the less a command costs. A client with a pool costs each command a connection, a time
limit and a wake-up of its own (docs/adr/0006-front-door.md).
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError


class _Asked(NamedTuple):
    command: tuple[bytes | int | str, ...]
    answer: asyncio.Future[Any]


class Batches:
    """Asks the server at ``url``; a batch takes no longer than ``limit_s``, or it has failed."""

    def __init__(self, url: str, limit_s: float) -> None:
        self._limit_s = limit_s
        pool: Any = aioredis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0))
        self._connection: Any = pool.make_connection()  # the library does not type it
        self._waiting: list[_Asked] = []
        self._work: asyncio.Task[None] | None = None

    async def ask(self, *command: bytes | int | str) -> Any:
        """Return what Redis answers; raise RedisError, OSError or TimeoutError when it does not.

        That takes twice ``limit_s`` at most: for the batch under way, and for its own.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(command, answer))
        if self._work is None:
            self._work = asyncio.create_task(self._run())
        return await answer

    async def close(self) -> None:
        """Let go of the connection."""
        if self._work is not None:
            await self._work
        await self._connection.disconnect()

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._settle(batch)
        finally:
            self._work = None

    async def _settle(self, batch: list[_Asked]) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                answers = await self._sent(batch)
        except Exception as error:  # noqa: BLE001  # whatever it is, all who asked are told
            answers = [error] * len(batch)
            # Answers may be on their way that nobody could tell apart from later ones.
            await self._connection.disconnect(nowait=True)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # who asked is gone
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _sent(self, batch: list[_Asked]) -> list[Any]:
        connection = self._connection
        await connection.connect()
        packed = connection.pack_commands([one.command for one in batch])
        await connection.send_packed_command(packed, check_health=False)
        return [await self._answer() for _ in batch]

    async def _answer(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as error:  # of this command alone
            return error
