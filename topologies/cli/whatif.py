"""`replay whatif`: what a draft of rules would have changed, in money."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli.connection import JsonOption, KafkaOption, RegistryOption, kafka_address

if TYPE_CHECKING:
    from schemas.promotion import RulePack


def whatif(
    rules: Annotated[Path, typer.Option(help="The draft: a pack as YAML or JSON.", dir_okay=False)],
    since: Annotated[
        str | None,
        typer.Option("--from", help="ISO 8601 in UTC or epoch milliseconds. Default: all."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Until before this moment. Default: now.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Compare with this published pack, SHOP/PACK or SHOP/PACK@VERSION, for all "
            "orders. Default: what each order was priced by."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a report with charts here.", dir_okay=False)
    ] = None,
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Price recorded orders again by a draft of rules, and tell the difference in money.

    Orders of the draft's shop, each at its own list prices and moment, with the coupons that it
    held. Less for the shop is negative. Orders that find nothing left of a budget, a quota or a
    coupon are told apart. Categories are those of the catalogue now. Nothing is written.

    Example: orderstream replay whatif --rules docs/packs/festival.yaml --from 2026-11-01

    Exit codes: 0 done (also when something differs); 1 the draft has mistakes, or there is no such
    pack; 2 no such file or moment; 3 no broker or registry, or the log's beginning is gone.
    """
    from rich.console import Console

    from schemas.catalog import SkuListed
    from schemas.topics import CATALOG_EVENTS
    from streams.pricing.packs import pin_of
    from topologies import rule_packs
    from topologies.cli.progress import counting
    from topologies.cli.replay import log_of
    from topologies.replay import whatif_report
    from topologies.replay.log import records
    from topologies.replay.whatif import WhatIf, history

    draft = _draft(rules)
    since_ms, until_ms = _instant(since), _instant(until)
    console = Console(stderr=True)
    with log_of(kafka, registry) as (log, codec):
        published = rule_packs.versions(kafka_address(kafka), codec)
        other = None
        if against is not None and (other := rule_packs.named(published, against)) is None:
            typer.echo(f"orderstream: there is no published pack {against}", err=True)
            raise typer.Exit(1)
        categories = {}
        for batch in records(log, [CATALOG_EVENTS.name]):
            for record in (one for found in batch.values() for one in found if one.value):
                listed = codec.decode(record.value)
                if isinstance(listed, SkuListed) and listed.shop_id == draft.shop_id:
                    categories[listed.sku_id] = listed.category
        with counting(console, "facts of orders") as progress:
            past = history(log, codec, draft.shop_id, since_ms, until_ms, progress)
    packs = {
        pin_of(pack): pack
        for (shop_id, _), versions in published.items()
        if shop_id == draft.shop_id
        for pack in versions
    }
    started_s, started_cpu_s = time.monotonic(), time.thread_time()
    with counting(console, "orders priced") as progress:
        report = WhatIf(draft, packs, categories, other).run(past, progress)
    took_s = max(time.monotonic() - started_s, 1e-9)
    rate = round(report.orders / took_s)
    cpu_rate = round(report.orders / max(time.thread_time() - started_cpu_s, 1e-9))
    if html is not None:
        html.write_text(whatif_report.page(report))
    if as_json:
        rates = {"orders_per_s": rate, "orders_per_cpu_s": cpu_rate}
        print(json.dumps({**whatif_report.as_json(report), **rates}))
        return
    out = Console()
    for table in whatif_report.tables(report):
        out.print(table)
    print(f"{report.orders:,} orders priced anew, {rate:,} a second ({cpu_rate:,} on a whole core)")
    if html is not None:
        print(f"charts: {html}")


def _draft(file: Path) -> RulePack:
    """Return the pack of a file; one whose examples fail may be tried as well.

    So may one without a floor or examples: a loss is what is looked for.
    """
    from streams.pricing import InvalidPack, compile_pack
    from topologies.rule_files import read_pack

    try:
        pack, findings = read_pack(file, int(time.time() * 1000))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from error
    for finding, line in findings:
        typer.echo(f"{file}:{line}: {finding.rule_id} {finding.detail} ({finding.code})", err=True)
    if pack is None:
        raise typer.Exit(1)
    try:
        compile_pack(pack)
    except InvalidPack as error:
        typer.echo(f"orderstream: {file}: {error}", err=True)
        raise typer.Exit(1) from error
    return pack


def _instant(text: str | None) -> int | None:
    from topologies.replay.state import moment

    try:
        found = moment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if found.offset is not None:
        raise typer.BadParameter(f"{text} is no moment: send epoch milliseconds or ISO 8601")
    return found.at_ms
