"""Commands for what payments cannot settle by themselves: `tickets list`, `tickets resolve`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
)

if TYPE_CHECKING:
    from topologies.tickets import Ticket


class Resolution(StrEnum):
    """What an operator may say; docs/payments.md has which fits which ticket."""

    RETRY = "retry"
    SETTLED = "settled"
    WRITTEN_OFF = "written-off"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="See and resolve payments and refunds that need a human.", no_args_is_help=True
    )
    group.command("list")(list_)
    group.command()(resolve)
    app.add_typer(group, name="tickets")


def list_(
    kafka: KafkaOption = None, registry: RegistryOption = None, as_json: JsonOption = False
) -> None:
    """List open tickets, the oldest first.

    Example: orderstream tickets list

    Exit codes: 0 done (also when there are none); 3 the facts cannot be read.
    """
    from rich.console import Console
    from rich.table import Table

    tickets = _open(kafka, registry)
    if as_json:
        print(json.dumps([ticket._asdict() for ticket in tickets]))
        return
    if not tickets:
        print("no open tickets")
        return
    table = Table("ticket", "since", "why", "about", "amount", box=None)
    for one in tickets:
        since = datetime.fromtimestamp(one.since_ms / 1000, UTC).isoformat(" ", "seconds")
        money = f"{one.amount_fen / 100:,.2f} {one.currency}"
        table.add_row(one.ticket_no, since, one.reason, one.about, money)
    Console().print(table)


def resolve(
    ticket_no: Annotated[str, typer.Argument(help="The ticket's number.")],
    resolution: Annotated[Resolution, typer.Argument(help="What is to become of it.")],
    operator: Annotated[str, typer.Option(help="Your name: it stands in the fact.")],
    note: Annotated[str, typer.Option(help="Why, in a few words: it stands in the fact.")],
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
) -> None:
    """Say what is to become of a ticket: an intent that the payments stage judges.

    docs/payments.md says which resolution fits which ticket, and what it does.

    Example: orderstream tickets resolve C8Q1ET4KW8P0J0HP-T1 retry --operator mei --note "gateway
    mended"

    Exit codes: 0 sent; 1 there is no such open ticket; 2 wrong usage; 3 the facts cannot be read.
    """
    from schemas.payment import ResolveTicket, TicketResolution
    from schemas.registry import connected_codec
    from topologies import tickets

    ticket = next((one for one in _open(kafka, registry) if one.ticket_no == ticket_no), None)
    if ticket is None:
        say = f"orderstream: no open ticket {ticket_no}; see: orderstream tickets list"
        print(say, file=sys.stderr)
        raise typer.Exit(1)
    codec = connected_codec(registry_url(registry), (ResolveTicket,))
    decided = TicketResolution[resolution.name]
    tickets.resolve(kafka_address(kafka), codec, ticket, decided, operator, note)
    print(f"sent: {decided} for {ticket_no}")


def _open(kafka: str | None, registry: str | None) -> list[Ticket]:
    from topologies import tickets
    from topologies.audit import reader

    try:
        facts = reader.read_facts(kafka_address(kafka), registry_url(registry), ("payment.events",))
        return tickets.open_tickets(facts)
    except reader.ReadError as error:
        print(f"orderstream: {error}", file=sys.stderr)
        raise typer.Exit(3) from error
