"""Commands that measure: `bench core`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

_SKUS, _UNITS = 10_000, 1_000_000
_WINDOWS = (2_000, 4_000)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Measure the pipeline on this machine.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(core)
    app.add_typer(group, name="bench")


def _group() -> None:
    """Measure the pipeline on this machine."""


def core(
    orders: Annotated[int, typer.Option(min=1000, help="Orders of each run.")] = 60_000,
    rate: Annotated[int, typer.Option(min=1, help="Orders a second of the open loop.")] = 1_000,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure create and pay through a fresh broker and worker, the driver playing the gateway.

    Closed loop at windows of 2,000 and 4,000 orders, then an open loop at a rate. The first sixth
    of each run warms up. Broker, worker and driver share this machine; nothing else should run.

    Example: orderstream bench core --json figures.json

    Exit codes: 0 measured; 1 an order did not come to its end; 3 something is missing.
    """
    from contextlib import ExitStack

    from rich.console import Console

    from deploy import stack
    from deploy.progress import shown_on
    from topologies.cli import load
    from topologies.cli.progress import counting
    from topologies.load.catalogue import make_catalogue
    from topologies.load.clients import connect, run_name
    from topologies.load.closed_loop import Bench, Figures, run_bench
    from topologies.load.stocking import bring_stock
    from topologies.services import setup, worker

    console = Console(stderr=True)
    figures: dict[str, Figures] = {}
    with ExitStack() as ending:
        services = (*setup(), *(worker(n) for n in range(1, workers + 1)))
        with shown_on(console) as progress:
            options = stack.Options(
                servers=("kafka", "registry"), services=services, progress=progress
            )
            endpoints = ending.enter_context(stack.running(options))
        where = connect(endpoints.kafka, endpoints.registry)
        catalogue = make_catalogue(_SKUS, _UNITS, seed=1)
        bring_stock(where, catalogue, run_name(), inside=True)
        runs = {f"window {window:,}": Bench(orders, window) for window in _WINDOWS}
        runs[f"{rate:,} a second"] = Bench(min(orders, 30 * rate), rate=float(rate))
        for name, plan in runs.items():
            warm = Bench(plan.orders, plan.window, plan.rate, warmup=plan.orders // 6)
            with counting(console, name) as counted:
                figures[name] = run_bench(where, catalogue, warm, run_name(), counted)
            print(f"--- {name}")
            load.show_figures(figures[name])
    closed = [figures[f"window {window:,}"].per_second for window in _WINDOWS]
    paced = figures[f"{rate:,} a second"]
    summary = {
        "closed_loop_orders_per_s": max(closed),
        **{f"closed_loop_orders_per_s_at_{w}": s for w, s in zip(_WINDOWS, closed, strict=True)},
        f"create_p50_ms_at_{rate}": paced.create.p50_ms,
        f"create_p99_ms_at_{rate}": paced.create.p99_ms,
        f"pay_p50_ms_at_{rate}": paced.pay.p50_ms,
        f"pay_p99_ms_at_{rate}": paced.pay.p99_ms,
    }
    if out is not None:
        out.write_text(json.dumps(summary, indent=2) + "\n")
    print("---")
    for key, value in summary.items():
        print(f"{key:<36}{value:>12,.1f}")
    if not all(one.ok for one in figures.values()):
        raise typer.Exit(1)
