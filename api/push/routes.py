"""The routes of the pushes."""

from __future__ import annotations

from typing import Any

from litestar import Response, WebSocket, post, websocket
from litestar.datastructures import State

from api.asking import limited
from api.auth import Principal, Scope, guard
from api.openapi import Traced, errors
from api.problems import Code
from api.push.tickets import LIFE_S
from api.responses import Ticket
from api.services import Services


@post(
    "/ws/tickets",
    guards=[guard(Scope.CUSTOMER, Scope.SHOP, Scope.OPERATOR)],
    operation_class=Traced,
    operation_id="give_ticket",
    tags=["push"],
    summary="Get a ticket for the WebSocket",
    responses=errors(Code.UNAVAILABLE, has_body=False),
)
async def give_ticket(state: State, principal: Principal) -> Response[Ticket]:
    """Give the asker a one-use ticket: a WebSocket is opened with it, not with the token."""
    services: Services = state.services
    headers = await limited(services, principal, "POST /ws/tickets", writes=True)
    ticket = await services.sockets.tickets.issue(principal)
    return Response(Ticket(ticket, LIFE_S, f"/ws/state?ticket={ticket}"), headers=headers)


@websocket("/ws/state")
async def state_socket(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Push transitions; ``api.push.websocket`` has the protocol."""
    await state.services.sockets.serve(socket)


ROUTES = (give_ticket,)
"""What is served under the API's prefix, to whoever has a token."""

SOCKETS = (state_socket,)
"""What is served beside it: a socket brings a ticket."""
