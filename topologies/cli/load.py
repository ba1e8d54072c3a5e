"""Commands that put the system under load: `load`, `hot-sku`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
)

if TYPE_CHECKING:
    from topologies.load.clients import Where
    from topologies.load.closed_loop import Figures
    from topologies.load.latency import Latency
    from topologies.load.report import Report

_SEED = Annotated[int, typer.Option(help="The same seed makes the same shop, carts and buyers.")]
_STOCK_PER_SKU = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(load)
    app.command("hot-sku")(hot_sku)


def load(
    orders: Annotated[int, typer.Option(min=1, help="How many orders to place.")] = 1_000,
    rate: Annotated[
        float | None, typer.Option(help="Orders a second. Without it: a window of open orders.")
    ] = None,
    window: Annotated[int, typer.Option(min=1, help="Orders open at the same time.")] = 1_000,
    payers: Annotated[
        str,
        typer.Option(help="Shares of buyers, of: pay, late, never, twice, cancel, decline."),
    ] = "pay=1",
    skus: Annotated[int, typer.Option(min=1, help="Skus in the shop.")] = 1_000,
    stock: Annotated[int, typer.Option(min=0, help="Units of each sku; 0: bring none.")] = (
        _STOCK_PER_SKU
    ),
    zipf: Annotated[float, typer.Option(help="Exponent of popularity; 0: all alike.")] = 1.0,
    seed: _SEED = 1,
    complete: Annotated[bool, typer.Option(help="Buyers confirm that they have the goods.")] = True,
    repeat: Annotated[int, typer.Option(help="Send every n-th intent twice; 0: none.")] = 0,
    direct: Annotated[
        bool,
        typer.Option("--direct", help="For benches: straight into the inbox, pay without gateway."),
    ] = False,
    warmup: Annotated[int, typer.Option(help="With --direct: orders not measured.")] = 0,
    timeout: Annotated[
        float, typer.Option(help="Seconds without any news after which open orders are missing.")
    ] = 60.0,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a shop, place orders, pay them, and follow each to its end.

    Needs a running worker and, without --direct, the simulated gateway; `up` starts both.

    Example: orderstream load --orders 10000 --rate 500 --payers pay=90,never=5,twice=5

    Exit codes: 0 every order came to its end; 1 an order is missing or became two; 3 Kafka, the
    registry or a worker does not answer.
    """
    from rich.console import Console

    from topologies.cli.progress import counting
    from topologies.load import closed_loop, intents
    from topologies.load.catalogue import make_catalogue
    from topologies.load.clients import run_name
    from topologies.load.payers import parse_mix
    from topologies.load.stocking import bring_stock, list_skus

    console = Console(stderr=True)
    try:
        mix = parse_mix(payers)
        bench = closed_loop.Bench(orders, window, rate, warmup if direct else 0, seed, zipf)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    catalogue, run = make_catalogue(skus, stock, seed), run_name()
    with _connected(kafka, registry) as where:
        if not direct:
            list_skus(where, catalogue)
        if stock:
            with counting(console, "stock") as progress:
                bring_stock(where, catalogue, run, inside=direct, progress=progress)
        if direct:
            with counting(console, "orders") as progress:
                figures = closed_loop.run_bench(where, catalogue, bench, run, progress)
            print(json.dumps(asdict(figures))) if as_json else show_figures(figures)
            ok = figures.ok
        else:
            order = intents.Load(
                orders=orders,
                rate=rate,
                window=window,
                mix=mix,
                seed=seed,
                exponent=zipf,
                completes=complete,
                repeated=repeat,
                timeout_s=timeout,
            )
            with counting(console, "orders") as progress:
                report = intents.run_load(where, catalogue, order, run, progress)
            print(json.dumps(report.as_json())) if as_json else show_report(report)
            ok = report.ok
    if not ok:
        raise typer.Exit(1)


def hot_sku(
    tries: Annotated[int, typer.Option(min=1, help="Buyers at the same moment.")] = 10_000,
    units: Annotated[int, typer.Option(min=1, help="Units that there are.")] = 1_000,
    direct: Annotated[
        bool, typer.Option("--direct", help="Straight into the inbox, pay without gateway.")
    ] = False,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let everybody want the last units of one sku at once.

    Example: orderstream hot-sku --tries 100000 --units 500 --direct

    Exit codes: 0 exactly the units were sold and everybody was answered; 1 not so; 3 Kafka, the
    registry or a worker does not answer.
    """
    from rich.console import Console

    from topologies.cli.progress import counting
    from topologies.load.clients import run_name
    from topologies.load.hot_sku import run_hot_sku

    run = run_name()
    with (
        _connected(kafka, registry) as where,
        counting(Console(stderr=True), "tries") as progress,
    ):
        # A sku of its own, so that no earlier run has left units of it.
        found = run_hot_sku(where, int(run, 16), tries, units, run, direct, progress=progress)
    if as_json:
        print(json.dumps(asdict(found) | {"ok": found.ok, "oversold": found.oversold}))
    else:
        print(f"{found.tries:,} tries on {found.units:,} units in {found.seconds:.1f} s")
        print(f"winners {found.winners:,}, losers {found.losers:,}, oversold {found.oversold:,}")
        _show_latency("create", found.create)
    if not found.ok:
        raise typer.Exit(1)


@contextmanager
def _connected(kafka: str | None, registry: str | None) -> Iterator[Where]:
    """Give the system under load; what goes wrong with it ends the command with exit code 3."""
    from deploy.errors import MissingError
    from schemas.registry import SchemasMissing
    from topologies.load.clients import LoadError, connect

    try:
        yield connect(kafka_address(kafka), registry_url(registry))
    except (LoadError, SchemasMissing) as error:
        raise MissingError(str(error)) from error


def show_report(report: Report) -> None:
    """Print the final table of a load, its latencies, and what is missing."""
    from rich.console import Console
    from rich.table import Table

    from topologies.load.payers import Payer

    payers = [p for p in Payer if any(p in counts for counts in report.states.values())]
    table = Table("state", "orders", *payers, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for state, counts in report.states.items():
        cells = [f"{counts.get(payer, 0):,}" for payer in payers]
        table.add_row(state, f"{sum(counts.values()):,}", *cells)
    Console().print(table)
    per_second = report.orders / report.seconds if report.seconds else 0.0
    print(f"{report.orders:,} orders in {report.seconds:.1f} s ({per_second:,.0f}/s)")
    _show_latency("create", report.create)
    _show_latency("pay", report.pay)
    if report.behind_ms:
        print(f"the generator was at most {report.behind_ms:.1f} ms behind its rate")
    if report.repeated_facts:
        print(f"{report.repeated_facts:,} facts came again")
    for reason, count in report.refused.items():
        print(f"refused: {reason}: {count:,}")
    for numbers in report.doubled:
        print(f"one order became two: {' and '.join(numbers)}")
    for name in report.missing:
        print(f"missing: {name}")
    if report.missing_count > len(report.missing):
        print(f"missing: {report.missing_count - len(report.missing):,} more")


def show_figures(figures: Figures) -> None:
    """Print what a direct run measured."""
    print(
        f"{figures.orders:,} orders in {figures.seconds:.1f} s: {figures.per_second:,.0f} orders/s"
    )
    print(
        f"paid {figures.paid:,}, rejected {figures.rejected:,}, undone {figures.undone:,}, "
        f"missing {figures.missing:,}"
    )
    _show_latency("create", figures.create)
    _show_latency("pay", figures.pay)
    print(
        f"{figures.repeated_facts:,} facts came again; driver {figures.driver_us:.0f} us an order"
    )


def _show_latency(name: str, latency: Latency) -> None:
    if latency.measured:
        print(
            f"{name:<7} p50 {latency.p50_ms:.1f} ms, p95 {latency.p95_ms:.1f} ms, "
            f"p99 {latency.p99_ms:.1f} ms, max {latency.max_ms:.1f} ms"
        )
