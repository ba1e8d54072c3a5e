"""Commands `sink NAME`: the writers of the stores; and `sink rebuild`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sinks.sink import Sink
from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    MySqlOption,
    RegistryOption,
    kafka_address,
    redis_url,
    registry_url,
    servers,
    store_address,
)

if TYPE_CHECKING:
    from topologies.settings import SinkSettings

MetricsOption = Annotated[
    int | None,
    typer.Option("--metrics-port", help="Serve Prometheus metrics on 127.0.0.1 at this port."),
]
RedisOption = Annotated[
    str | None,
    typer.Option(
        "--redis", help="URL of the Redis server. Default: ORDERSTREAM_REDIS, else the stack's."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Write the facts to a store. More processes of one sink share its partitions.",
        no_args_is_help=True,
    )
    group.command()(redis)
    group.command()(ledger)
    group.command()(warehouse)
    rebuilding = typer.Typer(help="Make anew what a sink wrote.", no_args_is_help=True)
    rebuilding.command("redis")(rebuild_redis)
    group.add_typer(rebuilding, name="rebuild")
    app.add_typer(group, name="sink")


def redis(
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    url: RedisOption = None,
    metrics_port: MetricsOption = None,
) -> None:
    """Keep the read model in Redis: orders, stock, and each user's orders; until SIGTERM.

    When Redis is away it waits, and goes on where it was. What it does is logged as JSON lines.
    Settings: ORDERSTREAM_SINK_LINGER_S, _SINK_BATCH_RECORDS, _SESSION_TIMEOUT_S,
    _READ_MODEL_FINISHED_HOURS, _READ_MODEL_ORDERS_PER_USER.

    Example: orderstream sink redis --metrics-port 9111

    Exit codes: 0 stopped, what was written is committed; 3 topics, schemas or an address are
    missing; 70 a fact cannot be read by this version (the log says which).
    """
    from sinks.redis.sink import RedisSink
    from topologies.settings import SinkSettings

    address, settings = redis_url(url), SinkSettings()
    run(lambda: RedisSink(address, settings.keeping), kafka, registry, metrics_port)


def ledger(
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    mysql: MySqlOption = None,
    metrics_port: MetricsOption = None,
) -> None:
    """Keep the ledger in MySQL, MariaDB or TiDB: orders, stock movements, payments, books.

    Its tables are made by: orderstream migrate. When the server is away it waits, and goes on where
    it was. Settings: ORDERSTREAM_SINK_LINGER_S, _SINK_BATCH_RECORDS, _SESSION_TIMEOUT_S.

    Example: orderstream sink ledger --metrics-port 9112

    Exit codes: 0 stopped, what was written is committed; 3 topics, schemas, tables or an address
    are missing; 70 a fact cannot be read by this version (the log says which).
    """
    from deploy.errors import MissingError
    from sinks.mysql.connection import connect
    from sinks.mysql.migrate import standing
    from sinks.mysql.sink import LedgerSink

    url = store_address("mysql", mysql)
    with servers(), connect(url) as connection:
        if any(one.applied is None for one in standing(connection)):
            raise MissingError(
                "the ledger's tables are not what this version needs; run: orderstream migrate"
            )
    run(lambda: LedgerSink(url), kafka, registry, metrics_port)


class Warehouse(StrEnum):
    """Where the analytical tables are."""

    CLICKHOUSE = "clickhouse"
    STARROCKS = "starrocks"


def warehouse(
    to: Annotated[Warehouse, typer.Option(help="Which store.")] = Warehouse.CLICKHOUSE,
    url: Annotated[
        str | None,
        typer.Option(
            help="http://user:password@host:port/database. Default: ORDERSTREAM_CLICKHOUSE or "
            "ORDERSTREAM_STARROCKS, else the stack's ClickHouse."
        ),
    ] = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    metrics_port: MetricsOption = None,
) -> None:
    """Keep the analytical tables: wide orders, items, stock, payments, ledger.

    Tables that are missing are made. When the store is away it waits, and goes on where it was.
    Settings: ORDERSTREAM_WAREHOUSE_LINGER_S, _WAREHOUSE_BATCH_RECORDS, _SESSION_TIMEOUT_S.

    Example: orderstream sink warehouse --to clickhouse --metrics-port 9113

    Exit codes: 0 stopped, what was written is committed; 3 topics, schemas or an address are
    missing; 70 a fact cannot be read by this version (the log says which).
    """
    from topologies.settings import SinkSettings

    own = SinkSettings()
    settings = own.model_copy(
        update={
            "sink_batch_records": own.warehouse_batch_records,
            "sink_linger_s": own.warehouse_linger_s,
        }
    )
    run(_warehouse(to, url), kafka, registry, metrics_port, settings)


def _warehouse(to: Warehouse, url: str | None) -> Callable[[], Sink]:
    if to is Warehouse.STARROCKS:
        from sinks.warehouse.starrocks import StarRocksSink

        starrocks = StarRocksSink(store_address("starrocks", url))
        with servers():
            starrocks.prepare()
        return lambda: starrocks
    from sinks.warehouse.clickhouse import ClickHouseSink

    clickhouse = store_address("clickhouse", url)
    return lambda: ClickHouseSink(clickhouse)


def rebuild_redis(
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    url: RedisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the read model anew from all facts in Kafka, beside the old one, then swap them.

    Everything may go on meanwhile: the sink waits for the moment of the swap. Redis needs room for
    two. What Kafka does not have any more is kept as it is.

    Example: orderstream sink rebuild redis

    Exit codes: 0 the new one is in place; 1 another rebuild runs, or this one stood still: start it
    again; 3 a server or something on it is missing; 70 a fact cannot be read by this version.
    """
    import json

    from deploy.errors import DeployError, MissingError
    from sinks.redis.rebuild import RebuildLost
    from sinks.sink import StoreAway
    from topologies.rebuilding import rebuild_read_model
    from topologies.settings import SinkSettings

    with servers(), unreadable():
        try:
            done = rebuild_read_model(
                kafka_address(kafka), registry_url(registry), redis_url(url), SinkSettings().keeping
            )
        except RebuildLost as error:
            raise DeployError(str(error)) from error
        except StoreAway as error:
            raise MissingError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(done._asdict()))
    else:
        typer.echo(f"{done.facts:,} facts read, {done.keys:,} keys put in place")


def run(
    make: Callable[[], Sink],
    kafka: str | None,
    registry: str | None,
    metrics_port: int | None,
    settings: SinkSettings | None = None,
) -> None:
    """Run the sink that ``make`` makes; end with the exit codes of every sink."""
    from topologies.settings import SinkSettings
    from topologies.sinking import run_sink

    with servers(), unreadable():
        run_sink(
            make(),
            kafka_address(kafka),
            registry_url(registry),
            settings or SinkSettings(),
            metrics_port,
        )


@contextmanager
def unreadable() -> Iterator[None]:
    """End the command with exit code 70, and say why, when a fact cannot be read."""
    from sinks.facts import UnreadableFact

    try:
        yield
    except UnreadableFact as error:
        typer.echo(f"orderstream: {error}", err=True)
        raise typer.Exit(70) from error
