"""The system under chaos: its own servers, workers that are kept running, a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from deploy import stack
from deploy.process import ProcessId
from deploy.settings import DeploySettings
from deploy.stack import Endpoints
from topologies.chaos.means import Surroundings
from topologies.chaos.processes import Worker
from topologies.load.clients import Where, connect
from topologies.processes import Process
from topologies.services import setup

PAYMENT_WINDOW_MS = 8_000  # short, so that a round need not wait long for those who never pay
SESSION_TIMEOUT_S = 4.0  # said here because a pause must outlast it
LATE_MS = 10_000  # above the window: late money has to go back
_RESTART_AFTER_S = 0.5  # as the supervisor's first pause
_POLL_S = 0.1
_LOOK_S = 0.25  # logs are read whole at each look
_LIMIT_S = 120.0  # ten times what anything here takes on an idle machine


class ChaosError(Exception):
    """The experiment itself failed; nothing can be said about the system."""


class System:
    """Servers, ``workers`` slots each with a worker, and a gateway.

    Who ends by himself is started again, as a supervisor would. ``exits`` counts (exit code) of
    processes that ended though nothing struck them.
    """

    def __init__(self, endpoints: Endpoints, folder: Path, workers: int) -> None:
        self.endpoints = endpoints
        self.folder = folder
        self.where: Where = connect(endpoints.kafka, endpoints.registry)
        self.exits: Counter[int] = Counter()
        self.workers: list[Worker] = []
        self.slots: dict[int, Worker] = {}
        self._held: set[int] = set()
        self._gateways = 0
        self._gateway_options: tuple[str, ...] = ()
        self._is_gateway_held = False
        for slot in range(workers):
            self.start_worker(slot)
        self.gateway = self.start_gateway()

    # --- processes --------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """Return the environment of every process of the pipeline."""
        ours = {
            "ORDERSTREAM_PAYMENT_WINDOW_MS": str(PAYMENT_WINDOW_MS),
            "ORDERSTREAM_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
        }
        return {**os.environ, **self.endpoints.environ(), **ours}

    def run(self, name: str, *arguments: str) -> Process:
        """Start a command whose output goes to the log ``name``."""
        return Process(self.folder / "logs" / f"{name}.log", self.environment(), *arguments)

    def start_worker(self, slot: int, surroundings: Surroundings | None = None) -> Worker:
        """Put a new worker into a slot; the former one must have ended."""
        log = self.folder / "logs" / f"worker-{slot}.{len(self.workers)}.log"
        env, before = surroundings or Surroundings({})
        worker = Worker(log, self.environment() | dict(env), before)
        self.workers.append(worker)
        self.slots[slot] = worker
        return worker

    def start_gateway(self, *options: str) -> Process:
        """Start the gateway; it keeps these options when it has to be started again."""
        self._gateways += 1
        self._gateway_options = options
        late = ("--late-ms", str(LATE_MS))
        self.gateway = self.run(f"gateway.{self._gateways}", "gateway", *late, *options)
        return self.gateway

    @contextmanager
    def held(self, slot: int) -> Iterator[None]:
        """Keep a slot to oneself: meanwhile nobody starts its worker again."""
        self._held.add(slot)
        try:
            yield
        finally:
            self._held.discard(slot)

    @contextmanager
    def held_gateway(self) -> Iterator[Process]:
        """Keep the gateway to oneself: meanwhile nobody starts it again."""
        self._is_gateway_held = True
        try:
            yield self.gateway
        finally:
            self._is_gateway_held = False

    async def keep(self) -> None:
        """Start again whoever ended by himself; for ever."""
        while True:
            await asyncio.sleep(_RESTART_AFTER_S)
            for slot, worker in list(self.slots.items()):
                if slot not in self._held and worker.exit_code is not None:
                    self.exits[worker.exit_code] += 1
                    self.start_worker(slot)
            if not self._is_gateway_held and self.gateway.exit_code is not None:
                self.exits[self.gateway.exit_code] += 1
                self.start_gateway(*self._gateway_options)

    def close(self) -> None:
        """Stop workers and gateway."""
        ours = (*self.slots.values(), self.gateway)
        for process in ours:
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
        for process in ours:
            process.stop()

    # --- what can be seen -------------------------------------------------------------------------

    def tally(self) -> Counter[str]:
        """Count what all workers did since the system started."""
        return sum((worker.tally() for worker in self.workers), Counter())

    async def until(self, what: str, holds: Callable[[], bool], limit_s: float = _LIMIT_S) -> float:
        """Wait until something holds; return the seconds it took.

        Raises ChaosError at the limit.
        """
        started = time.monotonic()
        while not holds():
            if time.monotonic() - started > limit_s:
                raise ChaosError(f"{what}: not within {limit_s:g} s; logs: {self.folder / 'logs'}")
            await asyncio.sleep(_LOOK_S)
        return time.monotonic() - started

    async def until_whole(self) -> None:
        """Wait until every worker has partitions and the gateway its own."""

        def is_whole() -> bool:
            return bool(self.gateway.events("assigned")) and all(
                worker.exit_code is None and worker.events("took_over")
                for worker in self.slots.values()
            )

        await self.until("every worker and the gateway are at work", is_whole)

    # --- servers ----------------------------------------------------------------------------------

    def server(self, name: str) -> ProcessId | None:
        """Return the process of a server; None while it has none."""
        found = stack.state(self.folder)
        services = found.services if found else []
        return next((one.process for one in services if one.name == name), None)

    async def hold_down(self, name: str, number: signal.Signals, over: Callable[[], bool]) -> float:
        """Keep a server away until ``over``; return the seconds in which its port was closed.

        The supervisor starts it again; one that comes too early meets the same signal.
        """
        port = int(self.endpoints.addresses[name].split(":")[-1].split("/")[0])
        started = time.monotonic()
        closed_s: float | None = None
        struck: set[ProcessId] = set()
        while (passed_s := time.monotonic() - started) < _LIMIT_S:
            process = self.server(name)
            if process is not None and process not in struck and not (struck and over()):
                struck.add(process)
                process.signal(number)
            is_open = _accepts(port)
            if not is_open and closed_s is None:
                closed_s = passed_s
            if is_open and closed_s is not None and process is not None and process not in struck:
                return passed_s - closed_s
            await asyncio.sleep(_POLL_S)
        raise ChaosError(f"{name} did not come back; logs: {self.folder / 'logs'}")


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def own_servers(folder: Path, servers: Sequence[str]) -> Iterator[Endpoints]:
    """Run fresh servers with topics and schemas, whatever the environment names."""
    settings = DeploySettings(kafka=None, registry=None)
    options = stack.Options(
        servers=tuple(servers), services=setup(), data_dir=folder, settings=settings
    )
    with stack.running(options) as endpoints:
        yield endpoints


@asynccontextmanager
async def running(endpoints: Endpoints, folder: Path, workers: int) -> AsyncIterator[System]:
    """Run workers and a gateway, and keep them running."""
    system = System(endpoints, folder, workers)
    keeper = asyncio.create_task(system.keep())
    try:
        await system.until_whole()
        yield system
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        system.close()
