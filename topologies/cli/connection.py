"""Where a command finds its servers: an option, then the environment, then the running stack."""

from __future__ import annotations

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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def kafka_address(option: str | None) -> str:
    """Return the broker to use; MissingError says how to get one."""
    return _address("kafka", option)


def registry_url(option: str | None) -> str:
    """Return the schema registry to use; MissingError says how to get one."""
    return _address("registry", option)


def _address(server: str, option: str | None) -> str:
    settings = DeploySettings()
    found = option or settings.external().get(server)
    if found is None:
        running = stack.state(settings.home)
        found = running.endpoints.get(server) if running else None
    if found is None:
        raise MissingError(
            f"no {server}: give --{server}, set ORDERSTREAM_{server.upper()}, "
            "or start the embedded stack: orderstream up"
        )
    return found
