"""ClickHouse: the real engine, by chDB, behind its own HTTP protocol; it comes in a wheel.

chDB runs in a process and lets one process own a folder. So one process does nothing else
(`deploy.clickhouse_server`), and clients of a ClickHouse server talk to it as to one.
"""

import importlib.util
import sys
from pathlib import Path
from urllib.parse import urlsplit

from deploy.artifacts import Artifact, Cache
from deploy.errors import MissingError, NotReadyError
from deploy.process import free_ports, http_get
from deploy.server import Launch
from deploy.service import Answers, Service

_DATABASE = "orderstream"
_PONG = b"Ok.\n"


class ClickHouse:
    """Address: a ``http://user:password@host:port/database`` URL; the embedded asks for no user."""

    name = "clickhouse"

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return nothing: a wheel brings it."""
        return ()

    def launch(self, cache: Cache, data_dir: Path) -> Launch:
        """Give the folder to a process that serves it."""
        if importlib.util.find_spec("chdb") is None:
            raise MissingError(
                "the package chdb is not installed; run: make bootstrap, or name a running server "
                "in ORDERSTREAM_CLICKHOUSE=http://user:password@host:port/database"
            )
        data_dir.mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        endpoint = f"http://127.0.0.1:{port}/{_DATABASE}"
        return Launch(
            Service(
                name=self.name,
                argv=(
                    sys.executable,
                    "-m",
                    "deploy.clickhouse_server",
                    str(data_dir),
                    str(port),
                    _DATABASE,
                ),
                # Times without a zone are UTC, whatever the machine's clock shows.
                env={"TZ": "UTC"},
                ready=Answers(self.name, endpoint),
            ),
            endpoint,
        )

    def answers(self, endpoint: str, timeout_s: float) -> None:
        """GET /ping."""
        address = urlsplit(endpoint)
        url = f"{address.scheme}://{address.netloc.rpartition('@')[2]}/ping"
        try:
            answer = http_get(url, timeout_s)
        except OSError as error:
            raise NotReadyError(f"ClickHouse at {url} does not answer: {error}") from error
        if answer != _PONG:
            raise NotReadyError(f"ClickHouse at {url} answers {answer!r}")
