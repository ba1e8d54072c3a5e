"""Which dashboards there are, and the files that they are written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from dashboards.grafana import business, pipeline, stores

DASHBOARDS: Final = (business.DASHBOARD, pipeline.DASHBOARD, stores.DASHBOARD)
FOLDER: Final = Path(__file__).parent / "json"


def files() -> dict[Path, str]:
    """Return the content of each file by its path."""
    return {
        FOLDER / f"{one.uid}.json": json.dumps(one.json(), indent=2) + "\n" for one in DASHBOARDS
    }
