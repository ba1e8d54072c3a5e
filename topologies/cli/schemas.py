"""Commands for schemas: `schemas register`, `list`, `show`, `store`."""

import json

import typer

from topologies.cli.connection import JsonOption, RegistryOption, registry_url


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Register and show the Avro schemas.", no_args_is_help=True)
    group.command("register")(register_)
    group.command("list")(list_)
    group.command()(show)
    group.command()(store)
    app.add_typer(group, name="schemas")


def register_(registry: RegistryOption = None, as_json: JsonOption = False) -> None:
    """Register what is missing; refuse what is not backward compatible.

    Example: orderstream schemas register

    Exit codes: 0 all are registered; 1 a schema is not compatible; 3 no registry.
    """
    from schemas.registry import Registry
    from topologies.pipeline import all_records

    url = registry_url(registry)
    try:
        results = Registry(url).register(all_records())
    except ValueError as error:
        typer.echo(f"orderstream: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps([result._asdict() for result in results]))
        return
    new = sum(result.is_new for result in results)
    print(f"{new} schemas registered, {len(results) - new} were there")


def list_(as_json: JsonOption = False) -> None:
    """List every record, and the topics it appears in.

    Example: orderstream schemas list

    Exit codes: 0 done.
    """
    from rich.console import Console
    from rich.table import Table

    from schemas.record import full_name
    from topologies.pipeline import all_records, all_topics

    rows = [
        (full_name(kind), [topic.name for topic in all_topics() if kind in topic.records])
        for kind in all_records()
    ]
    if as_json:
        print(json.dumps([{"record": name, "topics": names} for name, names in rows]))
        return
    table = Table("record", "topics", box=None)
    for name, names in rows:
        table.add_row(name, ", ".join(n for n in names if not n.endswith(".dlq")))
    Console().print(table)


def show(record: str) -> None:
    """Print the Avro schema of a record, by its full name.

    Example: orderstream schemas show orderstream.order.PlaceOrderIntent

    Exit codes: 0 done; 2 there is no such record.
    """
    from schemas.derivation import avro_schema, by_name
    from topologies.pipeline import all_records

    kinds = by_name(all_records())
    if record not in kinds:
        raise typer.BadParameter(f"no record {record}; see: orderstream schemas list")
    print(json.dumps(avro_schema(kinds[record]), indent=2))


def store() -> None:
    """Write a new committed version (schemas/avro) of every record whose schema changed.

    Example: orderstream schemas store

    Exit codes: 0 done.
    """
    from schemas import stored
    from topologies.pipeline import all_records

    written = stored.store(all_records())
    for path in written:
        print(f"wrote {path.parent.name} version {path.stem}")
    if not written:
        print("nothing changed")
