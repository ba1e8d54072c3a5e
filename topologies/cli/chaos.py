"""Command `chaos`: faults under load, each proven to bite, judged after every round."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from rich.console import Console

    from topologies.chaos.report import Outcome
    from topologies.chaos.schedule import Fault, Round

_MIN_SECONDS = 10  # below, faults would outlast the load by far


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(chaos)


def chaos(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed draws the same schedule.")] = 1,
    rate: Annotated[int, typer.Option(min=1, help="Orders a second, all the time.")] = 500,
    seconds_per_round: Annotated[
        int, typer.Option(min=_MIN_SECONDS, help="Seconds of load in each round.")
    ] = 30,
    faults: Annotated[
        str | None,
        typer.Option(help="Faults to draw from, by commas. Default: all that this machine can."),
    ] = None,
    workers: Annotated[int, typer.Option(min=2, help="Worker processes.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the schedule.")] = False,
    report: Annotated[
        Path | None, typer.Option("--json", help="Write the whole report to this file.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep logs and data of all servers.")
    ] = False,
) -> None:
    """Break things under load, and let the auditor and a replay judge after every round.

    Runs its own broker, registry, gateway and workers on 127.0.0.1, in a temporary folder; all of
    it ends with the command. Each fault has counters that prove that it bit; a round whose fault
    did not bite is failed. With one broker its SIGKILL loses nothing that was acknowledged: the
    page cache survives the process (a power cut is another matter).

    Example: orderstream chaos --rounds 20 --seed 7 --rate 500

    Exit codes: 0 every fault bit, every order came to its end, the auditor and the replay found
    nothing wrong; 1 not so; 2 no such fault; 3 a named fault cannot strike on this machine, or
    servers could not be fetched.
    """
    from rich.console import Console

    from deploy.errors import MissingError
    from topologies.chaos import report as reports
    from topologies.chaos.means import lacking
    from topologies.chaos.rounds import Plan, run_rounds
    from topologies.chaos.schedule import Fault, draw_rounds
    from topologies.chaos.system import ChaosError

    named = _parse(faults)
    left_out = {fault: why for fault in (named or Fault) if (why := lacking(fault)) is not None}
    if named and left_out:
        raise MissingError("; ".join(f"{fault}: {why}" for fault, why in left_out.items()))
    drawn = [fault for fault in (named or Fault) if fault not in left_out]
    schedule = draw_rounds(seed, rounds, drawn, seconds_per_round, workers)
    again = (
        f"orderstream chaos --rounds {rounds} --seed {seed} --rate {rate} --seconds-per-round "
        f"{seconds_per_round} --workers {workers} --faults {','.join(drawn)}"
    )
    console = Console(stderr=True)
    _show_schedule(schedule, left_out, again)
    if dry_run:
        return
    signal.signal(signal.SIGTERM, _interrupt)
    plan = Plan(schedule, rate, seconds_per_round, workers, seed, keep)
    outcomes: list[Outcome] = []

    def done(one: Outcome) -> None:
        outcomes.append(one)
        _show_outcome(console, one)

    try:
        run_rounds(plan, lambda text: _say(console, text), done)
    except ChaosError as error:
        console.print(f"chaos: {error}", style="red", markup=False, soft_wrap=True)
    finally:
        whole = reports.as_json(outcomes, seed, left_out, again)
        if report is not None:
            report.write_text(json.dumps(whole, indent=2) + "\n")
    _show_table(outcomes, left_out)
    for fault, stall_s in whole["worst_stall_s"].items():
        print(f"longest wait of an order in a round of {fault} alone: {stall_s:.1f} s")
    if len(outcomes) < rounds or not whole["ok"]:
        print(f"chaos: failed; again: {again}")
        raise typer.Exit(1)
    print(f"chaos: ok, {whole['orders']:,} orders in {rounds} rounds")


def _parse(names: str | None) -> list[Fault]:
    from topologies.chaos.schedule import Fault

    try:
        return [Fault(name.strip()) for name in names.split(",")] if names else []
    except ValueError as error:
        raise typer.BadParameter(f"{error}; faults are {', '.join(Fault)}") from error


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C: everything that was started is stopped on the way out."""
    raise KeyboardInterrupt


def _say(console: Console, text: str) -> None:
    line = f"{time.strftime('%H:%M:%S')} {text}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _show_schedule(schedule: Sequence[Round], left_out: Mapping[Fault, str], again: str) -> None:
    for one in schedule:
        strikes = ", ".join(f"{s.fault} at {s.at_s:g} s" for s in one.strikes)
        print(f"round {one.number:>2}: {strikes}")
    for fault, why in left_out.items():
        print(f"left out: {fault} ({why})")
    print(f"again: {again}")


def _show_outcome(console: Console, one: Outcome) -> None:
    verdict = "ok" if not one.failures else f"FAILED: {'; '.join(one.failures)}"
    _say(console, f"round {one.number}: {verdict} ({one.seconds:g} s)")


def _show_table(outcomes: Sequence[Outcome], left_out: Mapping[Fault, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "round", "faults and their proof", "orders", "worst create", "auditor", "replay", box=None
    )
    for one in outcomes:
        table.add_row(
            str(one.number),
            "\n".join(map(str, one.bites)),
            f"{one.orders:,}",
            f"{one.worst_create_ms / 1000:.1f} s",
            "ok" if one.audit["exit_code"] == 0 else "FAILED",
            f"{one.replayed:,} identical" if one.verify["exit_code"] == 0 else "FAILED",
        )
    for fault, why in left_out.items():
        table.add_row("", f"{fault}: left out: {why}")
    Console(width=140, highlight=False).print(table)
