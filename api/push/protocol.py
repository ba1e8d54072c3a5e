"""uvicorn's WebSocket protocol, bounded: what a client that reads or sends badly may cost.

uvicorn waits for a client to read before it closes; one that never reads would keep its socket for
ever. Here the end of a socket takes a few seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

MESSAGE_BYTES = 16 * 1024
"""What a client may send at once: a resume of 500 orders at ~25 bytes is 13 KB."""

CLOSE_LIMIT_S = 5.0

_SEND_BUFFER_BYTES = 64 * 1024
"""Of the kernel, which would buffer megabytes for a client that does not read."""

_PING_S = 20.0

_quiet = logging.getLogger("api.push")
_quiet.setLevel(logging.WARNING)  # uvicorn logs a handshake's URL, which has a ticket in it


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose buffers and whose end are bounded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = _quiet
        self.conn.debug = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound the kernel's buffer."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    async def send(self, message: ASGISendEvent) -> None:
        """Send an event; after a close the connection ends, read or not."""
        if message["type"] != "websocket.close":
            await super().send(message)
            if message["type"] == "websocket.http.response.body":
                self.handshake_complete = True  # refused: uvicorn would log it as a fault
            return
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await super().send(message)
        except TimeoutError:
            self.transport.abort()
        else:
            self.loop.call_later(CLOSE_LIMIT_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """End a socket whose client does not answer, also when it does not read the end."""
        super().keepalive_timeout()
        self.loop.call_later(CLOSE_LIMIT_S, self.transport.abort)


def server_options() -> dict[str, Any]:
    """Return what uvicorn's Config has to be given for the sockets."""
    return {
        "ws": cast(Any, BoundedWebSocket),
        "ws_max_size": MESSAGE_BYTES,
        "ws_ping_interval": _PING_S,
        "ws_ping_timeout": _PING_S,
        # Messages are small: compressing them costs more than it saves, and a megabyte of memory.
        "ws_per_message_deflate": False,
    }
