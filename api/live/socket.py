"""``GET /ws/live``: the live page's figures as they change.

Open it with ``?ticket=`` (``POST /api/v2/ws/tickets``) of a token of scope shop or operator; an
operator of shop 0 sees all shops added up. The first message is ``snapshot``, then come ``delta``:
at most four a second, at least one a second. ``api.live.board`` says what is in them. Nothing has
to be sent, and a client that comes back begins anew.

A client that reads slowly gets fewer messages, each with all that changed since the one before; one
that does not read for ten seconds is closed with 4408.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from api.auth import Principal
from api.live.board import Seen, board
from api.live.watching import Watching
from api.push.websocket import GONE, MISUSE, TOO_SLOW, End, first_of, token_end

EVERY_S = 0.25
QUIET_S = 1.0
SEND_LIMIT_S = 10.0


class Viewing:
    """Shows ``watching`` to those who look."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    async def converse(self, socket: WebSocket[Any, Any, Any], principal: Principal) -> End:
        """Keep one viewer up to date until it goes or its token ends; say how it ended."""
        async with self._watching.watched():
            return await first_of(
                token_end(principal),
                self._listen(socket),
                self._show(socket, principal.shop_id),
            )

    async def stop(self) -> None:
        """Follow the reports no more."""
        await self._watching.stop()

    async def _show(self, socket: WebSocket[Any, Any, Any], shop_id: int) -> End:
        reports, seen, event = self._watching.reports, Seen(), "snapshot"
        try:
            while True:
                told_s = time.monotonic()
                data, seen = board(reports, shop_id, seen, self._watching.pipeline())
                text = msgspec.json.encode({"event": event, "data": data}).decode()
                async with asyncio.timeout(SEND_LIMIT_S):
                    await socket.send({"type": "websocket.send", "text": text, "bytes": None})
                event = "delta"
                await asyncio.sleep(EVERY_S)
                while reports.change == seen.windows and time.monotonic() < told_s + QUIET_S:
                    await asyncio.sleep(EVERY_S)
        except TimeoutError:
            return End(TOO_SLOW, "too slow")
        except (OSError, WebSocketDisconnect):
            return GONE

    async def _listen(self, socket: WebSocket[Any, Any, Any]) -> End:
        event = await socket.receive()
        if event["type"] != "websocket.receive":
            return GONE
        return End(MISUSE, "nothing is to be sent")
