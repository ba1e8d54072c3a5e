"""A bounded spool on disk for records that Kafka cannot take now.

A record is on disk, synced, before ``append`` returns; those who append at the same time share one
sync. ``api/segments.py`` says how the files look and why a crash at any point loses nothing that
was promised. ``api/sender.py`` decides when a record goes here, and replays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeAlias, TypeVar

import msgspec

from api.segments import FRAME_BYTES, Segment, SegmentFolder

P = ParamSpec("P")
T = TypeVar("T")

_Batch: TypeAlias = list[tuple[list[bytes], asyncio.Future[None]]]

MAX_BYTES = 256 * 1024 * 1024
"""Of one process: 1,000 orders/s of 0.5 KiB for more than eight minutes."""
SEGMENT_BYTES = 4 * 1024 * 1024  # what is sent again after a crash midway: 8,000 records


class Outgoing(NamedTuple):
    """A record on its way to Kafka; the key decides the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class SpoolFull(Exception):
    """The spool takes no more: its bound is reached, or the disk refuses. Nothing was promised."""


class Spool:
    """The spool of one process, on one event loop; its files are touched by one thread.

    ``size`` (bytes) and ``records`` say what it holds, as of the last append or removal.
    """

    def __init__(
        self, root: Path, max_bytes: int = MAX_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """Take a folder below ``root``, with what a process that is gone left there. Blocks."""
        self.max_bytes = max_bytes
        self._folder = SegmentFolder.take(root, segment_bytes)
        self._files = ThreadPoolExecutor(1, "spool")
        self._waiting: _Batch = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._count()

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Keep ``records``, next to each other and in order; they are safe when it returns.

        Raises SpoolFull. Whoever stops waiting may find them kept all the same.
        """
        payloads = [_encode(record) for record in records]
        size = sum(map(len, payloads)) + FRAME_BYTES * len(payloads)
        if self.size + self._waiting_bytes + size > self.max_bytes:
            raise SpoolFull(f"the spool holds {self.size} of at most {self.max_bytes} bytes")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((payloads, done))
        self._waiting_bytes += size
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await done

    async def oldest(self) -> Segment | None:
        """Return the oldest closed segment; None when at most the one being written is left."""
        segments = self._folder.segments
        return await self._in_thread(lambda: segments[0] if segments else None)

    async def seal(self) -> None:
        """Close the segment being written, when what is being appended has been written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._in_thread(self._folder.seal)

    async def read(self, segment: Segment) -> list[Outgoing]:
        """Return the records of a closed segment, in order."""
        payloads = await self._in_thread(self._folder.read, segment)
        return [_decode(payload) for payload in payloads]

    async def remove(self, segment: Segment) -> None:
        """Forget a closed segment: all its records are acknowledged."""
        await self._in_thread(self._folder.remove, segment)

    async def adopt_orphans(self) -> int:
        """Take over what processes that are gone left; return how many records that is."""
        return await self._in_thread(self._folder.adopt_orphans)

    async def close(self) -> None:
        """Finish what is being written and give up the folder; what it holds stays."""
        await self.seal()
        await self._in_thread(self._folder.close)
        self._files.shutdown()

    async def _write(self) -> None:
        """Write what waits, as often as something does: one sync for all that came meanwhile."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: _Batch) -> None:
        payloads = [payload for group, _ in batch for payload in group]
        error: Exception | None = None
        try:
            await self._in_thread(self._folder.append, payloads)
        except OSError as refused:
            error = SpoolFull(f"the spool's disk refuses: {refused}")
        self._waiting_bytes -= sum(map(len, payloads)) + FRAME_BYTES * len(payloads)
        for _, done in batch:
            if done.done():  # nobody waits for it any more
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def counted() -> T:
            try:
                return call(*args, **kwargs)
            finally:
                self._count()

        return await asyncio.get_running_loop().run_in_executor(self._files, counted)

    def _count(self) -> None:
        self.size, self.records = self._folder.size, self._folder.records


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Outgoing).decode
