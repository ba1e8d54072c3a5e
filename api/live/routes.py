"""The routes of the live page."""

from __future__ import annotations

from typing import Any, Final

from litestar import WebSocket, websocket
from litestar.datastructures import State

from api.auth import Scope
from api.pages import load, routes

PATH: Final = "/live"


@websocket("/ws/live")
async def live_socket(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Push the figures of the page; ``api.live.socket`` has the protocol."""
    services = state.services
    await services.sockets.hold(socket, services.live.converse, Scope.SHOP, Scope.OPERATOR)


PAGE = routes(PATH, load("dashboards", "live"))
"""The page, for everybody: it has no figures of its own."""

SOCKETS = (live_socket,)
"""What is served beside it: a socket brings a ticket."""
