"""A place to measure at: a fresh broker and registry, and workers to be watched and killed."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from deploy import stack
from deploy.artifacts import Progress
from deploy.errors import StartError
from deploy.settings import DeploySettings
from schemas.registry import connected_codec
from topologies.load.clients import Where
from topologies.load.usage import Usage, usage
from topologies.pipeline import all_records
from topologies.processes import Process
from topologies.services import WORKER_ENVIRONMENT, setup

_START_LIMIT_S = 120.0
_LOOK_AGAIN_S = 0.05
_INTERNAL = "__"  # how the names of Kafka's own topics begin


class Takeover(NamedTuple):
    """What was loaded since the last assignment, and how long that took: stage partitions only."""

    partitions: int
    records: int
    seconds: float


class Worker(Process):
    """A worker process; what it does is read from its log."""

    def __init__(self, endpoints: stack.Endpoints, log: Path, arguments: Sequence[str]) -> None:
        env = {**os.environ, **WORKER_ENVIRONMENT, **endpoints.environ()}
        super().__init__(log, env, "worker", *arguments)

    def takeover(self) -> Takeover:
        """Return what it took over since its last assignment, so far."""
        return takeover(self.output())

    def check(self) -> None:
        """Raise StartError, with the end of its log, when it has ended."""
        if self.exit_code is not None:
            raise StartError(f"a worker ended: {self.output()[-2000:]}")


class Site:
    """The servers of one measurement. ``where`` is the system under load."""

    def __init__(self, endpoints: stack.Endpoints, folder: Path) -> None:
        # Unlike a load's codec it also knows what the stages keep: a part of the bench writes it.
        self.where = Where(endpoints.kafka, connected_codec(endpoints.registry, all_records()))
        self.workers: list[Worker] = []
        self._endpoints = endpoints
        self._folder = folder

    def start_workers(self, count: int, *arguments: str, partitions: int) -> Takeover:
        """Start workers more, and wait until all share ``partitions`` stage partitions."""
        for _ in range(count):
            log = self._folder / "logs" / f"worker-{len(self.workers) + 1}.log"
            self.workers.append(Worker(self._endpoints, log, arguments))
        return self.settled(partitions)

    def settled(self, partitions: int) -> Takeover:
        """Wait until the workers have taken over so many partitions together; the longest counts.

        Raises StartError when one ends, or when it takes more than two minutes.
        """
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            alive = [worker for worker in self.workers if worker.process.poll() != -signal.SIGKILL]
            for worker in alive:
                worker.check()
            found = [worker.takeover() for worker in alive]
            if all(one.partitions for one in found) and partitions == sum(
                one.partitions for one in found
            ):
                records = sum(one.records for one in found)
                return Takeover(partitions, records, max(one.seconds for one in found))
            if time.monotonic() > deadline:
                raise StartError(
                    f"the workers have not taken over {partitions} partitions in "
                    f"{_START_LIMIT_S:g} s: {found}"
                )
            time.sleep(_LOOK_AGAIN_S)

    def used(self) -> dict[str, Usage]:
        """Return what the workers and the broker have used so far.

        The processor time of the workers is added up; the memory is that of the largest.
        """
        each = [usage(worker.process.pid) for worker in self.workers]
        pids = {one.name: one.process.pid for one in stack.status(self._folder) if one.process}
        return {
            "worker": Usage(sum(u.cpu_s for u in each), max((u.peak_mb for u in each), default=0)),
            "broker": usage(pids["kafka"]),
        }

    def log_bytes(self) -> dict[str, int]:
        """Return the size of each topic's log on disk, over its partitions."""
        sizes: dict[str, int] = {}
        for segment in (self._folder / "data" / "kafka").rglob("*.log"):
            topic = segment.parent.name.rpartition("-")[0]
            if topic and not topic.startswith(_INTERNAL):
                sizes[topic] = sizes.get(topic, 0) + segment.stat().st_size
        return sizes


@contextmanager
def site(progress: Progress | None) -> Iterator[Site]:
    """Give a site with topics and schemas but no worker; all of it ends with the `with`."""
    with tempfile.TemporaryDirectory(prefix="orderstream-bench-") as folder:
        options = stack.Options(
            servers=("kafka", "registry"),
            services=setup(),
            data_dir=Path(folder),
            progress=progress,
            # Its own, whatever the environment names: what is measured has to be known.
            settings=DeploySettings(kafka=None, registry=None),
        )
        with stack.running(options) as endpoints:
            place = Site(endpoints, Path(folder))
            try:
                yield place
            finally:
                for worker in place.workers:
                    if worker.process.poll() is None:
                        worker.stop()


def takeover(log: str) -> Takeover:
    """Return what a worker took over, or kept, at its last assignment, by its log."""
    assigned_s = ended_s = 0.0
    partitions = records = 0
    for line in log.splitlines():
        if not (line.startswith("{") and line.endswith("}")):  # a library's, or half written
            continue
        entry = json.loads(line)
        if entry["event"] == "assigned":
            assigned_s = ended_s = _seconds(entry)
            partitions = records = 0
        elif entry["event"] in ("took_over", "kept"):
            ended_s = max(ended_s, _seconds(entry))
            partitions += 1
            records += entry["records"]
    return Takeover(partitions, records, ended_s - assigned_s)


def _seconds(entry: dict[str, Any]) -> float:
    return datetime.fromisoformat(entry["timestamp"]).timestamp()
