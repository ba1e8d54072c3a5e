"""The command `explain`: one order's story, or who got the last units of a sku."""

from __future__ import annotations

import json
import sys
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
    from topologies.explain.last_unit import Contest, Try
    from topologies.explain.story import Line, Story

_SHOWN_TRIES = 60


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(explain)


def explain(
    order_no: Annotated[
        str | None, typer.Argument(help="The order's number. Default: see --last-unit.")
    ] = None,
    last_unit: Annotated[
        int | None, typer.Option("--last-unit", help="A sku: who got its last units, and who not.")
    ] = None,
    last: Annotated[
        int, typer.Option(min=1, help="With --last-unit: how many units are the last ones.")
    ] = 10,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened to an order and why, in words; or who took the last units of a sku.

    Each line says when, how long after the line before, who, and what; `← 3` that line 3 led to it
    where that is not the line above. Times are UTC.

    Example: orderstream explain C8Q1ET4KW8P0J0HP (an order); orderstream explain --last-unit 1001

    Exit codes: 0 told; 1 nothing is known of the order or the sku; 2 wrong usage; 3 no broker or
    registry.
    """
    import time

    from schemas.registry import connected_codec
    from topologies.explain.history import gather
    from topologies.explain.kafka_log import KafkaLog
    from topologies.explain.last_unit import read_contest
    from topologies.explain.story import tell

    if (order_no is None) == (last_unit is None):
        raise typer.BadParameter("give an order's number, or --last-unit with a sku")
    contest = None
    with servers():
        log = KafkaLog(kafka_address(kafka))
        codec = connected_codec(registry_url(registry))
        if last_unit is not None:
            contest = read_contest(log, codec, last_unit, last)
        if order_no is not None:
            events = gather(log, codec, order_no)
            story = tell(order_no, events, time.time_ns() // 1_000_000)
    if order_no is not None:
        print(json.dumps(story_json(story)) if as_json else "\n".join(story_lines(story)))
        if not events:
            raise typer.Exit(1)
    elif contest is not None:
        print(json.dumps(contest_json(contest)) if as_json else "\n".join(contest_lines(contest)))
    else:
        print(f"orderstream: nothing is known of sku {last_unit}", file=sys.stderr)
        raise typer.Exit(1)


def story_lines(story: Story) -> list[str]:
    """Return a story as text: headline, then one line per event."""
    from topologies.explain.sentences import day

    text = [f"order {story.order_no}: {story.ending.headline}"]
    if story.trace_ids:
        text.append(f"trace {', '.join(story.trace_ids)}")
    today = ""
    for line in story.lines:
        if today != day(line.at_ms):
            today = day(line.at_ms)
            text += ["", f"     {today} (UTC)"]
        text.append(_line(line))
    return text


def _line(line: Line) -> str:
    from topologies.explain.sentences import clock, span

    since = f"+{span(line.since_ms)}" if line.since_ms else ""
    because = ""
    if line.because and line.because != line.number - 1:
        because = f"  ← {line.because}"
    elif line.by_time:
        because = "  ← time passed"
    head = f"{line.number:>3}  {clock(line.at_ms)}  {since:>12}  {line.who:<9}"
    return f"{head}  {line.says}{because}"


def story_json(story: Story) -> dict[str, Any]:
    """Return a story as JSON-like values; ``because`` is the number of the line that led to it."""
    return {
        "order_no": story.order_no,
        "outcome": story.ending.outcome,
        "status": story.ending.status,
        "headline": story.ending.headline,
        "trace_ids": story.trace_ids,
        "events": [_event_json(line) for line in story.lines],
    }


def _event_json(line: Line) -> dict[str, Any]:
    import msgspec

    from schemas.record import full_name

    record = line.event.record
    return {
        "number": line.number,
        "at_ms": line.at_ms,
        "since_ms": line.since_ms,
        "who": line.who,
        "says": line.says,
        "because": line.because or None,
        "by_time": line.by_time,
        "at": str(line.event.place),
        "record": full_name(type(record)) if record is not None else None,
        "fields": msgspec.to_builtins(record),
        "refused": line.event.refused[0] if line.event.refused is not None else None,
    }


def contest_lines(contest: Contest) -> list[str]:
    """Return a contest as text: a headline, then one line per try."""
    from topologies.explain.sentences import day

    tries = contest.tries
    units = "unit" if contest.last == 1 else f"{contest.last} units"
    if not tries:
        return [f"sku {contest.sku_id}: nobody has tried for the last {units} yet"]
    text = [f"sku {contest.sku_id}: {contest.winners} got some of the last {units}, "]
    text[0] += f"{contest.losers} did not; {contest.left} to be had now"
    text += [f"times of {day(tries[0].at_ms)}, UTC, in the order in which the tries were decided"]
    text += ["", "     time          order             wants  of  decision"]
    text += [_try(number, one) for number, one in enumerate(tries[:_SHOWN_TRIES], 1)]
    if len(tries) > _SHOWN_TRIES:
        rest = tries[_SHOWN_TRIES:]
        won = sum(1 for one in rest if one.fate != "REFUSED")
        text.append(f"     and {len(rest)} more ({won} held, {len(rest) - won} refused): --json")
    return text


def _try(number: int, one: Try) -> str:
    from topologies.explain.reasons import in_words
    from topologies.explain.sentences import clock

    when = clock(one.fate_ms)
    decision = {
        "REFUSED": f"refused: {in_words(one.reason)}",
        "HELD": "held, still",
        "SOLD": f"held, sold {when}",
        "GIVEN_BACK": f"held, given back {when}",
        "RAN_OUT": f"held, ran out {when}",
    }[one.fate]
    order = ""
    if one.order is not None:
        order = f"; order {one.order.status.lower()} {clock(one.order.since_ms)}"
    head = f"{number:>3}  {clock(one.at_ms)}  {one.order_no:<16}  {one.requested:>5}"
    return f"{head}  {one.available:>2}  {decision}{order}"


def contest_json(contest: Contest) -> dict[str, Any]:
    """Return a contest as JSON-like values."""
    return {
        "sku_id": contest.sku_id,
        "last": contest.last,
        "left": contest.left,
        "winners": contest.winners,
        "losers": contest.losers,
        "tries": [
            {
                "at_ms": one.at_ms,
                "order_no": one.order_no,
                "requested": one.requested,
                "available": one.available,
                "fate": one.fate,
                "fate_at_ms": one.fate_ms,
                "reason": one.reason or None,
                "order_status": one.order.status if one.order is not None else None,
                "order_since_ms": one.order.since_ms if one.order is not None else None,
            }
            for one in contest.tries
        ],
    }
