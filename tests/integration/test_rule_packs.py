"""Packs on a real topic: versions grow, and the same pack is not published twice."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from deploy.stack import Endpoints
from topologies.cli import build

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
