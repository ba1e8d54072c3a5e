"""The API with the keys that gateways and webhook receivers share with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.stack import Endpoints
from tests.api import Api
from topologies.services import keys

SECRET = b"the simulator's secret, 32 bytes!"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def served(stack: Endpoints, home: Path) -> Iterator[Api]:
    """Serve the API; ``keys(home)`` are its keys, and the simulator's is SECRET."""
    environment = keys(home)
    secret = Path(environment["ORDERSTREAM_GATEWAY_SIM_SECRET"])
    secret.parent.mkdir(parents=True)
    secret.write_bytes(SECRET)
    with Api(stack, home, **environment) as api:
        api.wait_until_serving()
        yield api
