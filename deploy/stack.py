"""The embedded stack: start it for the length of a `with`, or leave it running.

>>> with running(Options(servers=("redis",))) as endpoints:  # doctest: +SKIP
...     print(endpoints.redis)
redis://127.0.0.1:20123/0
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from deploy.artifacts import Artifact, Cache, Progress, maven_download
from deploy.catalogue import SERVERS
from deploy.errors import AlreadyRunningError, MissingError, StartError
from deploy.service import Service, ServiceState, log_tail
from deploy.settings import ENDPOINT_VARIABLES, DeploySettings
from deploy.supervisor import Plan, StackState, log_file, state_file

ALL_SERVERS: Final = tuple(SERVERS)
_IMPORT_PATHS: Final = [
    str(Path(__file__).parent.parent),
    *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)),
]
_START_LIMIT_S = 300.0
"""Above all limits of single services; a supervisor that hangs is ended then."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers of a stack answer. An address is only there for a server it has."""

    addresses: Mapping[str, str]

    @property
    def kafka(self) -> str:
        """``host:port`` for ``bootstrap.servers``; raises `MissingError` without Kafka."""
        return self._address("kafka")

    @property
    def registry(self) -> str:
        """Base URL of the Confluent-compatible registry; raises `MissingError` without it."""
        return self._address("registry")

    @property
    def redis(self) -> str:
        """``redis://`` URL; raises `MissingError` without Redis."""
        return self._address("redis")

    @property
    def mysql(self) -> str:
        """``mysql://user:password@host:port/database``; raises `MissingError` without MySQL."""
        return self._address("mysql")

    @property
    def clickhouse(self) -> str:
        """``http://user:password@host:port/database`` URL; raises `MissingError` without it."""
        return self._address("clickhouse")

    def environ(self) -> dict[str, str]:
        """Return the variables by which a child process finds the same servers."""
        return {ENDPOINT_VARIABLES[name]: address for name, address in self.addresses.items()}

    def _address(self, name: str) -> str:
        try:
            return self.addresses[name]
        except KeyError:
            raise MissingError(
                f"this stack has no {name} server: add it to Options.servers, or name one in "
                f"{ENDPOINT_VARIABLES[name]}"
            ) from None


@dataclass(frozen=True, slots=True)
class Options:
    """What a stack is made of.

    `servers` named in the environment (``ORDERSTREAM_KAFKA`` and so on) are used where they
    are and not started. `data_dir` defaults to a temporary folder for `running`, removed at
    the end, and to ``ORDERSTREAM_HOME`` for `up`. `fresh` wipes what it holds first. `services`
    start when all servers are ready and find the servers' addresses in their environment.
    """

    servers: tuple[str, ...] = ALL_SERVERS
    services: tuple[Service, ...] = ()
    data_dir: Path | None = None
    fresh: bool = False
    progress: Progress | None = None
    settings: DeploySettings = field(default_factory=DeploySettings)

    def __post_init__(self) -> None:
        """Refuse servers that do not exist and services that take a server's name."""
        if unknown := set(self.servers) - set(ALL_SERVERS):
            raise ValueError(f"no such server: {', '.join(sorted(unknown))}; known: {ALL_SERVERS}")
        names = [service.name for service in self.services]
        if len({*names, *ALL_SERVERS}) != len(names) + len(ALL_SERVERS):
            raise ValueError(f"service names must differ, also from servers' names: {names}")


@contextlib.contextmanager
def running(options: Options | None = None) -> Iterator[Endpoints]:
    """Run a stack for the length of the `with`; it also ends when this process dies.

    Raises `FetchError`, `MissingError`, `AlreadyRunningError` or `StartError`.
    """
    options = options or Options()
    temporary = options.data_dir is None
    data_dir = options.data_dir or Path(tempfile.mkdtemp(prefix="orderstream-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        plan = _plan(options, data_dir, bound=True, temporary=temporary)
        process = _supervise(plan)
        _await_ready(process, plan)
        yield Endpoints(plan.endpoints)
    finally:
        if process is not None:
            _end(process, plan)
        if temporary:
            shutil.rmtree(data_dir, ignore_errors=True)


def up(options: Options | None = None) -> Endpoints:
    """Start a stack that lives on after this process, and return when it is ready.

    A stack that runs already in the data directory is left as it is, and its addresses are
    returned; with `fresh` that is an `AlreadyRunningError`. Also raises `FetchError`,
    `MissingError` or `StartError`.
    """
    options = options or Options()
    data_dir = options.data_dir or options.settings.home
    found = state(data_dir)
    if found is not None:
        if options.fresh:
            raise AlreadyRunningError(
                f"a stack runs in {data_dir}; stop it first: orderstream down"
            )
        return Endpoints(found.endpoints)
    plan = _plan(options, data_dir, bound=False, temporary=False)
    process = _supervise(plan)
    try:
        _await_ready(process, plan)
    except BaseException:
        _end(process, plan)
        raise
    return Endpoints(plan.endpoints)


def down(data_dir: Path | None = None) -> bool:
    """Stop the stack in `data_dir` (default ``ORDERSTREAM_HOME``); False when none runs."""
    data_dir = data_dir or DeploySettings().home
    found = state(data_dir)
    if found is None:
        return False
    found.supervisor.signal(signal.SIGTERM)
    if not found.supervisor.wait_gone(found.stop_limit_s):
        found.supervisor.signal(signal.SIGKILL)  # its children die with it
        found.supervisor.wait_gone(5)
    return True


def status(data_dir: Path | None = None) -> list[ServiceState]:
    """Return every process of the stack in `data_dir` (default ``ORDERSTREAM_HOME``).

    The list is empty when no stack runs there.
    """
    found = state(data_dir or DeploySettings().home)
    return found.services if found else []


def state(data_dir: Path) -> StackState | None:
    """Return the state of the stack that runs in `data_dir`; None when none does."""
    found = _last_state(data_dir)
    return found if found is not None and found.supervisor.alive() else None


def cache(settings: DeploySettings) -> Cache:
    """Return the cache of fetched servers that `settings` name."""
    return Cache(settings.cache, maven_download(settings.maven))


def artifacts_of(options: Options) -> list[Artifact]:
    """Return the pinned files of the servers that would be started here."""
    external = options.settings.external()
    wanted = [name for name in options.servers if name not in external]
    return [artifact for name in wanted for artifact in SERVERS[name].artifacts()]


def _last_state(data_dir: str | Path) -> StackState | None:
    try:
        content = state_file(data_dir).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=StackState)
    except msgspec.DecodeError:  # left by another version
        return None


def _plan(options: Options, data_dir: Path, *, bound: bool, temporary: bool) -> Plan:
    """Fetch what is missing, lay out the data directory and say what has to run."""
    if state(data_dir) is not None:
        raise AlreadyRunningError(f"a stack runs in {data_dir}; stop it first: orderstream down")
    here = cache(options.settings)
    here.fetch(artifacts_of(options), options.progress)
    if options.fresh:
        _wipe(data_dir)
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    endpoints = {
        name: address
        for name, address in options.settings.external().items()
        if name in options.servers
    }
    servers = []
    for name in options.servers:
        if name not in endpoints:
            launch = SERVERS[name].launch(here, data_dir / "data" / name)
            # Nobody will read the data of a temporary stack: no need to wait for tidy ends.
            limit_s = 0.0 if temporary else launch.service.stop_timeout_s
            servers.append(msgspec.structs.replace(launch.service, stop_timeout_s=limit_s))
            endpoints[name] = launch.endpoint
    environ = Endpoints(endpoints).environ()
    server_names = tuple(server.name for server in servers)
    services = [
        msgspec.structs.replace(
            service,
            env={**environ, **service.env},
            after=(*server_names, *service.after),
        )
        for service in options.services
    ]
    return Plan(
        data_dir=str(data_dir),
        endpoints=endpoints,
        services=(*servers, *services),
        bound=bound,
        temporary=temporary,
    )


def _wipe(data_dir: Path) -> None:
    """Remove what stacks keep, and nothing else that may lie in the folder."""
    for kept in ("data", "logs"):
        shutil.rmtree(data_dir / kept, ignore_errors=True)


def _supervise(plan: Plan) -> subprocess.Popen[bytes]:
    path = Path(plan.data_dir, "plan.json")
    path.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=2))
    state_file(plan.data_dir).unlink(missing_ok=True)
    with log_file(plan.data_dir, "supervisor").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.supervisor", str(path)],
            stdin=subprocess.PIPE if plan.bound else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # It finds this package also where the project is not installed.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_IMPORT_PATHS)},
            # A session of its own: Ctrl-C in the terminal is for the parent to act on.
            start_new_session=True,
        )


def _await_ready(process: subprocess.Popen[bytes], plan: Plan) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        exit_code = process.poll()
        found = _last_state(plan.data_dir)
        if found is not None and found.phase == "ready":
            return
        if exit_code is not None:
            log = log_file(plan.data_dir, "supervisor")
            why = found.error if found and found.error else log_tail(log)
            raise StartError(f"the stack did not start: {why}")
        time.sleep(0.05)
    raise StartError(f"the stack was not ready after {_START_LIMIT_S:g} s; logs: {plan.data_dir}")


def _end(process: subprocess.Popen[bytes], plan: Plan) -> None:
    """Stop a supervisor that this process started."""
    process.terminate()
    try:
        process.wait(plan.stop_limit_s())
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
