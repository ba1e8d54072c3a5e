"""The process that owns all processes of one stack: ``python -m deploy.supervisor PLAN``.

It runs one event loop in its only long-lived thread, because the kernel ties a child's life
to the thread that forked it (`deploy.process.dying_with`): when the supervisor dies by any
means, SIGKILL included, all its children die with it. When it is *bound*, it stops as soon as
its standard input ends, which is when its parent is gone, however that came about.

Everything it knows is in the state file, replaced as a whole at every change.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from deploy.catalogue import SERVERS
from deploy.errors import NotReadyError, StartError
from deploy.process import ProcessId, dying_with, http_get
from deploy.service import (
    Answers,
    Exited,
    Http,
    LogLine,
    Ready,
    Service,
    ServiceState,
    Tcp,
    log_tail,
)

_POLL_S = 0.05
_ANSWER_TIMEOUT_S = 2.0
_BACKOFF_FIRST_S = 0.5
_BACKOFF_CAP_S = 10.0
_KILL_LIMIT_S = 5.0
_STABLE_S = 30.0
"""A service that ran this long starts again with the first, short pause."""

StackPhase = Literal["starting", "ready", "stopping", "stopped", "failed"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor is to run, and where.

    `bound`: stop when standard input ends. `temporary`: remove `data_dir` at the end.
    """

    data_dir: str
    endpoints: dict[str, str]
    services: tuple[Service, ...]
    bound: bool
    temporary: bool = False

    def stop_limit_s(self) -> float:
        """Return how long a tidy stop can take: each service waits for those that need it."""
        return 5 + sum(service.stop_timeout_s or _KILL_LIMIT_S for service in self.services)


class StackState(msgspec.Struct, kw_only=True):
    """The content of the state file. `error` says why the stack failed to start."""

    supervisor: ProcessId
    data_dir: str
    endpoints: dict[str, str]
    services: list[ServiceState]
    phase: StackPhase = "starting"
    stop_limit_s: float = 60.0
    error: str = ""

    def save(self) -> None:
        """Replace the state file of `data_dir` atomically."""
        path = state_file(self.data_dir)
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2))
        os.replace(draft, path)


def state_file(data_dir: str | Path) -> Path:
    """Return where a stack with this data directory keeps its state."""
    return Path(data_dir) / "stack.json"


def log_file(data_dir: str | Path, name: str) -> Path:
    """Return where the output of a service goes."""
    return Path(data_dir) / "logs" / f"{name}.log"


class _Child:
    """One service: its process now, and what becomes of it."""

    def __init__(
        self, service: Service, plan: Plan, changed: Callable[[], None], supervisor: int
    ) -> None:
        self.service = service
        self.ready = asyncio.Event()
        self.log = log_file(plan.data_dir, service.name)
        self.state = ServiceState(
            name=service.name, log=str(self.log), metrics_port=service.metrics_port
        )
        self._changed = changed
        self._tie = dying_with(supervisor)
        self._environment = {**os.environ, **service.env}
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0

    async def run(self, before: Sequence["_Child"]) -> None:
        """Start when `before` are ready, then keep it running; ends when it is not to come back.

        Raises `StartError` when it does not become ready the first time.
        """
        for other in before:
            await other.ready.wait()
        for command in self.service.prepare:
            self._set("preparing")
            process = await self._spawn(command)
            if await process.wait() != 0:
                raise self._failure(f"could not be prepared (exit code {process.returncode})")
        pause_s = _BACKOFF_FIRST_S
        while True:
            started = time.monotonic()
            exit_code = await self._run_once()
            if self._is_done(exit_code):
                return
            if time.monotonic() - started > _STABLE_S:
                pause_s = _BACKOFF_FIRST_S
            self._set("backoff", exit_code)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _BACKOFF_CAP_S)
            self.state.restarts += 1

    async def stop(self) -> None:
        """End its process, if there is one: SIGTERM, then SIGKILL after the limit."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(
                    signal.SIGTERM if self.service.stop_timeout_s else signal.SIGKILL
                )
            try:
                await asyncio.wait_for(process.wait(), self.service.stop_timeout_s or _KILL_LIMIT_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self.state.phase not in ("done", "failed"):
            self._set("stopped", None if process is None else process.returncode)

    async def _run_once(self) -> int:
        """Run the process to its end and return its exit code."""
        self._set("starting")
        process = await self._spawn(self.service.argv)
        ended = asyncio.create_task(process.wait())
        ready = asyncio.create_task(self._until_ready(process))
        try:
            await asyncio.wait((ended, ready), return_when=asyncio.FIRST_COMPLETED)
            if isinstance(self.service.ready, Exited):
                await ended
            elif ready.done() and not await ready:
                process.kill()
                if not self.ready.is_set():
                    limit = f"{self.service.ready_timeout_s:g} s"
                    raise self._failure(f"did not become ready within {limit}")
            elif ready.done():
                self._set("ready")
                self.ready.set()
            exit_code = await ended
        finally:
            ready.cancel()
            # What a service may have started itself: it is the leader of its own group.
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is not None:
                    os.killpg(process.pid, signal.SIGKILL)
        if isinstance(self.service.ready, Exited) and exit_code == 0:
            self.ready.set()
        if not self.ready.is_set():
            raise self._failure(f"ended with exit code {exit_code} before it was ready")
        return exit_code

    async def _until_ready(self, process: asyncio.subprocess.Process) -> bool:
        """Poll until ready; False when the limit passes first."""
        deadline = time.monotonic() + self.service.ready_timeout_s
        while process.returncode is None and time.monotonic() < deadline:
            if await _is_ready(self.service.ready, self.log, self._log_start):
                return True
            await asyncio.sleep(_POLL_S)
        return False

    async def _spawn(self, argv: Sequence[str]) -> asyncio.subprocess.Process:
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *argv,
                    cwd=self.service.cwd,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    preexec_fn=self._tie,
                    process_group=0,
                )
            except OSError as error:
                raise self._failure(f"could not be started: {error}") from error
        self.state.process = ProcessId.of(self._process.pid)
        self._changed()
        return self._process

    def _is_done(self, exit_code: int) -> bool:
        policy = self.service.restart
        if isinstance(self.service.ready, Exited) and exit_code == 0:
            self._set("done", exit_code)
        elif policy == "never" or (policy == "on_failure" and exit_code == 0):
            self._set("done" if exit_code == 0 else "failed", exit_code)
        else:
            return False
        return True

    def _set(self, phase: str, exit_code: int | None = None) -> None:
        self.state = msgspec.structs.replace(self.state, phase=phase)
        if exit_code is not None or phase in ("backoff", "stopped"):
            self.state.exit_code = exit_code
            self.state.process = None
        self._changed()

    def _failure(self, what: str) -> StartError:
        self._set("failed")
        tail = log_tail(self.log, start=self._log_start)
        return StartError(f"{self.service.name} {what}. The end of {self.log}:\n{tail}")


async def _is_ready(check: Ready, log: Path, log_start: int) -> bool:
    match check:
        case None:
            return True
        case Exited():
            return False
        case LogLine(pattern):
            with log.open("rb") as file:
                file.seek(log_start)
                return re.search(pattern, file.read().decode(errors="replace"), re.M) is not None
        case Tcp(host, port):
            return await _listens(host, port)
        case Http(url):
            return await asyncio.to_thread(_serves, url)
        case Answers(server, endpoint):
            address = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
            # Far cheaper than a client's first attempt, while the server is not up at all.
            if not await _listens(address.hostname or "", address.port or 0):
                return False
            try:
                await asyncio.to_thread(SERVERS[server].answers, endpoint, _ANSWER_TIMEOUT_S)
            except NotReadyError:
                return False
            return True


def _serves(url: str) -> bool:
    try:
        http_get(url, _ANSWER_TIMEOUT_S)
    except OSError:  # which an answer of 400 and above is as well
        return False
    return True


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


class Supervisor:
    """Runs a plan from start to stop."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stop = asyncio.Event()
        me = ProcessId.of(os.getpid())
        assert me is not None
        self._children = [
            _Child(service, plan, self._save, os.getpid()) for service in plan.services
        ]
        self._state = StackState(
            supervisor=me,
            data_dir=plan.data_dir,
            endpoints=plan.endpoints,
            services=[],
            stop_limit_s=plan.stop_limit_s(),
        )

    async def run(self) -> int:
        """Start everything, wait until told to stop, stop everything; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._plan.bound:
            loop.add_reader(sys.stdin.fileno(), self._stdin_readable)
        named = {child.service.name: child for child in self._children}
        runs = [
            asyncio.create_task(child.run([named[one] for one in child.service.after]))
            for child in self._children
        ]
        stop = asyncio.create_task(self._stop.wait())
        all_ready = asyncio.create_task(self._all_ready())
        pending: set[asyncio.Task[object]] = {*runs, stop, all_ready}
        failure: BaseException | None = None
        while not stop.done() and failure is None:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                failure = failure or task.exception()
            if self._children and not pending - {stop}:  # every service has ended for good
                break
        self._phase("stopping")
        for task in (*runs, all_ready, stop):
            task.cancel()
        await self._stop_children()
        self._phase("failed" if failure else "stopped", str(failure or ""))
        if failure is not None and not isinstance(failure, StartError):
            raise failure
        return 1 if failure else 0

    async def _all_ready(self) -> None:
        for child in self._children:
            await child.ready.wait()
        self._phase("ready")

    async def _stop_children(self) -> None:
        """Stop the services that need others before those others."""
        left = list(self._children)
        while left:
            needed = {name for child in left for name in child.service.after}
            last = [child for child in left if child.service.name not in needed] or left
            await asyncio.gather(*(child.stop() for child in last))
            left = [child for child in left if child not in last]

    def _stdin_readable(self) -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._stop.set()

    def _phase(self, phase: StackPhase, error: str = "") -> None:
        self._state.phase, self._state.error = phase, error
        self._save()

    def _save(self) -> None:
        self._state.services = [child.state for child in self._children]
        self._state.save()


def main() -> int:
    """Run the plan named on the command line; 0 after a stop, 1 when the start failed."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    with Path(plan.data_dir, "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another stack runs in {plan.data_dir}", file=sys.stderr)
            return 1

        async def run() -> int:
            return await Supervisor(plan).run()

        exit_code = asyncio.run(run())
    if plan.temporary and exit_code == 0:
        shutil.rmtree(plan.data_dir, ignore_errors=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
