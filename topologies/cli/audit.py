"""The command `audit`: whether the laws hold over everything that happened."""

from __future__ import annotations

import json
from collections import Counter
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
    from topologies.audit.auditor import Verdict

_SHOWN_PER_LAW = 10


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(audit)


def audit(
    final: Annotated[
        bool,
        typer.Option("--final", help="All is at rest: also judge that nothing is left undone."),
    ] = False,
    expect: Annotated[
        int | None, typer.Option(help="With --final: how many orders must have been placed.")
    ] = None,
    settle: Annotated[
        float, typer.Option(help="Wait up to this many seconds until no fact is added any more.")
    ] = 0.0,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check stock, orders and money against the laws, over all public facts from the beginning.

    The auditor is independent: it shares no code with what it audits.

    Example: orderstream audit --final --settle 60

    Exit codes: 0 every law holds; 1 a law is broken; 3 the facts cannot be read.
    """
    from rich.console import Console

    from topologies.audit import reader
    from topologies.cli.progress import counting

    console = Console(stderr=True)
    try:
        broker, schemas = kafka_address(kafka), registry_url(registry)
        if settle > 0 and not reader.wait_quiet(broker, timeout_s=settle):
            console.print(f"facts were still being added after {settle:g} s", style="yellow")
        with counting(console, "facts") as progress:
            verdict = reader.audit(broker, schemas, final, expect, progress)
    except reader.ReadError as error:
        console.print(f"orderstream: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(3) from error
    if as_json:
        print(json.dumps(verdict_json(verdict)))
    else:
        show(verdict)
    if not verdict.ok:
        raise typer.Exit(1)


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """Return the verdict as JSON-like values."""
    return {
        "ok": verdict.ok,
        "final": verdict.final,
        "counters": verdict.counters,
        "orders": verdict.orders,
        "parked": verdict.parked,
        "broken": verdict.broken,
        "violations": [
            {
                "law": str(one.law),
                "key": one.key,
                "expected": one.expected,
                "found": one.found,
                "topic": one.at.topic,
                "partition": one.at.partition,
                "offset": one.at.offset,
            }
            for one in verdict.violations
        ],
    }


def show(verdict: Verdict) -> None:
    """Print the counters, then ``auditor: ok`` or the violations."""
    for name, count in (verdict.counters | verdict.orders).items():
        print(f"{name:<20}{count:>16,}")
    for order_no, why in verdict.parked.items():
        print(f"parked: {order_no} ({why})")
    if verdict.ok:
        print("auditor: ok")
        return
    shown: Counter[str] = Counter()
    for one in verdict.violations:
        shown[one.law] += 1
        if shown[one.law] <= _SHOWN_PER_LAW:
            print(f"violation: {one}")
    for law, count in verdict.broken.items():
        if count > _SHOWN_PER_LAW:
            print(f"violation: {law}: {count - _SHOWN_PER_LAW:,} more")
    print(f"auditor: {sum(verdict.broken.values()):,} violations of {', '.join(verdict.broken)}")
