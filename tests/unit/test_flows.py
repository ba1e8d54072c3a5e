"""The command `flow` says what is wrong before it looks for any server."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from topologies.cli import build
from topologies.flows import EMIT_MS, NAMES, make
from topologies.services import flows

SERVERS = ("--kafka", "there:9092", "--registry", "http://there")


def test_every_flow_has_a_service_and_a_pace() -> None:
    assert {service.name for service in flows()} == {f"flow-{name}" for name in NAMES}
    assert set(EMIT_MS) == set(NAMES)
    assert [make(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("sales", "--rules", "x.yaml"), ("alerts", "--rules", "none.yaml")]
)
def test_what_cannot_be_is_wrong_usage(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert CliRunner().invoke(build(), ["flow", *arguments, *SERVERS]).exit_code == 2


def test_a_file_of_rules_is_judged_by_name(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules: [{kind: below_threshold, id: low, units: 9, clear_units: 3}]")
    result = CliRunner().invoke(build(), ["alerts", "rules", str(file)])
    assert result.exit_code == 2
    assert "low" in result.output
