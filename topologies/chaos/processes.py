"""Processes of the pipeline as children of this one: started, signalled, read by their logs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from deploy.process import dying_with
from topologies.services import command

_STOP_LIMIT_S = 30.0
_LOST = ("Connect to", "Disconnected", "Connection refused", "Unable connect", "NodeNotReady")
"""How librdkafka and aiokafka complain that the broker is gone."""


class Process:
    """A command of the pipeline; its output goes to ``log``. It dies with this process.

    ``before`` is a command that runs it and becomes it (by exec).

    Start it from a thread that lives as long as this process (`deploy.process.dying_with`).
    """

    def __init__(
        self, log: Path, env: Mapping[str, str], *arguments: str, before: Sequence[str] = ()
    ) -> None:
        self.log = log
        self.started_s = time.time()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                (*before, *command(*arguments)),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=dying_with(os.getpid()),
                start_new_session=True,  # Ctrl-C is for the parent to act on
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended takes no notice."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it by SIGTERM, after 30 s by SIGKILL."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def output(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [entry for entry in self._entries() if entry.get("event") == name]

    def _entries(self) -> list[dict[str, Any]]:
        found = []
        for line in self.output().splitlines():
            if line.startswith("{"):
                with contextlib.suppress(json.JSONDecodeError):  # a line cut off by SIGKILL
                    found.append(json.loads(line))
        return found


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
        for entry in self._entries():
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
