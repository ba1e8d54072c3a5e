"""The pipeline's real processes under test: workers that can be killed, paused and asked."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.settings import DeploySettings
from deploy.stack import Endpoints, Options, running
from topologies import processes
from topologies.chaos import processes as chaos
from topologies.services import command

_START_LIMIT_S = 60.0


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


class Process(processes.Process):
    """A process of the pipeline; its output goes to a file."""

    def __init__(self, endpoints: Endpoints, *arguments: str, **env: str) -> None:
        super().__init__(_log(arguments[0]), environment(endpoints, **env), *arguments)


class Worker(chaos.Worker):
    """A worker process."""

    def __init__(self, endpoints: Endpoints, **env: str) -> None:
        super().__init__(_log("worker"), environment(endpoints, **env))

    def wait_until(self, event: str, count: int = 1) -> None:
        """Wait until an event was logged ``count`` times."""
        deadline = time.monotonic() + _START_LIMIT_S
        while len(self.events(event)) < count:
            assert self.process.poll() is None, f"the worker ended: {self.output()[-3000:]}"
            assert time.monotonic() < deadline, f"no {event}: {self.output()[-3000:]}"
            time.sleep(0.1)


def _log(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix="orderstream-test-"), f"{name}.log")
