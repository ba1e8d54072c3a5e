"""The pipeline's processes, as a supervisor runs them beside the servers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from deploy.service import Exited, Http, LogLine, Service

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 20.0  # the last checkpoint drains the producer first


WORKER_ENVIRONMENT = {"ORDERSTREAM_SESSION_TIMEOUT_S": "4"}
"""For workers on the embedded broker: it allows sessions shorter than Kafka's own least, 6 s."""


def command(*arguments: str) -> tuple[str, ...]:
    """Return how to run a command of this system with this interpreter."""
    return (sys.executable, "-m", "topologies.cli", *arguments)


def setup() -> tuple[Service, ...]:
    """Return the jobs that make topics and schemas; each does nothing when all is there."""
    return (
        Service(name="topics", argv=command("topics", "create"), ready=Exited()),
        Service(name="schemas", argv=command("schemas", "register"), ready=Exited()),
    )


def worker(number: int, env: Mapping[str, str] | None = None) -> Service:
    """Return one worker; it is ready when it has its partitions."""
    return Service(
        name=f"worker-{number}",
        argv=command("worker"),
        env={**WORKER_ENVIRONMENT, **(env or {})},
        ready=LogLine('"event": "assigned"'),
        after=("topics", "schemas"),
        ready_timeout_s=_START_LIMIT_S,
        stop_timeout_s=_STOP_LIMIT_S,
    )


def api(port: int) -> Service:
    """Return the front door at a port of 127.0.0.1; it is ready when it follows the facts."""
    return Service(
        name="api",
        argv=command("api", "--port", str(port)),
        ready=Http(f"{api_url(port)}/ready"),
        after=("topics", "schemas"),
        ready_timeout_s=_START_LIMIT_S,
        stop_timeout_s=_STOP_LIMIT_S,
    )


def api_url(port: int) -> str:
    """Return where the front door answers."""
    return f"http://127.0.0.1:{port}"


def gateway(*arguments: str) -> Service:
    """Return the simulated payment gateway; ``arguments`` are options of its command."""
    return Service(
        name="gateway",
        argv=command("gateway", *arguments),
        ready=LogLine('"event": "assigned"'),
        after=("topics", "schemas"),
        ready_timeout_s=_START_LIMIT_S,
    )


SINKS = {"redis": "redis", "ledger": "mysql", "warehouse": "clickhouse"}
"""The sinks, and the server that each writes to."""
_PREPARATIONS = {"ledger": (command("migrate"),)}
"""What has to be run before a sink: its tables are made by it."""


def sinks(servers: Sequence[str]) -> tuple[Service, ...]:
    """Return the sinks whose servers are among ``servers``; one is ready when it follows."""
    return tuple(
        Service(
            name=f"sink-{name}",
            argv=command("sink", name),
            env=WORKER_ENVIRONMENT,
            ready=LogLine('"event": "assigned"'),
            after=("topics", "schemas"),
            prepare=_PREPARATIONS.get(name, ()),
            ready_timeout_s=_START_LIMIT_S,
        )
        for name, server in SINKS.items()
        if server in servers
    )


def flow(name: str) -> Service:
    """Return a flow of facts into live reports or alerts; `topologies.flows` has the names."""
    return Service(
        name=f"flow-{name}",
        argv=command("flow", name),
        ready=LogLine('"event": "assigned"'),
        after=("topics", "schemas"),
        ready_timeout_s=_START_LIMIT_S,
        stop_timeout_s=_STOP_LIMIT_S,
    )


def flows() -> tuple[Service, ...]:
    """Return every flow."""
    return tuple(flow(name) for name in ("sales", "stock", "alerts"))


def pipeline(
    workers: int,
    env: Mapping[str, str] | None = None,
    gateway_options: Sequence[str] = (),
    *,
    api_port: int,
) -> tuple[Service, ...]:
    """Return all that runs beside the servers: jobs, workers, gateway, front door and flows."""
    numbers = range(1, workers + 1)
    return (
        *setup(),
        *(worker(n, env) for n in numbers),
        gateway(*gateway_options),
        api(api_port),
        *flows(),
    )
