"""``python -m tests.bench.peers``: this engine and its peers on one workload, in one go."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy import stack
from deploy.progress import shown_on
from tests.bench.peers.accounts import deductions, mistakes
from tests.bench.peers.driver import Outcome, Plan, drive
from tests.bench.peers.engines import Command, Engine, Unavailable, engines, running
from tests.bench.peers.figures import Measured, Ratio, Sheet, latencies, ratios
from tests.bench.peers.workload import Basket, baskets
from topologies.load.clients import run_name

_KNOWN = {engine.name: engine for engine in engines()}
_READY_PATIENCE_S = 90.0
_WARMUP_WINDOW = 2_000
_PACED_WARMUP_S = 5.0
_PACED_ORDERS_MARGIN = 2  # the last order of a run is due exactly at its end


def main(
    peers: Annotated[
        str, typer.Option(help="Engines, by commas: ours,faust,quix,kstreams-alo,kstreams-eos.")
    ] = ",".join(_KNOWN),
    windows: Annotated[str, typer.Option(help="Windows of the closed loops.")] = "2000,4000",
    rate: Annotated[int, typer.Option(min=0, help="Orders a second, open loop; 0: none.")] = 1_000,
    runs: Annotated[int, typer.Option(min=1, help="Closed loops at each window.")] = 3,
    orders: Annotated[int, typer.Option(min=1, help="At most so many in a closed loop.")] = 60_000,
    seconds: Annotated[float, typer.Option(help="At most so long a closed loop sends.")] = 10.0,
    paced_seconds: Annotated[float, typer.Option(help="How long the open loop sends.")] = 25.0,
    warmup: Annotated[int, typer.Option(help="Orders of the warm-up.")] = 40_000,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each engine.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of Kafka Streams.")] = 2,
    out: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Measure each engine on a broker of its own, then print medians and ratios.

    Nothing else should run on the machine. An engine that cannot be had here is left out by name.

    Exit codes: 0 measured, and every engine did its work; 1 one lost, doubled or miscounted.
    """
    wanted = peers.split(",")
    if unknown := set(wanted) - set(_KNOWN):
        raise typer.BadParameter(f"no such engine: {', '.join(sorted(unknown))}")
    bench = Bench(
        console=Console(stderr=True),
        windows=tuple(map(int, windows.split(","))),
        rate=float(rate),
        runs=runs,
        closed=Plan(orders, seconds=seconds),
        paced_seconds=paced_seconds,
        warmup=warmup,
        processes=processes,
        threads=threads,
    )
    sheets: dict[str, Sheet] = {}
    for engine in (_KNOWN[name] for name in wanted):
        sheet = bench.measure(engine)
        if sheet is not None:
            sheets[engine.name] = sheet
            if out is not None:  # also when a later engine fails
                _write(out, sheets)
    show(sheets, ratios(sheets))
    if any(sheet.wrong for sheet in sheets.values()):
        raise typer.Exit(1)


class Lost(Exception):
    """Orders did not come to their end: what would be measured after that means nothing."""


class Bench:
    """Measures engines one after the other, all in the same way."""

    def __init__(
        self,
        console: Console,
        windows: tuple[int, ...],
        rate: float,
        runs: int,
        closed: Plan,
        paced_seconds: float,
        warmup: int,
        processes: int,
        threads: int,
    ) -> None:
        self._console = console
        self._windows = windows
        self._rate = rate
        self._runs = runs
        self._closed = closed
        self._paced_seconds = paced_seconds
        self._warmup = warmup
        self._processes = processes
        self._threads = threads
        self._baskets: list[Basket] = baskets()

    def measure(self, engine: Engine) -> Sheet | None:
        """Run all runs on one engine and a fresh broker; None when it cannot be had here."""
        say = self._console.print
        say(f"[bold]{engine.title}[/] ({engine.name})", highlight=False)
        try:
            command = engine.ready()
        except Unavailable as lack:
            say(f"  left out: {lack}", highlight=False)
            return None
        with ExitStack() as ending:
            folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="peers-"))
            with shown_on(self._console) as progress:
                options = stack.Options(servers=("kafka",), progress=progress)
                kafka = ending.enter_context(stack.running(options)).kafka
            return self._on(engine, command, kafka, Path(folder))

    def _on(self, engine: Engine, command: Command, kafka: str, folder: Path) -> Sheet:
        sheet, done = Sheet(engine.title), list[tuple[str, int]]()
        with running(engine, command, kafka, folder, self._processes, self._threads) as alive:

            def run(name: str, plan: Plan) -> Measured:
                label, cpu_s = run_name(), alive.cpu_s()
                outcome = drive(kafka, engine.wire, plan, label, self._baskets)
                cores = (alive.cpu_s() - cpu_s) / outcome.seconds
                done.append((label, outcome.orders))
                self._say(name, outcome, cores)
                if outcome.repeated:
                    sheet.wrong.append(f"{name}: {outcome.repeated:,} events came again")
                if outcome.missing:
                    raise Lost(f"{name}: {outcome.missing:,} orders were never paid")
                return Measured(outcome, cores)

            try:
                self._all_runs(engine, sheet, run)
                sheet.wrong += self._mistakes(engine, kafka, done)
            except Lost as lost:
                sheet.wrong.append(str(lost))
                self._console.print(alive.log_tail(), highlight=False, markup=False)
            sheet.peak_mb = alive.peak_mb()
        for wrong in sheet.wrong:
            self._console.print(f"  [red]wrong[/]: {wrong}", highlight=False)
        return sheet

    def _all_runs(self, engine: Engine, sheet: Sheet, run: Callable[[str, Plan], Measured]) -> None:
        seconds, orders = self._closed.seconds, self._closed.orders
        run("first order", Plan(1, window=1, patience_s=_READY_PATIENCE_S))
        run("warm-up", Plan(self._warmup, window=_WARMUP_WINDOW, seconds=2 * seconds))
        for window in self._windows:
            plan = Plan(orders, window=window, seconds=seconds)
            for _ in range(self._runs):
                sheet.closed.setdefault(window, []).append(run(f"window {window:,}", plan))
        rate = min(self._rate, engine.rate or self._rate)
        if rate:
            sheet.paced[rate] = [run(f"{rate:g} a second", self._paced(rate))]

    def _paced(self, rate: float) -> Plan:
        orders = int(rate * self._paced_seconds) + _PACED_ORDERS_MARGIN
        return Plan(orders, rate=rate, seconds=self._paced_seconds, warmup_s=_PACED_WARMUP_S)

    def _mistakes(self, engine: Engine, kafka: str, done: list[tuple[str, int]]) -> list[str]:
        """Hold what the engine wrote about stock against what was ordered."""
        pool = self._baskets
        lines = sum(len(pool[n % len(pool)]) for _, orders in done for n in range(orders))
        return mistakes(deductions(kafka, engine.wire, lines), done, pool)

    def _say(self, name: str, outcome: Outcome, cores: float) -> None:
        create, pay = outcome.create, outcome.pay
        self._console.print(
            f"  {name:<14} {outcome.per_second:>8,.0f} orders/s"
            f"   create {create.p50_ms:.0f}/{create.p99_ms:.0f}"
            f"   pay {pay.p50_ms:.0f}/{pay.p99_ms:.0f} ms"
            f"   cores: engine {cores:.2f}, driver {outcome.driver_s / outcome.seconds:.2f}",
            highlight=False,
            soft_wrap=True,
        )


def show(sheets: dict[str, Sheet], compared: list[Ratio]) -> None:
    """Print a table of medians, and the ratios with the bars that they are held against."""
    windows = list(dict.fromkeys(w for sheet in sheets.values() for w in sheet.closed))
    table = Table(
        "engine", *(f"window {w:,}" for w in windows), "at", "create", "pay", "cores", box=None
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, sheet in sheets.items():
        cells = [f"{sheet.per_second(window):,.0f}" for window in windows]
        rate = next(iter(sheet.paced), 0.0)
        found = latencies(sheet.paced.get(rate, []))
        cores = [one.engine_cores for one in sheet.paced.get(rate, [])]
        cells += [
            f"{rate:g}/s",
            f"{found['create_p50_ms']:.0f}/{found['create_p99_ms']:.0f}",
            f"{found['pay_p50_ms']:.0f}/{found['pay_p99_ms']:.0f}",
            f"{cores[0]:.2f}" if cores else "",
        ]
        table.add_row(name, *cells)
    console = Console()
    console.print(table)
    if compared:
        console.print("ours / peer (above 1: more orders, or longer):")
    for one in compared:
        verdict = {True: "[green]holds[/]", False: "[red]falls short[/]", None: ""}[one.holds]
        line = f"  {one.peer:<14}{one.what:<28}{one.ratio:>7.2f}   {one.wanted:<12} {verdict}"
        console.print(line, highlight=False, soft_wrap=True)


def _write(out: Path, sheets: dict[str, Sheet]) -> None:
    content = {
        "engines": {name: sheet.as_json() for name, sheet in sheets.items()},
        "ratios": [asdict(one) for one in ratios(sheets)],
    }
    out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
