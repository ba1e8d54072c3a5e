"""Commands that go back over the log: `replay verify`."""

from __future__ import annotations

import json
import time
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
    from streams.kernel.stage import Stage

_ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Go back over the log: prove it, look into it.", no_args_is_help=True)
    group.command()(verify)
    app.add_typer(group, name="replay")


def verify(
    stage: Annotated[
        str, typer.Option(help="orders, inventory, payments, or all in one reading.")
    ] = _ALL,
    partition: Annotated[
        int | None, typer.Option(min=0, help="One inbox partition. Default: all.")
    ] = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run stages over their recorded inboxes again and compare every output byte for byte.

    Goes from offset 0 up to what the workers have checkpointed; a running system is not disturbed.
    The settings have to be those of the run (ORDERSTREAM_PAYMENT_WINDOW_MS, ORDERSTREAM_GROUP).

    Example: orderstream replay verify --stage orders --partition 2

    Exit codes: 0 identical; 1 something differs, the first difference is shown; 2 no such stage or
    partition; 3 no broker or registry, or the log's beginning is gone.
    """
    from confluent_kafka import KafkaException
    from rich.console import Console

    from schemas.registry import connected_codec
    from topologies.cli.progress import counting
    from topologies.pipeline import all_records
    from topologies.reading import ReadStalled
    from topologies.replay import reporting
    from topologies.replay.log import KafkaLog
    from topologies.replay.verifying import CannotReplay, Verification
    from topologies.settings import PipelineSettings
    from topologies.topics import TopicsMissing

    console = Console(stderr=True)
    chosen = chosen_stages(stage)
    broker, schemas = kafka_address(kafka), registry_url(registry)
    started_s = time.monotonic()
    try:
        codec = connected_codec(schemas, all_records())
        log = KafkaLog(broker, PipelineSettings().group)
        only = None if partition is None else [partition]
        verification = Verification(log, chosen, codec, only)
        with counting(console, "inbox records") as progress:
            verification.round(progress)
    except (CannotReplay, ReadStalled, TopicsMissing, KafkaException) as error:
        console.print(f"orderstream: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(3) from error
    verdicts = verification.verdicts()
    if not verdicts:
        raise typer.BadParameter(f"there is no partition {partition}")
    ok = all(verdict.ok for verdict in verdicts)
    took_s = time.monotonic() - started_s
    records = sum(verdict.records for verdict in verdicts)
    if as_json:
        found = {
            "identical": ok,
            "inbox_records": records,
            "outputs_compared": sum(verdict.outputs for verdict in verdicts),
            "seconds": round(took_s, 3),
            "inbox_records_per_s": round(records / took_s),
            "partitions": [reporting.as_json(verdict, codec) for verdict in verdicts],
        }
        print(json.dumps(found))
    else:
        for verdict in verdicts:
            print("\n".join(reporting.lines(verdict, codec)))
        print(
            f"replay: {'identical' if ok else 'NOT identical'}: {records:,} inbox records in "
            f"{took_s:.1f} s, {records / took_s:,.0f}/s"
        )
    if not ok:
        raise typer.Exit(1)


def chosen_stages(name: str) -> list[Stage]:
    """Return the stages of this name, with the settings of the environment."""
    from streams.orders import OrderLimits
    from topologies.pipeline import stages
    from topologies.settings import PipelineSettings

    window_ms = PipelineSettings().payment_window_ms
    known = {stage.name: stage for stage in stages(OrderLimits(payment_window_ms=window_ms))}
    if name == _ALL:
        return list(known.values())
    if name not in known:
        raise typer.BadParameter(f"no stage {name}; there are {', '.join(known)} and {_ALL}")
    return [known[name]]
