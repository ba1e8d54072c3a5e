"""The pipeline's real processes under test: workers that can be killed, paused and asked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from deploy.settings import DeploySettings
from deploy.stack import Endpoints, Options, running
from topologies.services import command

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0


@contextlib.contextmanager
def own_stack() -> Iterator[Endpoints]:
    """Run a fresh broker and registry for one test, whatever the environment names."""
    settings = DeploySettings(kafka=None, registry=None)
    with running(Options(servers=("kafka", "registry"), settings=settings)) as endpoints:
        set_up(endpoints)
        yield endpoints


def set_up(endpoints: Endpoints) -> None:
    """Create topics and register schemas, by the commands a user would run."""
    for arguments in (("topics", "create"), ("schemas", "register")):
        run(endpoints, *arguments)


def run(endpoints: Endpoints, *arguments: str) -> str:
    """Run a command to its end; return its standard output, fail with its error output."""
    done = subprocess.run(
        command(*arguments), env=environment(endpoints), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}{done.stdout}"
    return done.stdout


def environment(endpoints: Endpoints, **more: str) -> dict[str, str]:
    """Return the environment of a process of the pipeline."""
    return {**os.environ, **endpoints.environ(), **more}


class Process:
    """A process of the pipeline; its output goes to a file."""

    def __init__(self, endpoints: Endpoints, *arguments: str, **env: str) -> None:
        self.log = Path(tempfile.mkdtemp(prefix="orderstream-test-"), f"{arguments[0]}.log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command(*arguments),
                env=environment(endpoints, **env),
                stdout=output,
                stderr=output,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended takes no notice."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text(errors="replace")


class Worker(Process):
    """A worker process."""

    def __init__(self, endpoints: Endpoints, **env: str) -> None:
        super().__init__(endpoints, "worker", **env)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        found = []
        for line in self.output().splitlines():
            if line.startswith("{"):
                with contextlib.suppress(json.JSONDecodeError):  # a line cut off by SIGKILL
                    entry = json.loads(line)
                    if entry.get("event") == name:
                        found.append(entry)
        return found

    def wait_until(self, event: str, count: int = 1) -> None:
        """Wait until an event was logged ``count`` times."""
        deadline = time.monotonic() + _START_LIMIT_S
        while len(self.events(event)) < count:
            assert self.process.poll() is None, f"the worker ended: {self.output()[-3000:]}"
            assert time.monotonic() < deadline, f"no {event}: {self.output()[-3000:]}"
            time.sleep(0.1)

    def total(self, counter: str) -> int:
        """Return a counter of its last report (0 before the first)."""
        reports = self.events("stats") + self.events("stopped")
        return int(reports[-1][counter]) if reports else 0
