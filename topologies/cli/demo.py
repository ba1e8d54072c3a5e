"""Command `demo`: everything at once on this machine, and proof that it adds up."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.stack import Endpoints
    from topologies.audit.auditor import Verdict
    from topologies.warehouse_answers import Answer

_SERVERS = ("kafka", "registry", "redis", "mysql", "clickhouse")
_PAYMENT_WINDOW_MS = 15_000  # short, so that the unpaid orders are seen to expire
_WINDOW = (
    300  # orders under way at once: with all processes on two cores each takes a second or two
)
_PAYERS = "pay=90,late=3,never=2,twice=2,cancel=2,decline=1"
_GATEWAY_FAULTS = ("--duplicate", "0.03", "--reordered", "0.03", "--lost", "0.01")
_SKUS, _UNITS = 1_000, 2_000  # the most popular skus sell out
_SETTLE_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(demo)


def demo(
    orders: Annotated[int, typer.Option(min=1, help="How many orders to place.")] = 11_500,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop and buyers.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Start real servers and workers, run orders through them, and let the auditor judge.

    Some buyers pay late, twice or never, cancel, or are declined; the gateway repeats, reorders
    and loses messages; popular skus sell out. At the end the warehouse is asked in SQL, and has to
    answer what the auditor counted. All of it runs in a temporary folder and ends with the command.

    Example: orderstream demo --orders 20000 --workers 2

    Exit codes: 0 every order came to its end, every law holds, the warehouse agrees; 1 not so;
    3 something is missing and could not be fetched.
    """
    from rich.console import Console

    from deploy import stack
    from deploy.process import free_ports
    from deploy.progress import shown_on
    from deploy.settings import DeploySettings
    from topologies.cli.stack import show_entrance
    from topologies.opening import entrance
    from topologies.services import api_url, keys, pipeline, sinks

    console = Console(stderr=True)
    started_s = time.monotonic()
    env = {"ORDERSTREAM_PAYMENT_WINDOW_MS": str(_PAYMENT_WINDOW_MS)}
    console.print("demo: starting Kafka and the stores, workers, the API, a gateway, sinks, flows")
    (port,) = free_ports(1)
    with ExitStack() as ending:
        # What waits for this Kafka is nothing for that of `up`.
        spool = ending.enter_context(tempfile.TemporaryDirectory(prefix="orderstream-spool-"))
        front_env = {
            **keys(DeploySettings().home),
            "ORDERSTREAM_API_SPOOL_FOLDER": spool,
        }
        with shown_on(console) as progress:
            options = stack.Options(
                servers=_SERVERS,
                services=(
                    *pipeline(workers, env, _GATEWAY_FAULTS, api_port=port, front_env=front_env),
                    *sinks(_SERVERS),
                ),
                progress=progress,
            )
            endpoints = ending.enter_context(stack.running(options))
        console.print(f"demo: everything runs after {time.monotonic() - started_s:.1f} s")
        console.print("demo: meanwhile, order something yourself")
        show_entrance(console, entrance(api_url(port), DeploySettings().home))
        ok = _run(console, endpoints, orders, seed, as_json)
    console.print(f"demo: {time.monotonic() - started_s:.1f} s in all", highlight=False)
    if not ok:
        raise typer.Exit(1)


def _run(console: Console, endpoints: Endpoints, orders: int, seed: int, as_json: bool) -> bool:
    import json

    from topologies.audit import reader
    from topologies.cli import audit, load
    from topologies.cli.progress import counting
    from topologies.load import intents
    from topologies.load.catalogue import make_catalogue
    from topologies.load.clients import connect, run_name
    from topologies.load.payers import parse_mix
    from topologies.load.stocking import bring_stock, list_skus
    from topologies.warehouse_answers import ask

    where, run = connect(endpoints.kafka, endpoints.registry), run_name()
    catalogue = make_catalogue(_SKUS, _UNITS, seed)
    list_skus(where, catalogue)
    with counting(console, "stock") as progress:
        bring_stock(where, catalogue, run, progress=progress)
    console.print(f"demo: {orders:,} order intents into order.intents, every buyer as she likes")
    plan = intents.Load(
        orders=orders, window=_WINDOW, mix=parse_mix(_PAYERS), seed=seed, repeated=50
    )
    with counting(console, "orders") as progress:
        report = intents.run_load(where, catalogue, plan, run, progress)
    reader.wait_quiet(endpoints.kafka, timeout_s=_SETTLE_S)
    with counting(console, "facts") as progress:
        verdict = reader.audit(endpoints.kafka, endpoints.registry, True, orders, progress)
    answers = ask(endpoints.clickhouse, verdict, _SETTLE_S)
    if as_json:
        told = {"load": report.as_json(), "audit": audit.verdict_json(verdict)}
        print(json.dumps({**told, "warehouse": [one._asdict() for one in answers]}))
    else:
        load.show_report(report)
        _show_stock(verdict)
        audit.show(verdict)
        _show_answers(answers)
        _show_what_next()
    return report.ok and verdict.ok and all(one.found == one.expected for one in answers)


def _show_stock(verdict: Verdict) -> None:
    counters = verdict.counters
    print(
        f"stock: received {counters['units_received']:,} units, sold {counters['units_sold']:,}, "
        f"held {counters['units_held']:,}"
    )


def _show_answers(answers: list[Answer]) -> None:
    print("\nthe warehouse, asked in SQL, and the auditor's own sums:")
    for about, sql, found, expected in answers:
        mark = "=" if found == expected else "BUT"
        print(f"  {about:<36}{found:>16,} {mark} {expected:,}")
        if found != expected:
            print(f"    {sql}")


def _show_what_next() -> None:
    print(
        "\nnext: orderstream up                      the same, to stay (stop: orderstream down)\n"
        "      orderstream load --rate 500         orders at your pace\n"
        "      orderstream hot-sku --direct        everybody wants the last thousand units\n"
        "      orderstream audit --final           let the auditor judge\n"
        "      orderstream dlq list                what was refused, and why"
    )
