"""Percentiles of measured times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """How long it took, in milliseconds; all zero when nothing was ``measured``."""

    measured: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ascending values that at least ``share`` (0..1] do not exceed.

    This is the nearest-rank method: the answer is always a value that was measured.
    """
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency(seconds: Sequence[float]) -> Latency:
    """Summarize times given in seconds, in any order."""
    if not seconds:
        return Latency(0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(seconds)
    at = [round(percentile(ordered, share) * 1000, 2) for share in (0.5, 0.95, 0.99, 1.0)]
    return Latency(len(ordered), *at)
