"""Commands that measure: `bench core`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

_PARTS = ("closed", "paced", "bytes", "hot", "takeover")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Measure the pipeline on this machine.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(core)
    app.add_typer(group, name="bench")


def _group() -> None:
    """Measure the pipeline on this machine."""


def core(
    only: Annotated[
        str, typer.Option(help="Parts to measure, by commas: closed,paced,bytes,hot,takeover.")
    ] = ",".join(_PARTS),
    orders: Annotated[int, typer.Option(min=1000, help="Orders of each closed loop.")] = 60_000,
    rate: Annotated[int, typer.Option(min=1, help="Orders a second of the open loop.")] = 1_000,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of the loops.")] = 2,
    tries: Annotated[int, typer.Option(min=1000, help="Tries to hold the hot sku.")] = 200_000,
    entities: Annotated[
        int, typer.Option(min=1000, help="Live records before the takeover.")
    ] = 1_000_000,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure the pipeline through fresh servers and workers, the driver playing the gateway.

    Servers, workers and driver share this machine; nothing else should run. In all: seven minutes.

    closed    orders/s, create and pay, with windows of 2,000 and 4,000 open orders; processor time
              for an order and peak memory of worker, broker and driver

    paced     P50 and P99 of create and of pay at --rate orders a second

    bytes     size of all topics' logs on disk for an order, and of the facts alone, over the loops

    hot       reservations decided a second on one sku, all --tries waiting in the inventory stage's
              inbox; its worker runs that stage only

    takeover  from the assignment of all partitions, with --entities live records, to the last one
              loaded; then two workers under --rate, one is killed: the longest that any order
              waited for its decision

    The first sixth of each loop and of the tries warms up.

    Example: orderstream bench core --only closed,paced --json figures.json

    Exit codes: 0 measured; 1 an order did not come to its end, or a unit was promised twice; 3
    something is missing.
    """
    from rich.console import Console

    from topologies.bench.core import Core

    parts = only.split(",")
    if unknown := set(parts) - set(_PARTS):
        raise typer.BadParameter(f"no such part: {', '.join(sorted(unknown))}", param_hint="only")
    bench = Core(Console(stderr=True), orders, rate, workers)
    if {"closed", "paced", "bytes"} & set(parts):
        bench.loops(closed="closed" in parts, paced="paced" in parts, size="bytes" in parts)
    if "hot" in parts:
        bench.hot(tries)
    if "takeover" in parts:
        bench.takeover(entities)
    if out is not None:
        out.write_text(json.dumps(bench.figures, indent=2) + "\n")
    print("---")
    for key, value in bench.figures.items():
        print(f"{key:<36}{value:>12,.1f}")
    if not bench.ok:
        raise typer.Exit(1)
