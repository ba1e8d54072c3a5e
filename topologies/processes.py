"""Processes of the pipeline as children of this one: started, signalled, read by their logs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from deploy.process import dying_with
from topologies.services import command

_STOP_LIMIT_S = 30.0


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
        return [entry for entry in self.entries() if entry.get("event") == name]

    def entries(self) -> list[dict[str, Any]]:
        """Return all its log lines so far, less one that a SIGKILL cut off."""
        return entries(self.log)


def entries(log: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a log, less one that a SIGKILL cut off."""
    found = []
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
    return found
