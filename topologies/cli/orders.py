"""Commands for orders that do not move: `orders stuck`, `orders parked`; see `operate` too."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli import operate
from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
    servers,
)

if TYPE_CHECKING:
    from topologies.standing import Standing, Standings

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN = re.compile(r"(\d+)(ms|s|m|h|d)")

StepOption = Annotated[str | None, typer.Option(help="Only this step, e.g. REFUNDING.")]
ReasonOption = Annotated[str | None, typer.Option(help="Only this reason, e.g. REFUND_FAILED.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="See which orders do not move, and take a hand in one.", no_args_is_help=True
    )
    group.command()(stuck)
    group.command()(parked)
    operate.register(group)
    app.add_typer(group, name="orders")


def stuck(
    older_than: Annotated[
        str, typer.Option(help="How long an order is overdue: 90s, 5m, 2h, 1d.")
    ] = "5m",
    step: StepOption = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List orders that should have moved on by themselves, the longest first.

    These wait for inventory, payments or the gateway, or are unpaid and should have expired. With
    --step also those that wait for a person are listed, e.g. --step FULFILLING.

    Example: orderstream orders stuck --older-than 5m --step REFUNDING

    Exit codes: 0 listed (also when there are none); 2 wrong usage; 3 no broker or registry.
    """
    at_least_ms, now_ms = parse_span_ms(older_than), time.time_ns() // 1_000_000
    _list(
        lambda standings: standings.stuck(now_ms, at_least_ms, step),
        now_ms,
        kafka,
        registry,
        as_json,
        "no order is stuck",
    )


def parked(
    older_than: Annotated[
        str, typer.Option(help="How long an order is parked at least: 90s, 5m, 2h, 1d.")
    ] = "0s",
    step: StepOption = None,
    reason: ReasonOption = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List orders that need a person, the longest first, and why.

    Example: orderstream orders parked --reason REFUND_FAILED

    Exit codes: 0 listed (also when there are none); 2 wrong usage; 3 no broker or registry.
    """
    at_least_ms, now_ms = parse_span_ms(older_than), time.time_ns() // 1_000_000

    def chosen(standings: Standings) -> Iterator[Standing]:
        for one in standings.parked():
            is_old = now_ms - one.since_ms >= at_least_ms
            if is_old and step in (None, one.step) and reason in (None, one.reason):
                yield one

    _list(chosen, now_ms, kafka, registry, as_json, "no order is parked")


def parse_span_ms(text: str) -> int:
    """Read ``90s``, ``5m``, ``2h`` or ``1d``; BadParameter says what is wrong."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no length of time: write 90s, 5m, 2h or 1d")
    return int(match[1]) * _UNITS_MS[match[2]]


def _list(
    choose: Callable[[Standings], Iterator[Standing]],
    now_ms: int,
    kafka: str | None,
    registry: str | None,
    as_json: bool,
    none: str,
) -> None:
    from schemas.registry import connected_codec
    from topologies.standing import read_standings

    broker, schemas = kafka_address(kafka), registry_url(registry)
    with servers():
        standings = read_standings(broker, connected_codec(schemas))
    found = sorted(choose(standings), key=lambda one: (one.since_ms, one.order_no))
    if as_json:
        print(json.dumps([{**one._asdict(), "age_ms": now_ms - one.since_ms} for one in found]))
    elif found:
        _show(found, now_ms)
    else:
        print(none)


def _show(found: list[Standing], now_ms: int) -> None:
    from topologies.explain.reasons import in_words
    from topologies.explain.sentences import span

    print(f"{'order':<16}  {'shop':>6}  {'for':>10}  {'step':<15}  why")
    for one in found:
        why = f"{one.reason}: {in_words(one.reason)}" if one.reason else ""
        if one.paused_by:
            why = f"{why} (paused by {one.paused_by})".strip()
        age = span(max(0, now_ms - one.since_ms))
        print(f"{one.order_no:<16}  {one.shop_id:>6}  {age:>10}  {one.step:<15}  {why}".rstrip())
    print(f"{len(found)} orders; the story of one: orderstream explain {found[0].order_no}")
