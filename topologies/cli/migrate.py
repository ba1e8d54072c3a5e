"""The command `migrate`: brings the ledger's tables to what this version needs."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from topologies.cli.connection import JsonOption, MySqlOption, servers, store_address


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(migrate)


def migrate(
    status: Annotated[
        bool, typer.Option("--status", help="Only say what is applied and what is to come.")
    ] = False,
    partitioned: Annotated[
        bool,
        typer.Option("--partitioned", help="Make the tables partitioned: for MySQL and TiDB."),
    ] = False,
    mysql: MySqlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Apply the SQL files that the ledger's tables still lack; each is applied once.

    Example: orderstream migrate --status

    Exit codes: 0 done, with --status: nothing is to come; 1 something is to come (--status), or an
    applied file was changed; 3 the server is away.
    """
    from sinks.mysql import migrate as migrating
    from sinks.mysql.connection import connect

    try:
        with servers(), connect(store_address("mysql", mysql)) as connection:
            if status:
                found = migrating.standing(connection)
            else:
                found = migrating.migrate(connection, partitioned=partitioned)
    except migrating.MigrationRefused as error:
        print(f"orderstream: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_json:
        listed = [
            {**one._asdict(), "applied": one.applied.isoformat() if one.applied else None}
            for one in found
        ]
        print(json.dumps(listed))
    else:
        for one in found:
            when = f"applied {one.applied:%Y-%m-%d %H:%M:%S} UTC" if one.applied else "to come"
            print(f"{one.version:04} {one.name:<24} {when}")
    if any(one.applied is None for one in found):
        raise typer.Exit(1)
