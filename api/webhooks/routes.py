"""Routes of the webhooks: endpoints, their deliveries, and telling again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import structlog
from litestar import Response, delete, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from redis import RedisError

from api.asking import limited
from api.auth import Principal, Scope, guard
from api.openapi import Traced, errors
from api.problems import Code, Refused
from api.requests import ResendBody
from api.services import Services
from api.webhooks.bodies import DeliveryList, EndpointList, EndpointView, NewEndpoint, Resent
from api.webhooks.desk import Webhooks

_MAX_NUMBER = 2**53  # Redis counts a stream's entries in doubles' whole numbers here

log = structlog.get_logger()


def _webhooks(state: State) -> Webhooks:
    found: Webhooks | None = state.services.webhooks
    if found is None:
        raise Refused(
            Code.UNAVAILABLE, "webhooks are not set up here", headers={"Retry-After": "60"}
        )
    return found


async def _charged(
    state: State, principal: Principal, route: str, *, writes: bool
) -> dict[str, str]:
    """Charge a request; return the headers of its response."""
    services: Services = state.services
    return await limited(services, principal, route, writes=writes)


def _shop(principal: Principal) -> int:
    """Return the one shop that the asker may speak for."""
    if not principal.shop_id:
        raise Refused(Code.FORBIDDEN, "this needs a token for one shop")
    return principal.shop_id


@contextmanager
def _redis_needed() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        log.warning("webhook_queue_away", why=str(error))
        raise Refused(
            Code.UNAVAILABLE,
            "the log of deliveries is away; try again soon",
            headers={"Retry-After": "5"},
        ) from error


# --- routes; a token needs the scope ``shop`` ----------------------------------------------------

EndpointId = Annotated[str, Parameter(description="The webhook's id, as its subscription gave it.")]
Number = Annotated[int, Parameter(ge=1, le=_MAX_NUMBER, description="The delivery's ``n``.")]
Before = Annotated[
    int | None,
    Parameter(ge=1, le=_MAX_NUMBER, description="``before`` of the page before."),
]
_GUARDS = [guard(Scope.SHOP, Scope.OPERATOR)]
_TAGS = ["webhooks"]


@post(
    "/webhooks",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="subscribe_webhook",
    summary="Subscribe an endpoint",
    tags=_TAGS,
    responses=errors("TOO_MANY_WEBHOOKS"),
)
async def subscribe(
    state: State, principal: Principal, data: NewEndpoint
) -> Response[EndpointView]:
    """Tell an endpoint what happens to the shop's orders from now on.

    The answer holds the secret that signs its messages; it is not shown again.
    """
    headers = await _charged(state, principal, "POST /webhooks", writes=True)
    made = await _webhooks(state).subscribe(_shop(principal), data)
    return Response(made, headers=headers)


@get(
    "/webhooks",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="list_webhooks",
    summary="List the endpoints",
    tags=_TAGS,
    responses=errors(Code.UNAVAILABLE, has_body=False),
)
async def list_endpoints(state: State, principal: Principal) -> Response[EndpointList]:
    """List the shop's endpoints."""
    headers = await _charged(state, principal, "GET /webhooks", writes=False)
    return Response(_webhooks(state).of_shop(_shop(principal)), headers=headers)


@delete(
    "/webhooks/{endpoint_id:str}",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="unsubscribe_webhook",
    summary="Remove an endpoint",
    tags=_TAGS,
    responses=errors(Code.NOT_FOUND, Code.UNAVAILABLE, has_body=False),
)
async def unsubscribe(state: State, principal: Principal, endpoint_id: EndpointId) -> None:
    """Remove an endpoint; what it has not been told yet it is not told."""
    await _charged(state, principal, "DELETE /webhooks", writes=True)
    with _redis_needed():
        await _webhooks(state).unsubscribe(_shop(principal), endpoint_id)


@post(
    "/webhooks/{endpoint_id:str}/secret",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="change_webhook_secret",
    summary="Change the secret",
    tags=_TAGS,
    status_code=200,
    responses=errors(Code.NOT_FOUND, Code.UNAVAILABLE, has_body=False),
)
async def change_secret(
    state: State, principal: Principal, endpoint_id: EndpointId
) -> Response[EndpointView]:
    """Give the endpoint a new secret; for a day messages are signed with both."""
    headers = await _charged(state, principal, "POST /webhooks/secret", writes=True)
    changed = await _webhooks(state).change_secret(_shop(principal), endpoint_id)
    return Response(changed, headers=headers)


@get(
    "/webhooks/{endpoint_id:str}/deliveries",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="list_deliveries",
    summary="List deliveries",
    tags=_TAGS,
    responses=errors(Code.NOT_FOUND, Code.UNAVAILABLE, has_body=False),
)
async def deliveries(
    state: State, principal: Principal, endpoint_id: EndpointId, before: Before = None
) -> Response[DeliveryList]:
    """List what the endpoint was told, the newest first."""
    headers = await _charged(state, principal, "GET /webhooks/deliveries", writes=False)
    with _redis_needed():
        found = await _webhooks(state).deliveries(_shop(principal), endpoint_id, before)
    return Response(found, headers=headers)


@post(
    "/webhooks/{endpoint_id:str}/deliveries/{n:int}/resend",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="resend_delivery",
    summary="Tell an event again",
    tags=_TAGS,
    status_code=202,
    responses=errors(Code.NOT_FOUND, Code.UNAVAILABLE, has_body=False),
)
async def resend(
    state: State, principal: Principal, endpoint_id: EndpointId, n: Number
) -> Response[Resent]:
    """Tell the event of a delivery again, under the same ``webhook-id``."""
    headers = await _charged(state, principal, "POST /webhooks/resend", writes=True)
    with _redis_needed():
        resent = await _webhooks(state).resend(_shop(principal), endpoint_id, n)
    return Response(resent, headers=headers)


@post(
    "/admin/events/resend",
    guards=_GUARDS,
    operation_class=Traced,
    operation_id="resend_events",
    summary="Tell an order's events again",
    tags=_TAGS,
    status_code=202,
    responses=errors("UNKNOWN_ORDER"),
)
async def resend_order(state: State, principal: Principal, data: ResendBody) -> Response[Resent]:
    """Tell all events of an order again, to every endpoint of its shop that wants them."""
    headers = await _charged(state, principal, "POST /admin/events/resend", writes=True)
    with _redis_needed():
        resent = await _webhooks(state).resend_order(principal.shop_id, data.order_no)
    return Response(resent, headers=headers)


ROUTES: tuple[HTTPRouteHandler, ...] = (
    subscribe,
    list_endpoints,
    unsubscribe,
    change_secret,
    deliveries,
    resend,
    resend_order,
)
