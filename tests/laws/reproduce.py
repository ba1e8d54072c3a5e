"""How a failing history is made short and played again."""

from __future__ import annotations

import shlex

from tests.laws.history import History
from tests.laws.laws import broken


def command(history: History) -> str:
    """Return the command that plays ``history`` again."""
    return f"python -m tests.laws --history {shlex.quote(history.text())}"


def shortened(history: History) -> History:
    """Return as few of the steps as still break a law, by leaving out ever smaller parts."""
    steps = history.steps
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            fewer = History(history.seed, steps[:at] + steps[at + size :])
            if broken(fewer):
                steps = fewer.steps
            else:
                at += size
        size //= 2
    return History(history.seed, steps)
