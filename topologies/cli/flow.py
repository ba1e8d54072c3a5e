"""Command `flow`: runs a flow of facts into live reports, or into alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from topologies.cli.connection import KafkaOption, RegistryOption, kafka_address, registry_url

_BROKEN, _FENCED = 70, 75  # as of a worker


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(flow)


def flow(
    name: Annotated[str, typer.Argument(help="sales, stock or alerts.")],
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="YAML file with the rules of the alerts; read again when it changes."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Begins the names of consumer group, changelog and transactions.")
    ] = "flow",
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on 127.0.0.1 at this port.")
    ] = None,
) -> None:
    """Run a flow until SIGTERM, one process of each.

    sales   order.events -> report.sales, .funnel, .fulfilment, .top-skus

    stock   inventory.events -> report.stock

    alerts  inventory.events -> alert.events; `orderstream alerts deliver` takes them to people

    Set-up (`topics create`, `schemas register`) must have been done; `up` does it. What the flow
    does is logged as JSON lines. Killed at any time and started again, it ends with the same rows.

    Example: orderstream flow sales --metrics-port 9201

    Exit codes: 0 stopped after a complete checkpoint; 2 no such flow, or the rules are wrong; 3
    topics or schemas are missing; 70 a promise is broken (the log says which); 75 another process
    runs this flow.
    """
    from confluent_kafka import KafkaException

    from deploy.errors import MissingError
    from schemas.registry import SchemasMissing
    from streams.alerts.rules import InvalidRules
    from streams.engine.checkpoints import Fenced
    from streams.kernel.errors import StageDefect
    from topologies.flow_process import run_flow
    from topologies.flows import NAMES
    from topologies.topics import TopicsMissing

    if name not in NAMES:
        raise typer.BadParameter(f"no flow {name}; there are {', '.join(NAMES)}", param_hint="name")
    if rules is not None and name != "alerts":
        raise typer.BadParameter("only the alerts have rules", param_hint="rules")
    try:
        run_flow(
            kafka_address(kafka),
            registry_url(registry),
            name,
            rules=rules,
            prefix=prefix,
            metrics_port=metrics_port,
        )
    except InvalidRules as error:
        raise typer.BadParameter(str(error), param_hint="rules") from error
    except (SchemasMissing, TopicsMissing) as error:
        raise MissingError(str(error)) from error
    except Fenced as error:
        typer.echo(f"orderstream: another process runs this flow: {error}", err=True)
        raise typer.Exit(_FENCED) from error
    except (StageDefect, KafkaException) as error:
        typer.echo(f"orderstream: the flow cannot go on: {error}", err=True)
        raise typer.Exit(_BROKEN) from error
