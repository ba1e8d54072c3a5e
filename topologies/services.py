"""The pipeline's processes, as a supervisor runs them beside the servers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from deploy.process import free_ports
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


def keys(home: Path) -> dict[str, str]:
    """Return the variables of the embedded stack's keys: files below ``home``.

    Whoever needs one first makes it. Webhooks may go to this machine: here is where users try them.
    """
    return {
        "ORDERSTREAM_GATEWAY_SIM_SECRET": str(home / "keys" / "gateway-sim"),
        "ORDERSTREAM_WEBHOOKS_KEY": str(home / "keys" / "webhooks"),
        "ORDERSTREAM_WEBHOOKS_ALLOW_LOCAL": "1",
    }


def api(port: int, env: Mapping[str, str]) -> Service:
    """Return the front door at a port of 127.0.0.1; it is ready when it follows the facts."""
    return Service(
        name="api",
        argv=command("api", "--port", str(port)),
        env=dict(env),
        ready=Http(f"{api_url(port)}/ready"),
        metrics_port=port,
        after=("topics", "schemas"),
        ready_timeout_s=_START_LIMIT_S,
        stop_timeout_s=_STOP_LIMIT_S,
    )


def api_url(port: int) -> str:
    """Return where the front door answers."""
    return f"http://127.0.0.1:{port}"


def gateway(port: int, env: Mapping[str, str], *arguments: str) -> Service:
    """Return the simulated payment gateway, which calls the front door at ``port``.

    ``arguments`` are further options of its command.
    """
    callback = f"{api_url(port)}/api/v2/payments/callbacks/sim"
    return Service(
        name="gateway",
        argv=command("gateway", "--callback", callback, *arguments),
        env=dict(env),
        ready=LogLine('"event": "assigned"'),
        after=("topics", "schemas"),
        ready_timeout_s=_START_LIMIT_S,
    )


def webhooks(env: Mapping[str, str]) -> Service:
    """Return the worker that delivers webhooks."""
    return Service(
        name="webhooks",
        argv=command("webhooks"),
        env=dict(env),
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
    front_env: Mapping[str, str],
) -> tuple[Service, ...]:
    """Return all that needs Kafka only: jobs, workers, gateway, front door and flows.

    ``env`` is for the workers, ``front_env`` (with ``keys``) for the gateway and the front door.
    """
    numbers = range(1, workers + 1)
    return (
        *setup(),
        *(worker(n, env) for n in numbers),
        gateway(api_port, front_env, *gateway_options),
        api(api_port, front_env),
        *flows(),
    )


_MEASURING = ("worker-", "sink-", "flow-")
"""How the names of services begin whose commands have --metrics-port; the API serves its own."""


def measured(services: Iterable[Service]) -> tuple[Service, ...]:
    """Give each process that measures itself a free port, where Prometheus finds it."""
    found = tuple(services)
    ports = free_ports(len(found))
    return tuple(
        replace(one, argv=(*one.argv, "--metrics-port", str(port)), metrics_port=port)
        if one.name.startswith(_MEASURING)
        else one
        for one, port in zip(found, ports, strict=True)
    )
