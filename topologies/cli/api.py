"""Command `api`: the front door."""

from __future__ import annotations

from typing import Annotated

import typer

from topologies.cli.connection import (
    KafkaOption,
    RegistryOption,
    kafka_address,
    optional_address,
    registry_url,
)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(api)


def api(
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    redis: Annotated[
        str | None,
        typer.Option(help="redis:// URL. Default: ORDERSTREAM_REDIS, else the stack's, else none."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8080,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that share the port; one uses one core.")
    ] = 1,
) -> None:
    """Serve HTTP until SIGTERM: orders, payments, queries, their OpenAPI page at /docs.

    It logs JSON lines, of which `serving` has the URL. Without Redis each process keeps limits and
    answers by itself, and there are no webhooks. Settings: ORDERSTREAM_API_*, and the files of
    keys in ORDERSTREAM_GATEWAY_* (payment callbacks) and ORDERSTREAM_WEBHOOKS_KEY.

    Example: orderstream api --port 8080 --processes 2

    Exit codes: 0 stopped after the last request; 1 the address is taken or Kafka has no catalogue;
    3 topics or schemas are missing.
    """
    from api.settings import ApiSettings
    from api.webhooks.endpoints import EndpointsAway
    from deploy.errors import MissingError
    from deploy.settings import DeploySettings
    from schemas.registry import SchemasMissing
    from topologies.catalogue import CatalogueAway
    from topologies.front_door import Servers, run_api, run_siblings
    from topologies.topics import TopicsMissing

    servers = Servers(
        kafka_address(kafka),
        registry_url(registry),
        optional_address("redis", redis),
        DeploySettings().home,
    )
    try:
        if processes == 1:
            run_api(servers, ApiSettings(), host, port)
            return
        env = {"ORDERSTREAM_KAFKA": servers.kafka, "ORDERSTREAM_REGISTRY": servers.registry}
        if servers.redis:
            env["ORDERSTREAM_REDIS"] = servers.redis
        raise typer.Exit(run_siblings(processes, host, port, env))
    except (SchemasMissing, TopicsMissing) as error:
        raise MissingError(str(error)) from error
    except (OSError, ValueError, CatalogueAway, EndpointsAway) as error:
        typer.echo(f"orderstream: {error}", err=True)
        raise typer.Exit(1) from error
