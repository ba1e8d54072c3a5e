"""What a supervised process is: how it starts, when it counts as ready, when it comes back."""

from pathlib import Path
from typing import Literal

import msgspec

from deploy.process import ProcessId


class LogLine(msgspec.Struct, frozen=True, tag="log_line"):
    """Ready when a line of its log matches this regular expression."""

    pattern: str


class Http(msgspec.Struct, frozen=True, tag="http"):
    """Ready when GET `url` answers with a status below 400."""

    url: str


class Tcp(msgspec.Struct, frozen=True, tag="tcp"):
    """Ready when a TCP connection to `host`:`port` is accepted."""

    host: str
    port: int


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """Ready when it ended with exit code 0: a job, not a server."""


class Answers(msgspec.Struct, frozen=True, tag="answers"):
    """Ready when the server of this kind answers its own protocol at `endpoint`."""

    server: str
    endpoint: str


Ready = LogLine | Http | Tcp | Exited | Answers | None
"""None: ready as soon as it runs."""

Restart = Literal["always", "on_failure", "never"]

Phase = Literal["waiting", "preparing", "starting", "ready", "backoff", "done", "stopped", "failed"]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One process for the supervisor to own.

    `after` names services that must be ready first; `prepare` are commands that must end
    with exit code 0 before the first start. `env` is laid over the supervisor's environment
    and, except for servers, over the addresses of the stack's servers. An exit before the
    first readiness fails the start of the whole stack; later ones are met by `restart`, with
    a pause that doubles from 0.5 s to 10 s. A service still running `stop_timeout_s` after
    SIGTERM is killed; with 0 it is killed at once. At `metrics_port` of 127.0.0.1 it serves
    metrics for Prometheus; 0: it does not.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    cwd: str | None = None
    ready: Ready = None
    restart: Restart = "always"
    after: tuple[str, ...] = ()
    prepare: tuple[tuple[str, ...], ...] = ()
    metrics_port: int = 0
    ready_timeout_s: float = 60.0
    stop_timeout_s: float = 10.0


class ServiceState(msgspec.Struct, kw_only=True):
    """What became of a service; `restarts` counts since the stack started."""

    name: str
    phase: Phase = "waiting"
    process: ProcessId | None = None
    restarts: int = 0
    exit_code: int | None = None
    log: str = ""
    metrics_port: int = 0


def log_tail(log: Path, lines: int = 15, start: int = 0) -> str:
    """Return the last lines that `log` holds past byte `start`, or a note that it is empty."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(start, file.tell() - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"
