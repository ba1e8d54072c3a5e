"""Serves an application: one process on one socket, which other processes may share (SO_REUSEPORT).

The kernel spreads connections over the processes that listen at a port, so there is nothing between
a client and the process that serves it.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable

import uvicorn
from litestar.types import ASGIApp

from api.push.protocol import server_options

_BACKLOG = 2_048
_DRAIN_S = 10  # requests wait for a decision for 3 s, and for a sync of the disk
_KEEP_ALIVE_S = 75
# The follower's thread hands over facts while requests are served: with Python's 5 ms it would wait
# that long for its turn whenever the event loop is busy.
_SWITCH_INTERVAL_S = 0.0005
_YOUNG_OBJECTS = 20_000  # a request makes some hundreds; the default of 700 collects at every other


def bound(host: str, port: int) -> socket.socket:
    """Return a socket at an address that other processes may share; port 0: a free one.

    Raises OSError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found


def serve(app: ASGIApp, at: socket.socket, on_started: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT: no new connection then, and requests come to their end."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # what is there now stays for good
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
        **server_options(),
    )
    _Server(config, on_started).run(sockets=[at])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()
