"""Where a command finds its servers: an option, then the environment, then the running stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from deploy import stack
from deploy.errors import MissingError
from deploy.settings import DeploySettings

KafkaOption = Annotated[
    str | None,
    typer.Option(
        "--kafka", help="host:port of the broker. Default: ORDERSTREAM_KAFKA, else the stack's."
    ),
]
RegistryOption = Annotated[
    str | None,
    typer.Option(
        "--registry",
        help="URL of the schema registry. Default: ORDERSTREAM_REGISTRY, else the stack's.",
    ),
]
MySqlOption = Annotated[
    str | None,
    typer.Option(
        "--mysql",
        help="mysql://user:password@host:port/database. Default: ORDERSTREAM_MYSQL, else the "
        "stack's.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@contextmanager
def servers() -> Iterator[None]:
    """End the command with exit code 3, and say why, when a server does not give what it must."""
    import httpx2
    from confluent_kafka import KafkaException
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    from schemas.errors import Retryable
    from schemas.registry import SchemasMissing
    from sinks.sink import StoreAway
    from topologies.audit.reader import ReadError
    from topologies.reading import ReadStalled
    from topologies.topics import TopicsMissing

    away = (KafkaException, ReadStalled, TopicsMissing, SchemasMissing, Retryable)
    try:
        yield
    except (*away, ReadError, StoreAway, SchemaRegistryError, httpx2.HTTPError) as error:
        typer.echo(f"orderstream: {error}", err=True)
        raise typer.Exit(3) from error


def kafka_address(option: str | None) -> str:
    """Return the broker to use; MissingError says how to get one."""
    return _address("kafka", option)


def registry_url(option: str | None) -> str:
    """Return the schema registry to use; MissingError says how to get one."""
    return _address("registry", option)


def redis_url(option: str | None) -> str:
    """Return the Redis to use; MissingError says how to get one."""
    return _address("redis", option)


def store_address(server: str, option: str | None = None) -> str:
    """Return the address of a store to use (mysql, clickhouse, redis); MissingError says how."""
    return _address(server, option)


def optional_address(server: str, option: str | None) -> str | None:
    """Return the server of this name to use; None when there is none."""
    settings = DeploySettings()
    found: str | None = option or getattr(settings, server, None)
    if found is None:
        running = stack.state(settings.home)
        found = running.endpoints.get(server) if running else None
    return found


def _address(server: str, option: str | None) -> str:
    found = optional_address(server, option)
    if found is None:
        raise MissingError(
            f"no {server}: give --{server}, set ORDERSTREAM_{server.upper()}, "
            "or start the embedded stack: orderstream up"
        )
    return found
