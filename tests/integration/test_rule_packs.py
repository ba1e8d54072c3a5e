"""Packs on a real topic: versions grow, and the same pack is not published twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

from typer.testing import CliRunner

from deploy.stack import Endpoints
from schemas.registry import connected_codec
from streams.pricing.packs import pin_of
from topologies.catalogue import Catalogue
from topologies.cli import build
from topologies.pipeline import all_records

FESTIVAL = Path(__file__).parents[2] / "docs/packs/festival.yaml"


def run(stack: Endpoints, *words: str) -> tuple[int, str]:
    line = ["rules", *words, "--kafka", stack.kafka, "--registry", stack.registry]
    result = CliRunner().invoke(build(), line)
    return result.exit_code, result.output


def test_a_pack_is_published_in_versions_that_all_stand(stack: Endpoints, tmp_path: Path) -> None:
    for line in (
        ("topics", "create", "--kafka", stack.kafka),
        ("schemas", "register", "--registry", stack.registry),
    ):
        assert CliRunner().invoke(build(), list(line)).exit_code == 0
    draft = tmp_path / "draft.yaml"
    text = FESTIVAL.read_text().replace("shop_id: 1", "shop_id: 77")
    draft.write_text(text)

    assert run(stack, "publish", str(draft)) == (0, "77/festival/1 is published\n")
    assert run(stack, "publish", str(draft)) == (0, "77/festival/1 was there already\n")
    draft.write_text(text.replace("per_user: 1\n\n  - rule_id: w", "per_user: 2\n\n  - rule_id: w"))
    assert run(stack, "diff", "77/festival", str(draft)) == (0, "morning: per_user: 1 -> 2\n")
    assert run(stack, "publish", str(draft)) == (0, "77/festival/2 is published\n")

    first = json.loads(run(stack, "show", "77/festival@1", "--json")[1])
    last = json.loads(run(stack, "show", "77/festival", "--json")[1])
    assert (first["version"], last["version"]) == (1, 2)
    code, told = run(stack, "show", "77/winter")
    assert code == 1
    assert "no file and no published pack 77/winter; there are: " in told


def test_whoever_prices_follows_the_published_packs(stack: Endpoints, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(FESTIVAL.read_text().replace("shop_id: 1", "shop_id: 78"))
    assert run(stack, "publish", str(draft))[0] == 0
    catalogue = Catalogue(stack.kafka, connected_codec(stack.registry, all_records()))
    catalogue.start()
    try:
        now_ms = int(time.time() * 1000)
        pack = catalogue.packs.in_force(78, now_ms)
        assert pack is not None
        assert pin_of(pack.pack) == "festival@1"
        assert catalogue.packs.in_force(78, now_ms - 24 * 3600 * 1000) is None
    finally:
        catalogue.stop()
