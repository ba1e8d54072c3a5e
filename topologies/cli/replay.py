"""Commands that go back over the log: `replay verify`, `state`, `capsule`, `shadow`, `whatif`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
)
from topologies.cli.whatif import whatif

if TYPE_CHECKING:
    from schemas.codec import Codec
    from streams.kernel.stage import Stage
    from topologies.replay.log import KafkaLog
    from topologies.replay.verifying import Verdict

_ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Go back over the log: prove it, look into it.", no_args_is_help=True)
    group.command()(verify)
    group.command()(state)
    group.command()(capsule)
    group.command()(shadow)
    group.command()(whatif)
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
    from rich.console import Console

    from topologies.cli.progress import counting
    from topologies.replay.verifying import Verification

    console = Console(stderr=True)
    chosen = chosen_stages(stage)
    started_s = time.monotonic()
    with log_of(kafka, registry) as (log, codec):
        only = None if partition is None else [partition]
        verification = Verification(log, chosen, codec, only)
        with counting(console, "inbox records") as progress:
            verification.round(progress)
    took_s = time.monotonic() - started_s
    verdicts = verification.verdicts()
    if not verdicts:
        raise typer.BadParameter(f"there is no partition {partition}")
    records = sum(verdict.records for verdict in verdicts)
    rate = {"seconds": round(took_s, 3), "inbox_records_per_s": round(records / took_s)}
    _show(verdicts, codec, as_json, rate)


def shadow(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The new code: the folder of another checkout, or module:function that builds "
            "the stages. Default: this code, with the settings of the environment.",
        ),
    ] = None,
    stage: Annotated[str, typer.Option(help="orders, inventory, payments, or all.")] = _ALL,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long to follow once the recorded log is compared.")
    ] = 60.0,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run new code on the live inboxes beside the running system; report differing decisions.

    Starts with the recorded log, then follows what the workers have checkpointed. Nothing is
    written: no record, no offset, no schema (new schemas have to be registered before).

    Example: orderstream replay shadow --from ../orderstream-next --stage orders --seconds 300

    Exit codes: 0 all decisions are the same; 1 some differ; 2 no such stage or code; 3 no broker or
    registry, or the log's beginning is gone.
    """
    from rich.console import Console

    from topologies.cli.progress import counting
    from topologies.replay import reporting
    from topologies.replay.shadow import NoSuchCode, follow, run_elsewhere, stages_of
    from topologies.replay.verifying import Verification

    console = Console(stderr=True)
    try:
        if source is not None and (":" not in source or Path(source).is_dir()):
            servers = ["--kafka", kafka_address(kafka), "--registry", registry_url(registry)]
            options = ["--stage", stage, "--seconds", str(seconds), *servers]
            code = run_elsewhere(Path(source), [*options, "--json"] if as_json else options)
            raise typer.Exit(code)
        chosen = chosen_stages(stage) if source is None else stages_of(source)
    except NoSuchCode as error:
        raise typer.BadParameter(str(error)) from error
    if stage != _ALL:
        chosen = [one for one in chosen if one.name == stage]
    with log_of(kafka, registry) as (log, codec):

        def found(verdict: Verdict) -> None:
            for line in reporting.lines(verdict, codec):
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        with counting(console, "inbox records") as progress:
            verdicts = follow(Verification(log, chosen, codec), seconds, found, progress)
    _show(verdicts, codec, as_json, {"seconds_followed": seconds})


def _show(verdicts: list[Verdict], codec: Codec, as_json: bool, more: dict[str, float]) -> None:
    """Print what was found; exit with 1 when it is not identical."""
    from topologies.replay import reporting

    ok = all(verdict.ok for verdict in verdicts)
    records = sum(verdict.records for verdict in verdicts)
    if as_json:
        found = {
            "identical": ok,
            "inbox_records": records,
            "outputs_compared": sum(verdict.outputs for verdict in verdicts),
            **more,
            "partitions": [reporting.as_json(verdict, codec) for verdict in verdicts],
        }
        print(json.dumps(found))
    else:
        for verdict in verdicts:
            print("\n".join(reporting.lines(verdict, codec)))
        notes = ", ".join(f"{name.replace('_', ' ')} {value:,g}" for name, value in more.items())
        print(f"replay: {'' if ok else 'NOT '}identical: {records:,} inbox records; {notes}")
    if not ok:
        raise typer.Exit(1)


def state(
    key: Annotated[str, typer.Option(help="An order number or a sku id.")],
    at: Annotated[
        str | None,
        typer.Option(
            help="Inbox offset, epoch milliseconds or ISO 8601 in UTC. Default: now.",
        ),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="One stage. Default: a sku's inventory; an order, its money, its skus."),
    ] = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an order, a sku or a payment as it was at a past moment.

    The inbox partition of the key is folded again up to there; an offset is one of the stage's
    inbox (the orders stage's when several are shown).

    Example: orderstream replay state --key 7Q2M4K8ZC1N0P5RT --at 2026-11-24T23:35:30.250

    Exit codes: 0 done (also when nothing was known then); 2 no such stage or moment; 3 no broker or
    registry, or the log's beginning is gone.
    """
    from rich.console import Console

    from topologies.cli.progress import counting
    from topologies.replay import reporting
    from topologies.replay.state import moment, of_order, snapshot

    try:
        until = moment(at)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    stages = chosen_stages(stage or ("inventory" if key.isdigit() else _ALL))
    console = Console(stderr=True)
    with log_of(kafka, registry) as (log, codec), counting(console, "inbox records") as progress:
        if len(stages) == 1:
            found = [snapshot(log, codec, stages[0], key, until, progress)]
        else:
            found = of_order(log, codec, stages, key, until, progress)
    if as_json:
        print(json.dumps([reporting.snapshot_json(one) for one in found]))
        return
    for one in found:
        print("\n".join(reporting.snapshot_lines(one)))


def capsule(
    order_no: Annotated[str, typer.Argument(help="The order.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. Default: test_order_ORDER_NO.py."),
    ] = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
) -> None:
    """Export an order's whole history as a test file that runs by itself.

    It puts the recorded messages through today's stages and expects the recorded outputs: green
    when the code decides the same, red at the first step that is decided otherwise.

    Example: orderstream replay capsule 7Q2M4K8ZC1N0P5RT -o test_incident.py

    Exit codes: 0 written; 1 no such order; 3 no broker or registry, or the log's beginning is gone.
    """
    from topologies.replay import writing
    from topologies.replay.capturing import NoSuchOrder, capture
    from topologies.settings import PipelineSettings

    with log_of(kafka, registry) as (log, codec):
        try:
            steps = capture(log, codec, chosen_stages(_ALL), order_no)
        except NoSuchOrder as error:
            typer.echo(f"orderstream: {error}", err=True)
            raise typer.Exit(1) from error
    path = output or Path(f"test_order_{order_no}.py")
    path.write_text(writing.test_file(order_no, steps, PipelineSettings().payment_window_ms))
    print(f"{path}: {len(steps)} steps; run: pytest {path}")


@contextmanager
def log_of(kafka: str | None, registry: str | None) -> Iterator[tuple[KafkaLog, Codec]]:
    """Give the recorded log and its codec; whatever keeps them from being read exits with 3."""
    from confluent_kafka import KafkaException
    from httpx2 import HTTPError

    from schemas.errors import Retryable
    from schemas.registry import SchemasMissing, connected_codec
    from topologies.pipeline import all_records
    from topologies.reading import ReadStalled
    from topologies.replay.log import CannotReplay, KafkaLog
    from topologies.settings import PipelineSettings
    from topologies.topics import TopicsMissing

    broker, schemas = kafka_address(kafka), registry_url(registry)
    try:
        codec = connected_codec(schemas, all_records())
        yield KafkaLog(broker, PipelineSettings().group), codec
    except (
        CannotReplay,
        HTTPError,
        KafkaException,
        ReadStalled,
        Retryable,
        SchemasMissing,
        TopicsMissing,
    ) as error:
        what = "the schema registry does not answer: " if isinstance(error, HTTPError) else ""
        typer.secho(f"orderstream: {what}{error}", fg="red", err=True)
        raise typer.Exit(3) from error


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
