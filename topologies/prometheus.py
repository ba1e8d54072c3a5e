"""Prometheus beside the stack: what it scrapes, its configuration, and how it is run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from deploy import prometheus
from deploy.errors import MissingError
from deploy.programs import PROMETHEUS
from deploy.service import Http, Service

RULES: Final = Path(prometheus.__file__).parent / "rules.yml"
_SCRAPE_S: Final = 5


def lay_out(folder: Path, services: Iterable[Service]) -> Path:
    """Write ``targets.json`` (file_sd) and ``prometheus.yml`` into ``folder``; return the latter.

    Each target has the label ``process``: the name of its service.
    """
    folder.mkdir(parents=True, exist_ok=True)
    targets = [
        {"targets": [f"127.0.0.1:{one.metrics_port}"], "labels": {"process": one.name}}
        for one in services
        if one.metrics_port
    ]
    (folder / "targets.json").write_text(json.dumps(targets, indent=2) + "\n")
    config = {
        "global": {"scrape_interval": f"{_SCRAPE_S}s", "evaluation_interval": f"{_SCRAPE_S}s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "orderstream",
                "file_sd_configs": [{"files": [str(folder / "targets.json")]}],
            }
        ],
    }
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config, indent=2) + "\n")  # JSON is YAML
    return path


def service(config: Path, data: Path, port: int) -> Service:
    """Return Prometheus at a port of 127.0.0.1, with its data in ``data``.

    Raises MissingError where it is not installed.
    """
    program = PROMETHEUS.find()
    if program is None:
        raise MissingError(
            "Prometheus is not on this machine; on Debian: sudo apt-get install prometheus, or "
            f"start one of yours with {config}"
        )
    data.mkdir(parents=True, exist_ok=True)
    return Service(
        name="prometheus",
        argv=(
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={url(port).removeprefix('http://')}",
        ),
        cwd=str(data),
        ready=Http(f"{url(port)}/-/ready"),
    )


def url(port: int) -> str:
    """Return where Prometheus answers."""
    return f"http://127.0.0.1:{port}"
