"""Command `worker`: runs the stages."""

from typing import Annotated

import typer

from topologies.cli.connection import KafkaOption, RegistryOption, kafka_address, registry_url


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(worker)


def worker(
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on 127.0.0.1 at this port.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Only these stages, by commas, and no admission. All workers of a group must run "
            "the same: set ORDERSTREAM_GROUP too."
        ),
    ] = None,
) -> None:
    """Run the stages until SIGTERM; start as many as you like, they share the partitions.

    Set-up (`topics create`, `schemas register`) must have been done; `up` does it. What the
    worker does is logged as JSON lines. Settings: ORDERSTREAM_GROUP, _PAYMENT_WINDOW_MS,
    _SESSION_TIMEOUT_S, _CHECKPOINT_INTERVAL_S, _STORE (memory or rocksdb), _STORE_FOLDER.

    Example: orderstream worker --metrics-port 9101

    Exit codes: 0 stopped after a complete checkpoint; 3 topics or schemas are missing; 70 a
    promise of the engine is broken (the log says which); 75 another worker took over: restart it.
    """
    from deploy.errors import MissingError
    from schemas.registry import SchemasMissing
    from streams.orders import OrderLimits
    from topologies.pipeline import stages
    from topologies.settings import PipelineSettings
    from topologies.topics import TopicsMissing
    from topologies.worker import run_worker

    chosen = only.split(",") if only else []
    if unknown := set(chosen) - {stage.name for stage in stages(OrderLimits())}:
        raise typer.BadParameter(f"no such stage: {', '.join(sorted(unknown))}", param_hint="only")
    try:
        run_worker(
            kafka_address(kafka), registry_url(registry), PipelineSettings(), metrics_port, chosen
        )
    except (SchemasMissing, TopicsMissing) as error:
        raise MissingError(str(error)) from error
