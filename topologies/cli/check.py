"""The command `check consistency`: whether every store says what the facts say."""

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
    optional_address,
    registry_url,
    servers,
    store_address,
)

if TYPE_CHECKING:
    from topologies.consistency.check import Report

_STORES = ("mysql", "clickhouse", "redis")
_SHOWN_PER_KIND = 5


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Check what must be the same in several places.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(consistency)
    app.add_typer(group, name="check")


def _group() -> None:
    """Keep the name of a command necessary, also while there is only one."""


def consistency(
    store: Annotated[
        list[str] | None,
        typer.Option(help="mysql, clickhouse or redis; again for several. Default: all there are."),
    ] = None,
    settle: Annotated[
        float, typer.Option(help="Compare again for up to this many seconds, until all agrees.")
    ] = 0.0,
    mend: Annotated[
        bool, typer.Option("--mend", help="Write what differs anew from the facts, then compare.")
    ] = False,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare ledger, warehouse and read model with the facts, for all orders and all stock.

    What should be there is folded from the facts by code of its own. Sinks that are still writing
    are behind: give them time by --settle.

    Example: orderstream check consistency --settle 30

    Exit codes: 0 nothing differs (any more); 1 something does; 2 no such store; 3 the facts or a
    store cannot be read.
    """
    from rich.console import Console

    from schemas.registry import connected_codec
    from topologies.cli.progress import counting
    from topologies.consistency import check

    chosen = {name: _address(name) for name in store} if store else _there()
    console = Console(stderr=True)
    with servers():
        broker, schemas = kafka_address(kafka), registry_url(registry)
        with counting(console, "facts") as progress:
            report = check.check(broker, schemas, chosen, settle, progress)
        if mend and not report.ok:
            if not as_json:
                show(report)
            codec = connected_codec(schemas)
            for name, count in check.mend(broker, codec, chosen, report.differences).items():
                console.print(f"{name}: {count:,} facts written anew")
            report = check.check(broker, schemas, chosen, settle)
    if as_json:
        print(json.dumps(report_json(report)))
    else:
        show(report)
    if not report.ok:
        raise typer.Exit(1)


def report_json(report: Report) -> dict[str, object]:
    """Return the report as JSON-like values; ``kinds`` counts differences by store and kind."""
    kinds: dict[str, Counter[str]] = {name: Counter() for name in report.stores}
    for one in report.differences:
        kinds[one.store][one.kind] += 1
    return {
        "ok": report.ok,
        "orders": report.orders,
        "stock": report.stock,
        "stores": list(report.stores),
        "kinds": kinds,
        "differences": [one._asdict() for one in report.differences],
    }


def show(report: Report) -> None:
    """Print what was compared, then what differs by store and kind, a few of each."""
    compared = f"{report.orders:,} orders and {report.stock:,} stock levels"
    print(f"compared {compared} with {', '.join(report.stores)}")
    shown: Counter[tuple[str, str]] = Counter()
    for one in report.differences:
        shown[one.store, one.kind] += 1
        if shown[one.store, one.kind] <= _SHOWN_PER_KIND:
            key = one.key if isinstance(one.key, str) else f"sku {one.key[0]} in {one.key[1]}"
            values = "" if one.expected is None else f" {one.expected!r}, there {one.found!r}"
            print(f"{one.store}: {key}: {one.kind}{values}")
    for (name, kind), count in shown.items():
        print(f"{name}: {kind}: {count:,}")
    print("consistency: ok" if report.ok else f"consistency: {sum(shown.values()):,} differences")


def _address(name: str) -> str:
    if name not in _STORES:
        raise typer.BadParameter(f"no such store: {name}; known: {', '.join(_STORES)}")
    return store_address(name)


def _there() -> dict[str, str]:
    found = {name: optional_address(name, None) for name in _STORES}
    there = {name: address for name, address in found.items() if address is not None}
    return there or {_STORES[0]: store_address(_STORES[0])}  # which says how to get one
