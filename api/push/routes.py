"""The routes of the pushes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import WebSocket, post, websocket
from litestar.datastructures import State

from api.auth import Principal, Scope, guard
from api.push.tickets import LIFE_S


class Ticket(msgspec.Struct, frozen=True):
    """A way into ``/ws/state`` for half a minute, once."""

    ticket: Annotated[str, msgspec.Meta(examples=["3v2T0cE9JfX0Qm1p6l8aQyKkqkqgS2bN"])]
    expires_in_s: Annotated[int, msgspec.Meta(examples=[LIFE_S])]
    path: Annotated[str, msgspec.Meta(examples=["/ws/state?ticket=3v2T0cE9JfX0Qm1p6l8aQyKkqkqg"])]


@post(
    "/ws/tickets",
    guards=[guard(Scope.CUSTOMER, Scope.SHOP, Scope.OPERATOR)],
    tags=["push"],
    summary="Get a ticket for the WebSocket",
)
async def give_ticket(state: State, principal: Principal) -> Ticket:
    """Give the asker a one-use ticket: a WebSocket is opened with it, not with the token."""
    ticket = await state.services.sockets.tickets.issue(principal)
    return Ticket(ticket, LIFE_S, f"/ws/state?ticket={ticket}")


@websocket("/ws/state")
async def state_socket(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Push transitions; ``api.push.websocket`` has the protocol."""
    await state.services.sockets.serve(socket)


ROUTES = (give_ticket,)
"""What is served under the API's prefix, to whoever has a token."""

SOCKETS = (state_socket,)
"""What is served beside it: a socket brings a ticket."""
