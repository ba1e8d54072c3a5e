"""How a fetch shows itself: a bar on a terminal, plain lines in a log."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress

from deploy.artifacts import Progress

_LINE_EVERY_S = 5.0
_MB = 1_000_000


class _Bar:
    """One bar over the bytes of all files."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def begin(self, files: int, total_bytes: int) -> None:
        self._task = self._bar.add_task(f"fetching {files} files", total=total_bytes)

    def advance(self, _filename: str, count: int) -> None:
        if self._task is not None:
            self._bar.advance(self._task, count)

    def finished(self, filename: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, description=filename)


class _Lines:
    """A line at the start, every few seconds, and at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._files = self._total = self._arrived = 0
        self._next_line = 0.0

    def begin(self, files: int, total_bytes: int) -> None:
        self._files, self._total = files, total_bytes
        self._next_line = time.monotonic() + _LINE_EVERY_S
        self._console.print(f"fetching {files} files, {total_bytes / _MB:.0f} MB")

    def advance(self, _filename: str, count: int) -> None:
        with self._lock:
            self._arrived += count
            if time.monotonic() < self._next_line:
                return
            self._next_line = time.monotonic() + _LINE_EVERY_S
            arrived = f"{self._arrived / _MB:.0f} of {self._total / _MB:.0f} MB"
        self._console.print(f"fetching: {arrived}")

    def finished(self, _filename: str) -> None:
        with self._lock:
            self._files -= 1
            last = self._files == 0
        if last:
            self._console.print(f"fetched and verified {self._total / _MB:.0f} MB")


@contextmanager
def shown_on(console: Console) -> Iterator[Progress]:
    """Give a `Progress` that shows itself on `console` as suits it."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=console) as bar:
        yield _Bar(bar)
