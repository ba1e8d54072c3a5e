"""Commands for rule packs: `rules lint`, `test`, `show`, `diff`, `publish`, `schema`."""

from __future__ import annotations

import json
import time
from pathlib import Path
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
    from collections.abc import Sequence

    from schemas.promotion import Rule, RulePack
    from topologies.rule_files import Located

FileArgument = Annotated[Path, typer.Argument(help="A pack as YAML or JSON.", dir_okay=False)]
PackArgument = Annotated[
    str, typer.Argument(help="A file, or a published pack: SHOP/PACK, SHOP/PACK@VERSION.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Check, try and publish packs of promotion rules (docs/pricing.md).",
        no_args_is_help=True,
    )
    group.command()(lint)
    group.command("test")(try_examples)
    group.command()(show)
    group.command()(diff)
    group.command()(publish)
    group.command()(schema)
    app.add_typer(group, name="rules")


def lint(file: FileArgument, as_json: JsonOption = False) -> None:
    """Find every mistake of a pack: the rule, the line, and what to do about it.

    Example: orderstream rules lint docs/packs/festival.yaml

    Exit codes: 0 the pack may be published; 1 it has mistakes; 2 there is no such file.
    """
    pack, findings = _read(file)
    if as_json:
        print(json.dumps([_plain_finding(one) for one in findings]))
    else:
        _print_findings(file, findings)
        if pack is not None and not findings:
            print(f"{file}: {len(pack.rules)} rules, {len(pack.examples)} examples, no mistakes")
    if findings:
        raise typer.Exit(1)


def try_examples(file: FileArgument, as_json: JsonOption = False) -> None:
    """Price the examples of a pack, and tell what becomes of every rule.

    Example: orderstream rules test docs/packs/festival.yaml

    Exit codes: 0 all examples cost what they must; 1 one does not, or the pack has mistakes;
    2 there is no such file.
    """
    from streams.pricing import compile_pack
    from streams.pricing.examples import price_example
    from streams.pricing.words import explain, yuan

    pack, findings = _read(file)
    others = _but_examples(findings)
    if pack is None or others:
        _print_findings(file, others, err=True)
        raise typer.Exit(1)
    compiled = compile_pack(pack)
    rows: list[dict[str, Any]] = []
    for example in pack.examples:
        cart = price_example(compiled, example)
        assert cart.promotions is not None
        told = [explain(outcome) for outcome in cart.promotions.outcomes]
        rows.append(
            {
                "name": example.name,
                "total_fen": cart.total_fen,
                "expected_fen": example.total_fen,
                "rules": told,
            }
        )
        if not as_json:
            print(f"{example.name}: {yuan(cart.total_fen)}")
            for line in told:
                print(f"    {line}")
    if as_json:
        print(json.dumps(rows))
    _print_findings(file, findings, err=True)
    if findings:
        raise typer.Exit(1)


def show(
    pack: PackArgument,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a pack: its rules in the order of their turns.

    Example: orderstream rules show 1/festival

    Exit codes: 0 done; 1 there is no such pack; 3 no broker or registry.
    """
    from msgspec import to_builtins

    from streams.pricing.compiled import in_turn

    found = _pack(pack, kafka, registry)
    if as_json:
        print(json.dumps(to_builtins(found)))
        return
    version = f"version {found.version}" if found.version else "a draft"
    print(f"{found.pack_id} of shop {found.shop_id}, {version}, {found.currency}")
    for turn, rule in enumerate(in_turn(found.rules), 1):
        print(f"{turn:>4} {rule.level:<7} {rule.rule_id}: {_in_short(rule)}")


def diff(
    old: PackArgument,
    new: PackArgument,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what is different between two packs, rule by rule.

    Example: orderstream rules diff 1/festival docs/packs/festival.yaml

    Exit codes: 0 done (also when they differ); 1 there is no such pack; 3 no broker or registry.
    """
    from topologies.rule_packs import changes

    found = changes(_pack(old, kafka, registry), _pack(new, kafka, registry))
    if as_json:
        print(json.dumps([change._asdict() for change in found]))
        return
    for change in found:
        print(f"{change.what}: {change.field}: {change.before} -> {change.after}")
    if not found:
        print("no difference")


def publish(
    file: FileArgument,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a pack as its next version, when it has no mistakes and its examples pass.

    Example: orderstream rules publish docs/packs/festival.yaml

    Exit codes: 0 it is published, or was already; 1 it has mistakes; 2 there is no such file;
    3 no broker or registry.
    """
    from schemas.registry import connected_codec
    from topologies import rule_packs

    pack, findings = _read(file)
    if pack is None or findings:
        _print_findings(file, findings, err=True)
        typer.echo(f"orderstream: {file} is not published", err=True)
        raise typer.Exit(1)
    with servers():
        codec = connected_codec(registry_url(registry))
        published = rule_packs.publish(kafka_address(kafka), codec, pack)
    key = rule_packs.key_of(published.pack)
    if as_json:
        print(json.dumps({"key": key, "new": published.is_new}))
        return
    print(f"{key} {'is published' if published.is_new else 'was there already'}")


def schema() -> None:
    """Print the JSON Schema of a pack's file, for the completion of editors.

    Example: orderstream rules schema > rule-pack.schema.json

    Exit codes: 0 done.
    """
    from topologies.rule_files import json_schema

    print(json.dumps(json_schema(), indent=2))


def _read(file: Path) -> tuple[RulePack | None, Sequence[Located]]:
    from topologies.rule_files import read_pack

    try:
        return read_pack(file, int(time.time() * 1000))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from error


def _in_short(rule: Rule) -> str:
    from msgspec import to_builtins

    parts = []
    for name, values in to_builtins(rule.effect).items():
        if values is not None:
            parts.append(" ".join([name, *(f"{k}={v}" for k, v in values.items() if v)]))
    for word, text in (
        ("for", rule.items),
        ("with code", rule.coupon),
        ("when", rule.when),
        ("in group", rule.group),
        ("excludes", ", ".join(rule.excludes)),
        ("requires", ", ".join(rule.requires)),
    ):
        if text:
            parts.append(f"{word} {text}")
    return "; ".join(parts)


def _but_examples(findings: Sequence[Located]) -> list[Located]:
    """Return the mistakes other than examples that do not cost what they must."""
    from streams.pricing.findings import LintCode

    return [one for one in findings if one.finding.code is not LintCode.EXAMPLE_FAILED]


def _pack(name: str, kafka: str | None, registry: str | None) -> RulePack:
    """Return the pack of a file, or a published one; exit with 1 when there is none."""
    if Path(name).exists():
        pack, findings = _read(Path(name))
        others = _but_examples(findings)
        if pack is None or others:
            _print_findings(Path(name), others, err=True)
            raise typer.Exit(1)
        return pack
    from schemas.registry import connected_codec
    from topologies import rule_packs

    with servers():
        codec = connected_codec(registry_url(registry))
        published = rule_packs.versions(kafka_address(kafka), codec)
    found = rule_packs.named(published, name)
    if found is None:
        known = ", ".join(f"{shop}/{pack_id}" for shop, pack_id in published) or "none"
        typer.echo(
            f"orderstream: no file and no published pack {name}; there are: {known}", err=True
        )
        raise typer.Exit(1)
    return found


def _print_findings(file: Path, findings: Sequence[Located], *, err: bool = False) -> None:
    for finding, line in findings:
        rule = f" rule {finding.rule_id}:" if finding.rule_id else ""
        field = ".".join(str(part) for part in finding.path if isinstance(part, str))
        field = field.removeprefix("rules.")
        typer.echo(f"{file}:{line}:{rule} {field}: {finding.detail} ({finding.code})", err=err)


def _plain_finding(located: Located) -> dict[str, Any]:
    finding, line = located
    return {
        "line": line,
        "rule_id": finding.rule_id,
        "code": finding.code.value,
        "path": list(finding.path),
        "detail": finding.detail,
    }
