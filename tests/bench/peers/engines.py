"""The engines that are measured, each at its best: how it is made ready, started and stopped."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from deploy.process import dying_with
from deploy.settings import DeploySettings
from schemas.topics import changelog, dead_letters
from tests.bench.peers.ours import records
from tests.bench.peers.ours.stages import OrderStage, StockStage
from tests.bench.peers.workload import PARTITIONS, PEER_WIRE, TOPICS, Wire
from topologies.load.usage import usage
from topologies.topics import create

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]
_STOP_LIMIT_S = 15.0
_TAIL_LINES = 12


class Unavailable(Exception):
    """The engine cannot be run on this machine; the message says what it lacks."""


Command = tuple[str, ...]


@dataclass(frozen=True)
class Engine:
    """One engine. ``rate`` is what it is offered in the open loop; None: the bench's own.

    ``ready`` brings what it needs and returns its command; it raises Unavailable. ``is_threaded``:
    one process that is told in ``THREADS`` how many threads to use.
    """

    name: str
    title: str
    ready: Callable[[], Command]
    topics: Callable[[str], None]
    wire: Wire = PEER_WIRE
    rate: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    is_threaded: bool = False


def engines() -> tuple[Engine, ...]:
    """Return all engines, ours first."""
    return (
        Engine(
            "ours",
            "orderstream's engine",
            _our_command,
            _our_topics,
            wire=records.wire(),
            env={"PYTHONPATH": str(_ROOT)},  # it is run in a folder of its own
        ),
        Engine(
            "faust",
            "plain Faust 0.15.3",
            lambda: (sys.executable, str(_HERE / "plain_faust.py"), "worker", "--without-web"),
            _faust_topics,
            rate=300.0,  # it cannot do 1,000
        ),
        Engine("quix", "Quix Streams 3.28.1", _quix_command, _plain_topics),
        Engine(
            "kstreams-alo",
            "Kafka Streams 4.1.1, at least once",
            _kstreams_command,
            _plain_topics,
            # As often as our engine and Quix Streams make their state durable.
            env={"GUARANTEE": "at_least_once", "COMMIT_MS": "1000"},
            is_threaded=True,
        ),
        Engine(
            "kstreams-eos",
            "Kafka Streams 4.1.1, exactly_once_v2",
            _kstreams_command,
            _plain_topics,
            env={"GUARANTEE": "exactly_once_v2", "COMMIT_MS": "100"},  # its default
            is_threaded=True,
        ),
    )


class Running:
    """An engine's processes."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
        self._processes = processes
        self._log = log

    def cpu_s(self) -> float:
        """Return the processor time of all its processes so far."""
        return sum(usage(one.pid).cpu_s for one in self._processes)

    def peak_mb(self) -> float:
        """Return the most memory that its processes held."""
        return sum(usage(one.pid).peak_mb for one in self._processes)

    def log_tail(self) -> str:
        """Return the last lines that it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


@contextmanager
def running(
    engine: Engine, command: Command, kafka: str, folder: Path, processes: int, threads: int
) -> Iterator[Running]:
    """Run an engine's processes for the length of the `with`; each has a folder of its own."""
    engine.topics(kafka)
    log = folder / f"{engine.name}.log"
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(1 if engine.is_threaded else processes):
            data = folder / f"{engine.name}-{number}"
            data.mkdir()
            with log.open("ab") as output:
                started.append(
                    subprocess.Popen(
                        command,
                        env={
                            **os.environ,
                            **engine.env,
                            "KAFKA": kafka,
                            "DATA": str(data),
                            "THREADS": str(max(threads, processes)),
                        },
                        cwd=data,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        preexec_fn=dying_with(os.getpid()),
                    )
                )
        yield Running(started, log)
    finally:
        for one in started:
            one.send_signal(signal.SIGTERM)
        for one in started:
            try:
                one.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


# --- topics ---------------------------------------------------------------------------------------


def _plain_topics(kafka: str, *changelogs: str) -> None:
    compacted = {"cleanup.policy": "compact"}
    wanted = [NewTopic(name, PARTITIONS, 1) for name in TOPICS]
    wanted += [NewTopic(name, PARTITIONS, 1, config=compacted) for name in changelogs]
    admin = AdminClient({"bootstrap.servers": kafka})
    for made in admin.create_topics(wanted).values():
        made.result()


def _faust_topics(kafka: str) -> None:
    """Make its changelogs too: it makes them itself, and dies of an order that comes first."""
    _plain_topics(kafka, *(f"peers-plain-faust-{table}-changelog" for table in ("orders", "stock")))


def _our_topics(kafka: str) -> None:
    states = (changelog(stage.name, stage.entities) for stage in (OrderStage, StockStage))
    inboxes = (records.ORDER_COMMANDS, records.INVENTORY_COMMANDS)
    wanted = (*records.TOPICS, *map(dead_letters, inboxes), *states)
    create(kafka, wanted, partitions=PARTITIONS, replication=1)


# --- what each needs ------------------------------------------------------------------------------


def _our_command() -> Command:
    return (sys.executable, "-m", "tests.bench.peers.ours.worker")


def _quix_command() -> Command:
    """Make an environment from pinned versions: it wants another confluent-kafka than ours."""
    wanted = _HERE / "quix.requirements.txt"
    folder = _kept("quix", wanted.read_bytes() + sys.version.encode())
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make("its environment", sys.executable, "-m", "venv", str(folder))
        _make(
            "its packages",
            str(python),
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "-r",
            str(wanted),
        )
        (folder / "complete").touch()
    return (str(python), str(_HERE / "quix.py"))


def _kstreams_command() -> Command:
    """Compile the Java application with Maven, which also brings the pinned libraries."""
    sources = sorted((_HERE / "kstreams").rglob("*.*"))
    folder = _kept("kstreams", b"".join(one.read_bytes() for one in sources if one.is_file()))
    for tool in ("mvn", "java"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool} on the PATH")
    if not (folder / "complete").exists():
        pom = str(_HERE / "kstreams" / "pom.xml")
        _make("its classes", "mvn", "-q", "-B", "-f", pom, f"-Dtarget={folder}", "package")
        (folder / "complete").touch()
    return (
        "java",
        "-Xms512m",
        "-Xmx1g",
        "-XX:+UseG1GC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{folder / 'classes'}:{folder / 'lib'}/*",
        "orderstream.peers.Main",
    )


def _kept(name: str, made_from: bytes) -> Path:
    """Return the cache's folder for what is made from these bytes."""
    digest = hashlib.sha256(made_from).hexdigest()[:12]
    return DeploySettings().cache / "peers" / f"{name}-{digest}"


def _make(what: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{what} could not be made: {(done.stderr + done.stdout)[-600:].strip()}")
