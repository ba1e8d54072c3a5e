"""Which offset of a partition may be committed while calls end in any order."""

from __future__ import annotations

from collections import deque

from streams.kernel.errors import StageDefect


class Frontier:
    """The records of one partition that are begun and not yet done.

    ``committable`` is the offset below which every begun record is done, None before the first one
    is. It only grows, and may be read from another thread.
    """

    def __init__(self) -> None:
        self.committable: int | None = None
        self._begun: deque[int] = deque()
        self._done: set[int] = set()
        self._last = -1

    def begin(self, offset: int) -> None:
        """Take up the record at ``offset``; raise StageDefect unless it is above all before.

        Offsets may leave gaps: a log has entries that are no records.
        """
        if offset <= self._last:
            raise StageDefect(f"offset {offset} came after {self._last}")
        self._last = offset
        self._begun.append(offset)

    def done(self, offset: int) -> None:
        """Count the begun record at ``offset`` as done for good."""
        begun, done = self._begun, self._done
        done.add(offset)
        first = None
        while begun and begun[0] in done:
            first = begun.popleft()
            done.remove(first)
        if first is not None:
            self.committable = begun[0] if begun else first + 1

    def __len__(self) -> int:
        return len(self._begun) - len(self._done)
