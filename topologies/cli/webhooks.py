"""Command `webhooks`: the worker that tells shops' endpoints what happens to their orders."""

from __future__ import annotations

import typer

from topologies.cli.connection import KafkaOption, RegistryOption, servers
from topologies.cli.sink import RedisOption


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(webhooks)


def webhooks(
    kafka: KafkaOption = None, registry: RegistryOption = None, redis: RedisOption = None
) -> None:
    """Deliver webhooks until SIGTERM; what it does is logged as JSON lines.

    Endpoints are subscribed over HTTP (POST /api/v2/webhooks). Settings: ORDERSTREAM_WEBHOOKS_KEY
    (the file with the key of the endpoints' secrets, the same as the API's), _ALLOW_LOCAL.

    Example: orderstream webhooks

    Exit codes: 0 stopped, nothing undone was committed; 1 it could not go on; 3 the key, topics or
    schemas are missing.
    """
    from api.key_files import shared_key
    from api.webhooks.delivery import DeliverySettings
    from api.webhooks.endpoints import EndpointsAway
    from api.webhooks.settings import WebhookSettings
    from deploy.errors import MissingError
    from topologies.cli.connection import kafka_address, redis_url, registry_url
    from topologies.logs import configure_logging
    from topologies.webhooks import Servers, run_webhooks

    settings = WebhookSettings()
    if settings.key is None:
        raise MissingError(
            "no key for the endpoints' secrets: set ORDERSTREAM_WEBHOOKS_KEY to a file, the same "
            "as the API's; it is made when it is not there"
        )
    configure_logging()
    found = Servers(kafka_address(kafka), registry_url(registry), redis_url(redis))
    delivery = DeliverySettings(
        shared_key(settings.key),
        allows_local=settings.allow_local,
        first_wait_ms=settings.first_wait_ms,
    )
    try:
        with servers():
            run_webhooks(found, settings.group, delivery)
    except EndpointsAway as error:
        raise MissingError(str(error)) from error
