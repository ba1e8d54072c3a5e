"""Commands for stock alerts: `alerts rules`, `alerts backtest`, `alerts deliver`."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from streams.alerts.rules import AnyRule
    from topologies.alert_backtest import Tried


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Rules of stock alerts: check them, try them on history, tell people.",
        no_args_is_help=True,
    )
    group.command()(rules)
    group.command()(backtest)
    group.command()(deliver)
    app.add_typer(group, name="alerts")


def rules(
    file: Annotated[
        Path | None, typer.Argument(help="YAML file to check. Default: show the system's rules.")
    ] = None,
) -> None:
    """Check a file of rules and show what is in force with it; the output is such a file.

    Example: orderstream alerts rules > rules.yaml

    Exit codes: 0 the rules can be used; 2 they cannot.
    """
    import msgspec

    found = [msgspec.to_builtins(rule) for rule in _rules(file)]
    print(msgspec.yaml.encode({"rules": found}).decode(), end="")


def backtest(
    file: Annotated[Path | None, typer.Option("--rules", help="As of `alerts rules`.")] = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the alerts that rules would have raised over all facts of stock that Kafka holds.

    Example: orderstream alerts backtest --rules rules.yaml

    Exit codes: 0 done (also when there are none); 2 the rules cannot be used; 3 the facts cannot be
    read.
    """
    from schemas.registry import connected_codec
    from schemas.topics import INVENTORY_EVENTS
    from topologies import alert_backtest

    tried_rules = _rules(file)
    with servers():
        codec = connected_codec(registry_url(registry), INVENTORY_EVENTS.records)
        tried = alert_backtest.backtest(kafka_address(kafka), codec, tried_rules)
    if as_json:
        import msgspec

        print(msgspec.json.encode([one._asdict() for one in tried]).decode())
    else:
        _show(tried_rules, tried)


def deliver(
    receivers: Annotated[Path, typer.Option(help="YAML file with the receivers.")],
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    group: Annotated[str, typer.Option(help="Consumer group.")] = "alert-delivery",
) -> None:
    """Post alerts to their receivers until SIGTERM: webhooks, Alertmanager, DingTalk, WeCom, SMS.

    docs/alerts.md says what the file holds. An alert that a receiver could not take is posted again
    until it can, and others do not wait for it; one that it refuses is logged.

    Example: orderstream alerts deliver --receivers receivers.yaml

    Exit codes: 0 stopped, nothing undelivered was committed; 1 it could not go on; 2 the receivers
    cannot be used; 3 topics or schemas are missing.
    """
    from deploy.errors import MissingError
    from schemas.registry import SchemasMissing
    from topologies import alert_delivery
    from topologies.alert_receivers import InvalidReceivers, read_receivers

    try:
        found = read_receivers(receivers)
    except InvalidReceivers as error:
        raise typer.BadParameter(str(error), param_hint="receivers") from error
    try:
        alert_delivery.deliver(kafka_address(kafka), registry_url(registry), found, group=group)
    except SchemasMissing as error:
        raise MissingError(str(error)) from error


def _rules(file: Path | None) -> tuple[AnyRule, ...]:
    from streams.alerts.rules import DEFAULT, InvalidRules
    from topologies.alert_rules import read_rules

    if file is None:
        return DEFAULT
    try:
        return read_rules(file)
    except InvalidRules as error:
        raise typer.BadParameter(str(error), param_hint="rules") from error


def _show(tried_rules: tuple[AnyRule, ...], tried: list[Tried]) -> None:
    from rich.console import Console
    from rich.table import Table

    counts = Counter(one.raised.rule_id for one in tried)
    table = Table("raised at", "rule", "severity", "sku", "for", "what", box=None)
    for raised, cleared in tried:
        at = datetime.fromtimestamp(raised.raised_at_ms / 1000, UTC).isoformat(" ", "milliseconds")
        lasted = (
            f"{(cleared.cleared_at_ms - raised.raised_at_ms) / 1000:,.0f} s" if cleared else "open"
        )
        table.add_row(
            at.removesuffix("+00:00"),
            raised.rule_id,
            raised.severity,
            f"{raised.shop_id}/{raised.sku_id}",
            lasted,
            raised.summary,
        )
    Console().print(table)
    print(json.dumps({rule.id: counts[rule.id] for rule in tried_rules}))
