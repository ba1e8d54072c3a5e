"""What came of the rounds: judged, as a table, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topologies.chaos.proof import COUNTERS, Bite
from topologies.chaos.schedule import Fault, Strike

EXIT_DEFECT = 70
"""By it a worker says that a promise is broken: no fault may bring it to that."""


@dataclass(frozen=True)
class Outcome:
    """One round.

    Times of orders in milliseconds. ``exits`` counts the exit codes of processes that ended though
    nothing struck them; ``audit`` and ``verify`` are what the judges printed.
    """

    number: int
    strikes: tuple[Strike, ...]
    bites: tuple[Bite, ...]
    orders: int
    missing: int
    doubled: int
    worst_create_ms: float
    p99_create_ms: float
    exits: Mapping[int, int]
    audit: Mapping[str, Any]
    verify: Mapping[str, Any]
    seconds: float

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the round is not passed; empty when it is."""
        found = [
            f"{bite.fault} did not bite: no {', '.join(bite.missing)}"
            for bite in self.bites
            if bite.missing
        ]
        if not self.orders:
            found.append("the load failed")
        if self.missing:
            found.append(f"{self.missing:,} orders came to no end")
        if self.doubled:
            found.append(f"{self.doubled:,} orders became two")
        if EXIT_DEFECT in self.exits:
            found.append(f"{self.exits[EXIT_DEFECT]} workers found a promise broken (exit code 70)")
        for judge, verdict in (("the auditor", self.audit), ("replay verify", self.verify)):
            if verdict["exit_code"] != 0:
                found.append(f"{judge} ended with exit code {verdict['exit_code']}")
        if self.verify["exit_code"] == 0 and self.replayed < self.orders:
            found.append(f"replay verify saw only {self.replayed:,} inbox records")
        return tuple(found)

    @property
    def replayed(self) -> int:
        """Inbox records that the replay ran again, all stages together; an order makes several."""
        return int(self.verify.get("inbox_records", 0))

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON-like values."""
        return {
            "round": self.number,
            "ok": not self.failures,
            "failures": list(self.failures),
            "strikes": [strike._asdict() for strike in self.strikes],
            "bites": [{"fault": b.fault, "counters": dict(b.counters)} for b in self.bites],
            "orders": self.orders,
            "missing": self.missing,
            "doubled": self.doubled,
            "worst_create_ms": self.worst_create_ms,
            "p99_create_ms": self.p99_create_ms,
            "exits": {str(code): count for code, count in self.exits.items()},
            "audit": dict(self.audit),
            "verify": dict(self.verify),
            "seconds": self.seconds,
        }


def worst_stall_s(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return, by fault, the longest that an order waited for its decision in a round of it alone.

    In seconds. This is the stall that clients see: orders sent before and during the fault wait
    until the partitions of whoever was struck are served again.
    """
    worst: dict[str, float] = {}
    for one in outcomes:
        if len(one.strikes) == 1:
            fault = one.strikes[0].fault
            worst[fault] = max(worst.get(fault, 0.0), round(one.worst_create_ms / 1000, 2))
    return dict(sorted(worst.items()))


def as_json(
    outcomes: Sequence[Outcome], seed: int, left_out: Mapping[Fault, str], again: str
) -> dict[str, Any]:
    """Return the whole report as JSON-like values; ``again`` is the command that repeats it.

    ``counters`` in it says what each counter counts.
    """
    return {
        "ok": all(not one.failures for one in outcomes),
        "seed": seed,
        "command": again,
        "orders": sum(one.orders for one in outcomes),
        "worst_stall_s": worst_stall_s(outcomes),
        "left_out": {str(fault): why for fault, why in left_out.items()},
        "counters": dict(COUNTERS),
        "rounds": [one.as_json() for one in outcomes],
    }
