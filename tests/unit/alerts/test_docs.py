"""The examples of docs/alerts.md can be used as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from streams.alerts.rules import DEFAULT
from topologies.alert_receivers import Format, read_receivers
from topologies.alert_rules import read_rules

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"
RULES, RECEIVERS = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.S)


def test_the_rules_show_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert {rule.kind for rule in read_rules(file)} == {rule.kind for rule in DEFAULT}


def test_the_receivers_show_every_format(tmp_path: Path) -> None:
    file = tmp_path / "receivers.yaml"
    file.write_text(RECEIVERS)
    assert {receiver.format for receiver in read_receivers(file)} == set(Format)
