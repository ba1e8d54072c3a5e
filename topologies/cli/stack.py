"""Commands for the embedded servers: `up`, `down`, `status`, `doctor`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.service import Service
    from deploy.stack import Endpoints
    from topologies.opening import Entrance

_JSON = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_ONLY = Annotated[
    str | None,
    typer.Option(
        help="Servers to start, by commas: kafka,registry,redis,mysql,clickhouse. Default: all."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (up, down, status, doctor):
        app.command()(command)


def up(
    workers: Annotated[
        int,
        typer.Option(min=0, help="Worker processes; they share the partitions. 0: servers only."),
    ] = 1,
    only: _ONLY = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Wipe the data of earlier runs.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of the API on 127.0.0.1. Default: 8080, or a free one."
        ),
    ] = None,
    with_prometheus: Annotated[
        bool,
        typer.Option("--prometheus", help="Run Prometheus, too, where it is installed."),
    ] = False,
    as_json: _JSON = False,
) -> None:
    """Start everything and leave it running; data is kept between runs.

    It ends by printing the link of the shop page, in which a person orders, pays and watches. A
    shop that sells nothing yet is given 24 goods.

    Everything is: the servers, topics and schemas, the workers, the simulated payment gateway, the
    sinks, the flows of live reports and stock alerts, and the API (HTTP). Servers named by
    ORDERSTREAM_KAFKA, _REGISTRY, _REDIS, _MYSQL or _CLICKHOUSE are used as they are, not started.

    What Prometheus needs to scrape them is in prometheus/ below ORDERSTREAM_HOME; for Grafana see
    docs/dashboards.md.

    Example: orderstream up --workers 2 --fresh

    Exit codes: 0 all are ready; 1 one did not start (its log's end is shown); 2 no such server;
    3 its files could not be fetched.
    """
    from rich.console import Console

    from deploy import stack
    from deploy.progress import shown_on
    from deploy.settings import DeploySettings
    from topologies.opening import usual_port
    from topologies.services import keys, pipeline, sinks, webhooks

    servers = tuple(only.split(",")) if only else stack.ALL_SERVERS
    if unknown := set(servers) - set(stack.ALL_SERVERS):
        raise typer.BadParameter(f"no such server: {', '.join(sorted(unknown))}", param_hint="only")
    console = Console(stderr=True)
    with shown_on(console) as progress:
        env = keys(DeploySettings().home)
        pipe = pipeline(workers, api_port=port or usual_port(), front_env=env)
        parts = (*pipe, *sinks(servers))
        if "redis" in servers:
            parts = (*parts, webhooks(env))
        services = _measured(parts, with_prometheus) if workers else ()
        if not stack.status():
            names = [*servers, *(service.name for service in services)]
            console.print(f"starting {', '.join(names)}", style="dim", highlight=False)
        endpoints = stack.up(
            stack.Options(servers=servers, services=services, fresh=fresh, progress=progress)
        )
    way = _opened(console, endpoints)
    if as_json:
        found = {} if way is None else {"api": way.url, "shop": way.shop, "token": way.token}
        print(json.dumps({**endpoints.addresses, **found}))
        return
    for variable, address in endpoints.environ().items():
        print(f"export {variable}={address}")
    if way is not None:
        show_entrance(console, way)
    console.print("running; see: orderstream status, stop: orderstream down", style="dim")


def _opened(console: Console, endpoints: Endpoints) -> Entrance | None:
    """Return the way into the running stack, whose shop sells something; None without an API."""
    import httpx2

    from deploy.settings import DeploySettings
    from topologies.load.clients import LoadError
    from topologies.opening import entrance, stock_empty_shop

    url = _api_url()
    if url is None:
        return None
    way = entrance(url, DeploySettings().home)
    try:
        stock_empty_shop(way, endpoints.kafka, endpoints.registry)
    except (LoadError, httpx2.HTTPError) as error:  # all runs, only the shelves are empty
        console.print(f"nothing is on sale yet: {error}", highlight=False, markup=False)
    return way


def show_entrance(console: Console, way: Entrance) -> None:
    """Say where a person goes in; links stay in one piece, however narrow the screen."""
    lines = [
        ("shop", way.shop),
        ("live", way.live),
        ("API", way.docs),
        ("token", way.token or "of your own issuer"),
    ]
    for name, text in lines:
        console.print(f"{name:5}  {text}", soft_wrap=True, highlight=False, markup=False)


def _measured(parts: tuple[Service, ...], with_prometheus: bool) -> tuple[Service, ...]:
    """Give processes ports for their metrics, tell Prometheus of them, and run it on wish."""
    from deploy import stack
    from deploy.process import free_ports
    from deploy.settings import DeploySettings
    from topologies import prometheus
    from topologies.services import measured

    home = DeploySettings().home
    if stack.state(home) is not None:  # its own files are right
        return parts
    services = measured(parts)
    config = prometheus.lay_out(home / "prometheus", services)
    if not with_prometheus:
        return services
    (port,) = free_ports(1)
    return (*services, prometheus.service(config, home / "prometheus" / "data", port))


def _api_url() -> str | None:
    """Return where the API of the running stack answers; None when it has none."""
    from pathlib import Path

    from deploy import stack
    from topologies.processes import entries

    for service in stack.status():
        if service.name == "api" and service.log:
            urls = [one["url"] for one in entries(Path(service.log)) if one["event"] == "serving"]
            return str(urls[-1]) if urls else None
    return None


def down(as_json: _JSON = False) -> None:
    """Stop what `up` started; its data stays.

    Example: orderstream down

    Exit codes: 0 nothing runs any more.
    """
    from deploy import stack

    stopped = stack.down()
    if as_json:
        print(json.dumps({"stopped": stopped}))
    else:
        print("stopped" if stopped else "nothing was running")


def status(as_json: _JSON = False) -> None:
    """Show every process of the running stack.

    Example: orderstream status --json

    Exit codes: 0 all are ready; 1 one is not; 3 nothing is running.
    """
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from deploy import stack

    services = stack.status()
    if as_json:
        print(msgspec.json.encode(services).decode())
    elif services:
        table = Table("name", "state", "pid", "restarts", "metrics", "log", box=None)
        for one in services:
            pid = str(one.process.pid) if one.process else ""
            metrics = f":{one.metrics_port}/metrics" if one.metrics_port else ""
            table.add_row(one.name, one.phase, pid, str(one.restarts), metrics, one.log)
        Console().print(table)
    else:
        print("nothing is running; start it: orderstream up")
    if not services:
        raise typer.Exit(3)
    if any(one.phase not in ("ready", "done") for one in services):
        raise typer.Exit(1)


def doctor(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Bring missing servers into the cache first.")
    ] = False,
    as_json: _JSON = False,
) -> None:
    """Say what this machine lacks, and the command that mends it.

    Example: orderstream doctor --fetch

    Exit codes: 0 nothing is missing; 3 something is.
    """
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from deploy import stack
    from deploy.doctor import examine
    from deploy.progress import shown_on
    from deploy.training import train

    options = stack.Options()
    if fetch:
        console, external = Console(stderr=True), options.settings.external()
        with shown_on(console) as progress:
            cache = stack.cache(options.settings)
            cache.fetch(stack.artifacts_of(options), progress)
        for name in train(cache, [one for one in options.servers if one not in external]):
            console.print(f"observing a start of {name}, so that later ones are quick (once)")
    findings = list(examine(options))
    if as_json:
        print(msgspec.json.encode(findings).decode())
    else:
        table = Table(box=None, show_header=False)
        for one in findings:
            mark = "[green]ok[/]" if one.ok else "[red]missing[/]"
            table.add_row(mark, one.subject, one.detail, one.mend and f"-> {one.mend}")
        Console().print(table)
    if not all(one.ok for one in findings):
        raise typer.Exit(3)
