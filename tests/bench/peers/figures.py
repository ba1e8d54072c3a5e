"""Outcomes to figures: medians of an engine's runs, and ours against each peer's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.bench.peers.driver import Outcome

OURS = "ours"


@dataclass(frozen=True)
class Measured:
    """One run, and what the engine's processes used meanwhile, in cores."""

    outcome: Outcome
    engine_cores: float

    @property
    def driver_cores(self) -> float:
        """What the driver used, in cores."""
        return self.outcome.driver_s / self.outcome.seconds


@dataclass
class Sheet:
    """All that was measured of one engine; ``wrong`` says why its figures do not count."""

    title: str
    closed: dict[int, list[Measured]] = field(default_factory=dict)
    paced: dict[float, list[Measured]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    peak_mb: float = 0.0

    def per_second(self, window: int) -> float:
        """Return the median rate of closed loops with this window; 0.0 without any."""
        return _median([one.outcome.per_second for one in self.closed.get(window, ())])

    def as_json(self) -> dict[str, Any]:
        """Return the medians, and every run, as JSON-like values."""
        return {
            "title": self.title,
            "wrong": self.wrong,
            "peak_mb": round(self.peak_mb),
            "closed": {
                str(window): {
                    "orders_per_s": round(self.per_second(window), 1),
                    "engine_cores": round(_median([one.engine_cores for one in runs]), 2),
                    "driver_cores": round(_median([one.driver_cores for one in runs]), 2),
                    "runs": [round(one.outcome.per_second, 1) for one in runs],
                }
                for window, runs in self.closed.items()
            },
            "paced": {
                f"{rate:g}": {
                    **latencies(runs),
                    "engine_cores": round(_median([one.engine_cores for one in runs]), 2),
                    "driver_cores": round(_median([one.driver_cores for one in runs]), 2),
                    "runs": [asdict(one.outcome) for one in runs],
                }
                for rate, runs in self.paced.items()
            },
        }


def latencies(runs: Sequence[Measured]) -> dict[str, float]:
    """Return the medians of the runs' percentiles in milliseconds."""
    return {
        f"{step}_{share}_ms": _median(
            [getattr(getattr(r.outcome, step), f"{share}_ms") for r in runs]
        )
        for step in ("create", "pay")
        for share in ("p50", "p99")
    }


@dataclass(frozen=True)
class Bar:
    """What ours has to reach against a peer; None: nothing is asked."""

    throughput: float | None
    lower_p99: bool = False
    is_goal: bool = False


BARS: Mapping[str, Bar] = {
    "faust": Bar(15.0),
    "quix": Bar(2.0),
    "kstreams-eos": Bar(2.0, lower_p99=True),
    "kstreams-alo": Bar(1.0, is_goal=True),
}


@dataclass(frozen=True)
class Ratio:
    """Ours against a peer in one respect; ``holds`` None: nothing was asked."""

    peer: str
    what: str
    ratio: float
    holds: bool | None
    wanted: str = ""


def ratios(sheets: Mapping[str, Sheet]) -> list[Ratio]:
    """Return ours / peer for each window, and the P99 at one rate where both were measured at it.

    A ratio above 1 means that ours does more orders, or takes longer.
    """
    ours = sheets.get(OURS)
    if ours is None:
        return []
    found = []
    for name, sheet in sheets.items():
        if name == OURS:
            continue
        bar = BARS.get(name, Bar(None))
        mark = "goal" if bar.is_goal else "bar"
        for window in sheet.closed:
            theirs = sheet.per_second(window)
            if theirs and window in ours.closed:
                ratio = ours.per_second(window) / theirs
                holds = None if bar.throughput is None else ratio >= bar.throughput
                wanted = "" if bar.throughput is None else f"{mark} >= {bar.throughput:g}"
                found.append(Ratio(name, f"orders/s at window {window:,}", ratio, holds, wanted))
        for rate, runs in sheet.paced.items():
            if rate not in ours.paced:
                continue
            mine, theirs_ms = latencies(ours.paced[rate]), latencies(runs)
            for step in ("create_p99_ms", "pay_p99_ms"):
                if theirs_ms[step]:
                    ratio = mine[step] / theirs_ms[step]
                    holds = ratio < 1.0 if bar.lower_p99 else None
                    what = f"{step.replace('_', ' ')[:-3]} at {rate:g}/s"
                    found.append(Ratio(name, what, ratio, holds, "bar < 1" * bar.lower_p99))
    return found


def _median(values: Sequence[float]) -> float:
    return median(values) if values else 0.0
