"""What an answer means, and when a message is sent again. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

FIRST_WAIT_MS: Final = 1_000
LAST_WAIT_MS: Final = 4 * 3600 * 1000
GIVE_UP_MS: Final = 3 * 24 * 3600 * 1000
"""Counted from the fact, so that a queue of facts is over when its last one is three days old.

Waits double from 1 s to 4 h: fifteen of them take 4.5 h, then one every 4 h, about 32 in all.
"""

_GONE: Final = 410


class Outcome(StrEnum):
    """What became of a try."""

    DELIVERED = "DELIVERED"
    FAILED = "FAILED"  # it is tried again
    GAVE_UP = "GAVE_UP"  # the fact is three days old: the order's next one gets its turn
    GONE = "GONE"  # 410: the endpoint wants no more messages


def outcome_of(status: int | None, age_ms: int) -> Outcome:
    """Judge a try. ``status`` is the answer's, None without one; ``age_ms`` the fact's.

    2xx is success. 3xx is a failure: who follows a redirect sends the message to whom nobody
    subscribed.
    """
    if status is not None and 200 <= status < 300:
        return Outcome.DELIVERED
    if status == _GONE:
        return Outcome.GONE
    return Outcome.GAVE_UP if age_ms >= GIVE_UP_MS else Outcome.FAILED


def wait_ms(attempt: int, luck: float, first_ms: int = FIRST_WAIT_MS) -> int:
    """Return how long to wait after the failed ``attempt`` (1, 2, 3 ...).

    ``luck`` from 0 to 1 spreads it by a fifth, so that what failed together does not come together.
    """
    doubled = first_ms << min(attempt - 1, 30)
    return round(min(doubled, LAST_WAIT_MS) * (0.9 + 0.2 * luck))
