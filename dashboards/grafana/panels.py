"""Panels and dashboards, as the JSON that Grafana 10 and later provision.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

_COLUMNS: Final = 24  # of Grafana's grid
_HEIGHT: Final = 8
_SCHEMA_VERSION: Final = 39


class Source(Enum):
    """A data source: its uid here, and Grafana's type of it."""

    PROMETHEUS = ("orderstream-prometheus", "prometheus")
    LEDGER = ("orderstream-mysql", "mysql")
    WAREHOUSE = ("orderstream-clickhouse", "grafana-clickhouse-datasource")

    @property
    def reference(self) -> dict[str, str]:
        """How a panel names it."""
        uid, kind = self.value
        return {"type": kind, "uid": uid}


class Look(Enum):
    """How a panel draws its data, by Grafana's name."""

    LINES = "timeseries"
    NUMBER = "stat"
    BARS = "barchart"
    TABLE = "table"


class Panel(NamedTuple):
    """One query and how it is shown.

    Of SQL, lines have a first column ``time``. ``unit`` is Grafana's id. ``legend`` names PromQL's
    series by their labels. ``width`` is in 24ths. SQL may say ``$__timeFilter(column)``.
    """

    title: str
    about: str
    source: Source
    look: Look
    query: str
    unit: str = "short"
    legend: str = ""
    width: int = 8


class Dashboard(NamedTuple):
    """A page of panels, from left to right and top to bottom."""

    uid: str
    title: str
    panels: Sequence[Panel]
    refresh: str = "5s"
    since: str = "now-1h"

    def json(self) -> dict[str, Any]:
        """Return Grafana's model of it."""
        placed: list[dict[str, Any]] = []
        x = y = 0
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > _COLUMNS:
                x, y = 0, y + _HEIGHT
            grid = {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}
            placed.append({"id": number, "gridPos": grid, **_panel(panel)})
            x += panel.width
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["orderstream"],
            "timezone": "utc",
            "schemaVersion": _SCHEMA_VERSION,
            "editable": False,
            "refresh": self.refresh,
            "time": {"from": self.since, "to": "now"},
            "templating": {"list": []},
            "annotations": {"list": []},
            "panels": placed,
        }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.look.value,
        "title": panel.title,
        "description": panel.about,
        "datasource": panel.source.reference,
        "targets": [_target(panel)],
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"], "values": True}}
        if panel.look is Look.NUMBER and panel.source is not Source.PROMETHEUS
        else {},
    }


def _target(panel: Panel) -> dict[str, Any]:
    target: dict[str, Any] = {"refId": "A", "datasource": panel.source.reference}
    if panel.source is Source.PROMETHEUS:
        return {**target, "expr": panel.query, "legendFormat": panel.legend or "__auto"}
    is_series = panel.look is Look.LINES
    target |= {"rawSql": panel.query, "editorMode": "code"}
    if panel.source is Source.LEDGER:
        return {**target, "rawQuery": True, "format": "time_series" if is_series else "table"}
    kind = "timeseries" if is_series else "table"
    return {**target, "editorType": "sql", "queryType": kind, "format": 0 if is_series else 1}
