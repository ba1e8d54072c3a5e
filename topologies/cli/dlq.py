"""Commands for dead letters: `dlq list`, `dlq show`; `dlq redrive` is in `redrive`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli import redrive
from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
    servers,
)

if TYPE_CHECKING:
    from topologies.dead_letters import DeadLetter


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="See what was refused because nobody could understand it, and send it again.",
        no_args_is_help=True,
    )
    group.command("list")(list_)
    group.command()(show)
    group.command()(redrive.redrive)
    app.add_typer(group, name="dlq")


def list_(
    topic: Annotated[
        str | None, typer.Argument(help="A topic, e.g. order.intents. Default: all.")
    ] = None,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters: where each stood, its key, why it was refused.

    Example: orderstream dlq list order.intents

    Exit codes: 0 done (also when there are none); 2 no such topic; 3 no broker.
    """
    from rich.console import Console
    from rich.table import Table

    broker = kafka_address(kafka)
    with servers():
        letters = read_letters(broker, topic)
    if as_json:
        rows = [
            {
                "at": one.at,
                "code": one.code,
                "reason": one.reason,
                "key": one.key,
                "redriven_by": one.redriven[0] if one.redriven is not None else None,
            }
            for one in letters
        ]
        print(json.dumps(rows))
        return
    if not letters:
        print("no dead letters")
        return
    table = Table("at", "key", "code", "sent again by", "reason", box=None)
    for one in letters:
        by = one.redriven[0] if one.redriven is not None else ""
        table.add_row(one.at, one.key or "", one.code, by, one.reason)
    Console().print(table)
    print("one of them whole: orderstream dlq show", letters[-1].at)


def show(
    at: Annotated[str, typer.Argument(help="topic/partition/offset, as `dlq list` prints it.")],
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter whole: reason, headers and content.

    Example: orderstream dlq show order.intents/2/1205

    Exit codes: 0 done; 1 there is no such dead letter; 2 wrong place; 3 no broker or registry.
    """
    from schemas.registry import connected_codec

    broker = kafka_address(kafka)
    with servers():
        letters = read_letters(broker, at.partition("/")[0])
    found = next((one for one in letters if one.at == at), None)
    if found is None:
        typer.echo(f"orderstream: no dead letter at {at}; see: orderstream dlq list", err=True)
        raise typer.Exit(1)
    with servers():
        content = found.content(connected_codec(registry_url(registry)))
    if as_json:
        headers = {name: value.decode(errors="replace") for name, value in found.headers}
        print(json.dumps({"at": at, "key": found.key, "headers": headers, "content": content}))
        return
    print(f"at       {found.at}\nkey      {found.key}\ncode     {found.code}")
    print(f"reason   {found.reason}\ncontent  {content}\nheaders")
    for name, value in found.headers:
        if not name.startswith("dlq_"):
            print(f"  {name}: {value!r}")


def read_letters(kafka: str, topic: str | None) -> list[DeadLetter]:
    """Return the dead letters of a topic, or of all; BadParameter when there is no such topic."""
    from topologies import dead_letters

    return dead_letters.read(kafka, _topics(topic))


def _topics(topic: str | None) -> list[str]:
    from schemas.topics import PUBLIC, Kind

    sources = {t.name: t for t in PUBLIC if t.kind in (Kind.INTENTS, Kind.COMMANDS)}
    if topic is None:
        return [source.dead_letters for source in sources.values()]
    if topic not in sources:
        raise typer.BadParameter(f"no topic {topic} with dead letters; known: {', '.join(sources)}")
    return [sources[topic].dead_letters]
