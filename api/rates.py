"""Rates: how often something may be done, and how that is told (pure).

The algorithm is GCRA (ITU-T I.371), a token bucket kept as one number, the theoretical arrival time
of the next unit. ``quota`` units may come at once, and one more after each ``window / quota``. The
headers are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """At most ``quota`` in a window; ``name`` is what the headers call it (ASCII, no quotes)."""

    name: str
    quota: int
    window_s: int

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return self.window_s * SECOND_US

    @property
    def interval_us(self) -> int:
        """Microseconds that one unit takes to come back; at least one."""
        return max(1, self.window_us // self.quota)

    @classmethod
    def parse(cls, name: str, text: str) -> Policy:
        """Read ``quota/seconds``, as ``300/60``; raises ValueError."""
        quota, _, seconds = text.partition("/")
        policy = cls(name, int(quota), int(seconds))
        if policy.quota < 1 or policy.window_s < 1:
            raise ValueError(f"a rate is QUOTA/SECONDS, each at least 1, not {text!r}")
        return policy


class Charge(NamedTuple):
    """One unit of what ``key`` may do; ``only_new``: not for a request that was made before."""

    key: str
    policy: Policy
    only_new: bool = False


class Record(IntEnum):
    """What is remembered of a request's key."""

    NEW = 0  # nothing; it is claimed now, if a claim was asked for
    IN_PROGRESS = 1
    ANSWERED = 2
    CONFLICT = 3  # it was used for another body


class Question(NamedTuple):
    """May this request go on? ``record`` is the key of its idempotency record, if it has one."""

    charges: Sequence[Charge]
    record: str = ""
    fingerprint: bytes = b""
    """32 bytes; SHA-256 of what the request asks for."""


class Reply(NamedTuple):
    """All charges were made, or none when one of them is ``limited``.

    ``ahead_us`` says for each charge how far its bucket is drawn, in microseconds until it is full
    again; -1 for one that was not asked. ``wait_us`` is how long the limited ones have to wait.
    """

    record: Record
    answer: bytes
    limited: tuple[int, ...]
    wait_us: int
    ahead_us: tuple[int, ...]


def draw(tat_us: int, now_us: int, policy: Policy) -> tuple[int, int]:
    """Return the arrival time after one more unit, and how long that unit has to wait (0: not)."""
    drawn_us = max(tat_us, now_us) + policy.interval_us
    return drawn_us, max(0, drawn_us - now_us - policy.window_us)


def headers(charges: Sequence[Charge], reply: Reply) -> dict[str, str]:
    """Return the fields that tell a client where it stands, with Retry-After when it has to wait.

    The first charge's policy is always told, another one only when it is the one that limits.
    """
    told = [index for index in range(len(charges)) if index == 0 or index in reply.limited]
    policies, standings = [], []
    for policy, ahead_us in ((charges[index].policy, reply.ahead_us[index]) for index in told):
        ahead_us = max(0, ahead_us)
        left = (policy.window_us - ahead_us) // policy.interval_us
        policies.append(f'"{policy.name}";q={policy.quota};w={policy.window_s}')
        standings.append(f'"{policy.name}";r={left};t={math.ceil(ahead_us / SECOND_US)}')
    fields = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(standings)}
    if reply.limited:
        fields["Retry-After"] = str(math.ceil(reply.wait_us / SECOND_US))
    return fields
