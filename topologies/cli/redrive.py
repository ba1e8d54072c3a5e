"""The command `dlq redrive`: dead letters on their way again."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
    servers,
)

if TYPE_CHECKING:
    from schemas.codec import Codec
    from schemas.record import Record
    from topologies.dead_letters import DeadLetter
    from topologies.redriving import Edit, Plan


def redrive(
    topic: Annotated[
        str | None, typer.Option(help="Only letters of this topic, e.g. order.intents.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Only letters refused with this code, e.g. PRICE_CHANGED.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Only this letter: topic/partition/offset, as in `dlq list`.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many letters.")] = None,
    operator: Annotated[
        str, typer.Option(help="Your name: it goes with what is sent. Needed unless --dry-run.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would become of each letter.")
    ] = False,
    edit: Annotated[
        bool, typer.Option("--edit", help="Open each record as JSON in $EDITOR first.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field first: total_fen=1299, lines.0.qty=2."),
    ] = None,
    inbox: Annotated[
        bool, typer.Option("--inbox", help="Write letters of inboxes to the inbox itself.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also what was sent again before, or will be refused again."),
    ] = False,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters on their way again, once each, if today's admission would take them.

    A letter of an inbox goes through the public way in of its domain where that takes it. A record
    that was sent again three times and refused every time is left, as is a letter that somebody
    sent again before: --force sends them all the same.

    Examples: orderstream dlq redrive --code PRICE_CHANGED --dry-run; orderstream dlq redrive --at
    order.intents/2/1205 --set total_fen=1299 --operator mei

    Exit codes: 0 every chosen letter was sent, or would be; 1 some were left, or there is none;
    2 wrong usage; 3 no broker or registry.
    """
    from schemas.registry import connected_codec
    from topologies.cli.dlq import read_letters

    if not operator and not dry_run:
        raise typer.BadParameter("say who you are: --operator NAME (or look first: --dry-run)")
    if edit and set_:
        raise typer.BadParameter("--edit and --set are two ways to change a record: give one")
    broker = kafka_address(kafka)
    with servers():
        letters = read_letters(broker, topic or (at.partition("/")[0] if at else None))
        chosen = [one for one in letters if code in (None, one.code) and at in (None, one.at)][
            :limit
        ]
        codec = connected_codec(registry_url(registry))
        plans = _judged(broker, codec, chosen, _editor(edit, set_ or ()), inbox=inbox)
        going = [plan for plan in plans if plan.may_go(force)]
        sent = {} if dry_run else _sent(broker, going, operator)
    plans = [sent.get(plan.letter.at, plan) for plan in plans]
    if as_json:
        print(json.dumps([_plan_json(plan) for plan in plans]))
    else:
        _show(plans, len(going), dry_run)
    if not plans or len(going) < len(plans):
        raise typer.Exit(1)


def _editor(edit: bool, changes: Sequence[str]) -> Edit | None:
    from topologies import editing

    if edit:
        return editing.in_editor
    if not changes:
        return None

    def change(record: Record) -> Record:
        return editing.with_fields(record, changes)

    return change


def _judged(
    kafka: str, codec: Codec, letters: Sequence[DeadLetter], edit: Edit | None, *, inbox: bool
) -> list[Plan]:
    from topologies.catalogue import Catalogue
    from topologies.redriving import Judge

    if not letters:
        return []
    prices = Catalogue(kafka, codec)
    prices.start()
    try:
        judge = Judge(codec, prices, time.time_ns() // 1_000_000, edit=edit, inbox=inbox)
        return [judge.plan(letter) for letter in letters]
    finally:
        prices.stop()


def _sent(kafka: str, plans: Sequence[Plan], operator: str) -> dict[str, Plan]:
    """Send the plans; return each, by its letter's place, with where the record stands now."""
    from rich.console import Console

    from topologies.cli.progress import counting
    from topologies.redriving import send

    done: dict[str, Plan] = {}
    with counting(Console(stderr=True), "letters") as progress:
        for plan in send(kafka, plans, operator):
            done[plan.letter.at] = plan
            progress(len(done), len(plans))
    return done


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "at": plan.letter.at,
        "key": plan.letter.key,
        "code": plan.letter.code,
        "redrives": plan.letter.redrives,
        "verdict": plan.verdict,
        "why": plan.why,
        "to": plan.to or None,
        "sent": plan.sent or None,
    }


def _show(plans: Sequence[Plan], going: int, dry_run: bool) -> None:
    if not plans:
        print("orderstream: no such dead letter; see: orderstream dlq list", file=sys.stderr)
        return
    for plan in plans:
        did = f"sent to {plan.sent}" if plan.sent else str(plan.verdict)
        print(f"{plan.letter.at}  {plan.letter.code}  {did}: {plan.why}")
    verb = "would be sent" if dry_run else "sent"
    left = Counter(str(plan.verdict) for plan in plans if not plan.sent)
    rest = "" if dry_run else ", ".join(f"{count} {name}" for name, count in left.items())
    print(f"{going} of {len(plans)} {verb}" + (f"; left: {rest}" if rest else ""))
