"""What proves that a fault bit: counters that must be above zero, each documented once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from topologies.chaos.schedule import Fault

COUNTERS: Final[Mapping[str, str]] = {
    "killed": "processes that ended by SIGKILL",
    "took_over": "stage partitions that workers took over since the strike",
    "read_again": "records that workers skipped or dropped because they had taken effect before",
    "revoked": "times a worker lost its partitions to a rebalance",
    "in_flight": "partitions that moved while records waited in them",
    "fenced": "checkpoints of the paused worker that Kafka refused",
    "gained": "stage partitions that the struck worker itself took over",
    "applied": "records that the struck worker itself applied",
    "left_tidily": "workers that ended by SIGTERM with exit code 0, checkpoint complete",
    "away_ms": "milliseconds in which nothing accepted connections at the server's port",
    "connections_lost": "lines by which the clients in workers complain of a lost connection",
    "starts_refused": "workers that could not start because the registry was away",
    "applied_meanwhile": "records that the others applied while it was away",
    "disk_full": "writes into the worker's temporary folder that failed with ENOSPC",
    "folder_refused": "workers that found it unusable and said that they use another",
    "skew_min": "whole minutes by which the worker's own log is off, either way",
    "slower_ms": "milliseconds that a round trip through the slow network takes",
    "waiting": "payment facts that waited for the gateway while it was away",
    "duplicates": "reports of the gateway that came a second time, word by word",
    "reordered": "reports PENDING that came after the end",
}

PROOF: Final[Mapping[Fault, tuple[str, ...]]] = {
    Fault.KILL: ("killed", "took_over", "read_again"),
    Fault.PAUSE: ("fenced", "took_over"),
    Fault.SCALE: ("gained", "applied", "revoked", "left_tidily"),
    Fault.BROKER_STOP: ("away_ms", "connections_lost"),
    Fault.BROKER_KILL: ("away_ms", "connections_lost"),
    Fault.REGISTRY: ("away_ms", "starts_refused", "applied_meanwhile"),
    Fault.DISK: ("disk_full", "folder_refused", "gained", "applied"),
    Fault.SKEW: ("skew_min", "gained", "applied"),
    Fault.SLOW: ("slower_ms", "gained", "applied"),
    Fault.GATEWAY_KILL: ("killed", "waiting"),
    Fault.GATEWAY_FAULTS: ("duplicates", "reordered"),
}
"""A fault bit when all of these are above zero; Redis has none, as nothing depends on it yet."""


class Bite(NamedTuple):
    """What a strike left behind."""

    fault: Fault
    counters: Mapping[str, int]

    @property
    def missing(self) -> tuple[str, ...]:
        """The counters of its proof that are not above zero."""
        return tuple(name for name in PROOF[self.fault] if self.counters.get(name, 0) <= 0)

    def __str__(self) -> str:
        counted = " ".join(f"{name}={self.counters.get(name, 0):,}" for name in PROOF[self.fault])
        return f"{self.fault}: {counted}"
