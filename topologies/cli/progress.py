"""How a count shows itself: a bar on a terminal, a line every few seconds in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

_LINE_EVERY_S = 5.0
_DRAW_EVERY_S = 0.1

Counted = Callable[[int, int], None]
"""Told (done, total)."""


@contextmanager
def counting(console: Console, what: str) -> Iterator[Counted]:
    """Give a function to tell (done, total) of ``what``; cheap to call often."""
    if not console.is_terminal:
        yield _lines(console, what)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None)
        next_draw = 0.0

        def draw(done: int, total: int) -> None:
            nonlocal next_draw
            now = time.monotonic()
            if now >= next_draw or done >= total:
                next_draw = now + _DRAW_EVERY_S
                bar.update(task, completed=done, total=total)

        yield draw


def _lines(console: Console, what: str) -> Counted:
    next_line = time.monotonic() + _LINE_EVERY_S

    def print_line(done: int, total: int) -> None:
        nonlocal next_line
        now = time.monotonic()
        if now >= next_line:
            next_line = now + _LINE_EVERY_S
            console.print(f"{what}: {done} of {total}", highlight=False)

    return print_line
