"""Grafana's dashboards: what is committed is what the code makes, and hangs together."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from dashboards.grafana.files import DASHBOARDS, FOLDER, files
from dashboards.grafana.panels import Dashboard, Look, Panel, Source
from deploy.programs import PROMTOOL

_PROVISIONING = FOLDER.parent / "provisioning"
PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]


def test_the_committed_files_are_what_the_code_makes() -> None:
    committed = {path: path.read_text() for path in FOLDER.glob("*.json")}
    assert committed == files(), "run: python -m dashboards.grafana"


@pytest.mark.parametrize("source", Source)
def test_each_data_source_is_provisioned_under_its_uid(source: Source) -> None:
    uid, kind = source.value
    text = Path(_PROVISIONING, "datasources", "orderstream.yaml").read_text()
    assert f"uid: {uid}\n    type: {kind}\n" in text


def test_panels_lie_side_by_side_and_never_on_each_other() -> None:
    panels = [Panel("t", "", Source.LEDGER, Look.TABLE, "SELECT 1", width=w) for w in (8, 12, 8)]
    placed = Dashboard("uid", "title", panels).json()["panels"]
    assert [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in placed] == [
        (0, 0),
        (8, 0),
        (0, 8),
    ]


def test_every_panel_says_what_it_shows() -> None:
    assert [panel.title for panel in PANELS if not panel.about.endswith(".")] == []


def test_lines_from_sql_have_their_time_first() -> None:
    lines = [p for p in PANELS if p.look is Look.LINES and p.source is not Source.PROMETHEUS]
    assert [
        p.title for p in lines if not re.match(r"SELECT [^,]*(,[^,]*)? AS time,", p.query)
    ] == []


@pytest.mark.skipif(PROMTOOL.find() is None, reason="promtool is missing: make programs")
def test_prometheus_understands_every_query_to_it(tmp_path: Path) -> None:
    queries = [panel.query for panel in PANELS if panel.source is Source.PROMETHEUS]
    rules = [{"record": f"panel:{nth}", "expr": query} for nth, query in enumerate(queries)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    tool = PROMTOOL.find() or ""
    done = subprocess.run((tool, "check", "rules", str(file)), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
