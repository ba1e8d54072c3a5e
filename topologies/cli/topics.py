"""Commands for topics: `topics create`, `topics list`."""

import json
from typing import Annotated

import typer

from topologies.cli.connection import JsonOption, KafkaOption, kafka_address


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Create and list the topics of the pipeline.", no_args_is_help=True)
    group.command()(create)
    group.command("list")(list_)
    app.add_typer(group, name="topics")


def create(
    kafka: KafkaOption = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Default: ORDERSTREAM_PARTITIONS, else 4.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Default: ORDERSTREAM_REPLICATION, else 1.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create the topics that are missing; existing ones stay as they are.

    Example: orderstream topics create --partitions 128 --replication 3

    Exit codes: 0 all topics are there; 1 the broker refused; 3 no broker.
    """
    from topologies import topics
    from topologies.pipeline import all_topics
    from topologies.settings import PipelineSettings

    settings = PipelineSettings()
    states = topics.create(
        kafka_address(kafka),
        all_topics(),
        partitions=partitions or settings.partitions,
        replication=replication or settings.replication,
    )
    if as_json:
        print(json.dumps([vars(state) for state in states]))
        return
    created = sum(state.created for state in states)
    print(f"{created} topics created, {len(states) - created} were there")


def list_(kafka: KafkaOption = None, as_json: JsonOption = False) -> None:
    """List every declared topic, its key, and how many partitions the cluster gives it.

    Example: orderstream topics list

    Exit codes: 0 all are there; 1 some are missing; 3 no broker.
    """
    from rich.console import Console
    from rich.table import Table

    from topologies import topics
    from topologies.pipeline import all_topics

    declared = all_topics()
    found = topics.partition_counts(kafka_address(kafka))
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": topic.name,
                        "kind": topic.kind.value,
                        "key": topic.key,
                        "records": [kind.__name__ for kind in topic.records],
                        "partitions": found.get(topic.name, 0),
                    }
                    for topic in declared
                ]
            )
        )
    else:
        table = Table("topic", "kind", "key", "records", "partitions", box=None)
        for topic in declared:
            count = str(found.get(topic.name, "missing"))
            table.add_row(topic.name, topic.kind.value, topic.key, str(len(topic.records)), count)
        Console().print(table)
    if any(topic.name not in found for topic in declared):
        raise typer.Exit(1)
