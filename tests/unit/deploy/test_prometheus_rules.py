"""Prometheus' rules: promtool tests them, and each alert has its page of the runbook."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from deploy.programs import PROMTOOL
from deploy.service import Service
from topologies.prometheus import RULES, lay_out
from topologies.services import flows, measured

_RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
_TOOL = PROMTOOL.find() or ""
needs_promtool = pytest.mark.skipif(not _TOOL, reason="promtool is missing: make programs")


def alerts() -> list[str]:
    groups = msgspec.yaml.decode(RULES.read_bytes())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


@needs_promtool
def test_the_rules_raise_what_they_should_and_nothing_else() -> None:
    done = subprocess.run(
        (_TOOL, "test", "rules", str(RULES.with_name("rules_test.yml"))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_raised_in_a_test_and_explained_in_the_runbook() -> None:
    tests, runbook = RULES.with_name("rules_test.yml").read_text(), _RUNBOOK.read_text()
    assert [one for one in alerts() if f'alertname="{one}"' not in tests] == []
    assert [line[3:] for line in runbook.splitlines() if line.startswith("## ")] == alerts()


@needs_promtool
def test_prometheus_is_told_of_every_process_that_measures_itself(tmp_path: Path) -> None:
    services = measured((*flows(), Service(name="topics", argv=("true",))))
    config = lay_out(tmp_path, services)
    targets = json.loads((tmp_path / "targets.json").read_text())
    assert [one["labels"]["process"] for one in targets] == [one.name for one in flows()]
    assert len({one["targets"][0] for one in targets}) == len(flows())
    subprocess.run((_TOOL, "check", "config", str(config)), check=True, capture_output=True)
