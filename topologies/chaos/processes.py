"""Workers under chaos: what their logs tell of faults and of what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from topologies.processes import Process

_LOST = ("Connect to", "Disconnected", "Connection refused", "Unable connect", "NodeNotReady")
"""How librdkafka and aiokafka complain that the broker is gone."""


class Worker(Process):
    """A worker process."""

    def __init__(self, log: Path, env: Mapping[str, str], before: Sequence[str] = ()) -> None:
        super().__init__(log, env, "worker", before=before)

    def total(self, counter: str) -> int:
        """Return a counter of its last report (0 before the first)."""
        return self.tally()[counter]

    def tally(self) -> Counter[str]:
        """Count what it did since it started, by the names in `proof.COUNTERS`."""
        counts: Counter[str] = Counter()
        last: dict[str, Any] = {}
        for entry in self.entries():
            event = entry.get("event")
            counts[str(event)] += 1
            if event == "revoked":
                counts["in_flight"] += int(entry["with_work_in_flight"])
            elif event in ("stats", "stopped"):
                last = entry
        for name in ("applied", "skipped", "dropped"):
            counts[name] = int(last.get(name, 0))
        counts["read_again"] = counts["skipped"] + counts["dropped"]
        counts["connections_lost"] = sum(
            any(sign in line for sign in _LOST) for line in self.output().splitlines()
        )
        return counts

    def skew_min(self) -> int:
        """Return by how many whole minutes the clock that it logs by differs from ours.

        It says that it has started a few seconds after it was started.
        """
        for entry in self.events("started"):
            said_s = datetime.fromisoformat(entry["timestamp"]).timestamp()
            return round((said_s - self.started_s) / 60)
        return 0
