"""``/graphql``: the status of orders and stock, and an order's transitions as a subscription.

Queries come by POST with the token of every route; an order that is not the asker's is ``null``, as
one that does not exist. Subscriptions come over ``graphql-transport-ws`` only, with ``{"ticket":
...}`` or ``{"authorization": "Bearer ..."}`` in ``connection_init``. What a document may ask is
bounded before anything of it runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, NewType, Protocol, cast

import msgspec
import strawberry
from graphql import GraphQLError
from litestar import WebSocket
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope as AsgiScope
from strawberry.exceptions import ConnectionRejectionError
from strawberry.extensions import (
    DisableIntrospection,
    MaskErrors,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    QueryDepthLimiter,
    SchemaExtension,
)
from strawberry.litestar import BaseContext, make_graphql_controller
from strawberry.litestar.controller import GraphQLController
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionContext

from api.auth import ASKER, Principal, Scope, guard, may_see
from api.limits import limited
from api.problems import Code, Refused
from api.push.feed import Feed, Resume, Unreadable
from api.push.hub import Interest, TooSlow
from api.push.websocket import TOKEN_ENDED, Sockets
from schemas.read_model import (
    OrderView,
    StateMessage,
    StockView,
    rfc3339,
    status_text,
)

MAX_DEPTH = 4  # orders > orders > lines > skuId, with one to spare for tomorrow's field
MAX_ALIASES = 10
MAX_TOKENS = 500  # every field of every type once is 60
MAX_PAGE = 100
SUBSCRIPTIONS_PER_SOCKET = 10

_INIT_LIMIT = timedelta(seconds=10)

Long = NewType("Long", int)
"""A 64-bit whole number; GraphQL's Int has 32 bits."""


class Reads(Protocol):
    """The read model."""

    async def order(self, order_no: str) -> OrderView | None:
        """Return the view of an order."""

    async def orders(
        self, shop_id: int, user_id: int, status: str | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[OrderView], str | None]:
        """Return a user's orders, the newest first, and the cursor of the next page."""

    async def stock(self, sku_id: int) -> StockView | None:
        """Return a sku's stock."""


class Context(BaseContext, kw_only=True):
    """What resolvers work with; ``principal`` of a socket is known after ``connection_init``."""

    reads: Reads
    sockets: Sockets
    principal: Principal | None = None
    connection_params: dict[str, Any] | None = None
    ending: ExitStack = msgspec.field(default_factory=ExitStack)


Info = strawberry.Info[Context, None]


@strawberry.type(description="A line of an order; money in minor units (fen).")
class Line:
    sku_id: Long
    qty: Long
    unit_price_fen: Long
    discount_fen: Long
    payable_fen: Long


@strawberry.type(description="An order as its owner is shown it; times are RFC 3339 in UTC.")
class Order:
    order_no: str
    seq: Long
    status: str
    status_text: str
    currency: str
    total_fen: Long
    paid_fen: Long
    refunded_fen: Long
    lines: list[Line]
    reason: str
    placed_at: str
    updated_at: str
    expires_at: str | None
    trace_id: str


@strawberry.type(description="Orders, the newest placement first.")
class OrderPage:
    orders: list[Order]
    end_cursor: str | None


@strawberry.type(description="Units of a sku in one warehouse.")
class Level:
    warehouse_id: str
    available: Long
    held: Long


@strawberry.type(description="What may be held of a sku.")
class Stock:
    sku_id: Long
    available: Long
    warehouses: list[Level]


@strawberry.type(description="A transition of an order; seq is 1, 2, 3 ... without a gap.")
class StatusUpdate:
    order_no: str
    seq: Long
    status: str
    status_text: str
    updated_at: str
    trace_id: str


# The decorator of a field gives mypy no type to see.


@strawberry.type
class Query:
    """Reads by the read model."""

    @strawberry.field(description="One order; null when there is none, or it is not yours.")  # type: ignore[untyped-decorator]
    async def order(self, info: Info, order_no: str) -> Order | None:
        view = await _visible(info.context, order_no)
        return None if view is None else _order(view)

    @strawberry.field(description="Your orders.")  # type: ignore[untyped-decorator]
    async def orders(
        self, info: Info, status: str | None = None, first: int = 20, after: str | None = None
    ) -> OrderPage:
        if not 1 <= first <= MAX_PAGE:
            raise _error(Code.INVALID_REQUEST, f"first is 1 to {MAX_PAGE}")
        asker = _asker(info.context)
        if asker.user_id == 0:
            raise _error(Code.FORBIDDEN, "the token is no customer's")
        views, cursor = await info.context.reads.orders(
            asker.shop_id, asker.user_id, status, after, first
        )
        return OrderPage(orders=[_order(view) for view in views], end_cursor=cursor)

    @strawberry.field(description="The stock of a sku; null when your shop never had any.")  # type: ignore[untyped-decorator]
    async def stock(self, info: Info, sku_id: Long) -> Stock | None:
        view = await info.context.reads.stock(sku_id)
        shop_id = _asker(info.context).shop_id
        if view is None or (
            shop_id != 0 and all(level.shop_id != shop_id for level in view.warehouses.values())
        ):
            return None
        levels = [
            Level(warehouse_id=name, available=Long(level.available), held=Long(level.held))
            for name, level in view.warehouses.items()
        ]
        return Stock(sku_id=sku_id, available=Long(view.available), warehouses=levels)


@strawberry.type
class Subscription:
    """Transitions as they happen."""

    @strawberry.subscription(description="Where an order stands, then each transition, in order.")  # type: ignore[untyped-decorator]
    async def order_status(self, info: Info, order_no: str) -> AsyncGenerator[StatusUpdate, None]:
        sockets = info.context.sockets
        view = await _visible(info.context, order_no)
        if view is None:
            raise _error(Code.NOT_FOUND, "there is no such order")
        feed = Feed(sockets.hub, sockets.history, Interest(view.shop_id, view.user_id, order_no))
        try:
            for message in await feed.missed(Resume({order_no: view.version - 1})):
                yield _update(message.text)
            async for batch in feed.live():
                for message in batch:
                    yield _update(message.text)
        except TooSlow:
            raise _error(Code.RATE_LIMITED, "too slow: subscribe again") from None
        except Unreadable:
            raise _error(Code.UNAVAILABLE, "what was missed cannot be read now") from None
        finally:
            feed.close()


def controller(*, shows_schema: bool, origins: Sequence[str]) -> type[GraphQLController]:
    """Return the routes; ``shows_schema``: introspection is answered (not in production)."""
    base = make_graphql_controller(
        schema(shows_schema),
        path="/graphql",
        graphql_ide=None,
        allow_queries_via_get=False,
        context_getter=_context,
        subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
        connection_init_wait_timeout=_INIT_LIMIT,
        max_subscriptions_per_connection=SUBSCRIPTIONS_PER_SOCKET,
        allowed_origins=origins,
    )

    class Routes(base):  # type: ignore[valid-type,misc]  # made at run time
        """The routes, with sockets that end when their token does."""

        guards = (_asked,)
        include_in_schema = False  # of REST

        async def run(self, request: Any, context: Any, root_value: Any) -> Any:
            """Answer a request or hold a socket."""
            try:
                return await super().run(request, context, root_value)
            finally:
                context.ending.close()

        async def on_ws_connect(self, context: Context) -> None:
            """Let a socket in by what ``connection_init`` brought."""
            await _let_in(context)

    return Routes


class _Schema(strawberry.Schema):
    """A schema that logs errors of the inside only: anybody may send a document with others."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log errors."""
        super().process_errors([each for each in errors if _is_secret(each)], execution_context)


def schema(shows_schema: bool) -> strawberry.Schema:
    """Return the schema with its limits."""
    limits: list[Any] = [
        lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
        lambda: QueryDepthLimiter(max_depth=MAX_DEPTH),
        lambda: MaxAliasesLimiter(max_alias_count=MAX_ALIASES),
        lambda: MaskErrors(should_mask_error=_is_secret),
    ]
    hiding: list[type[SchemaExtension]] = [] if shows_schema else [DisableIntrospection]
    return _Schema(
        Query,
        subscription=Subscription,
        extensions=[*limits, *hiding],
        config=StrawberryConfig(
            disable_field_suggestions=not shows_schema,
            scalar_map={Long: strawberry.scalar(name="Long", serialize=int, parse_value=int)},
        ),
    )


async def _asked(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """Judge and charge a query as any request; a socket says who it is after its handshake."""
    if connection.scope["type"] == ScopeType.HTTP:
        await cast(Awaitable[None], _identified(connection, route))
        await limited(connection, route)


_identified = guard(Scope.CUSTOMER, Scope.SHOP, Scope.OPERATOR)


async def _context(scope: AsgiScope, state: State) -> Context:
    principal = scope["state"].get(ASKER)
    return Context(reads=state.services.reads, sockets=state.services.sockets, principal=principal)


async def _let_in(context: Context) -> None:
    params = context.connection_params or {}
    try:
        principal = await context.sockets.principal(
            params.get("ticket"), str(params.get("authorization", "")).removeprefix("Bearer ")
        )
        context.ending.enter_context(context.sockets.counted(principal))
    except Refused as refused:
        raise ConnectionRejectionError from refused
    context.principal = principal
    if context.websocket is not None:
        end = asyncio.create_task(_end(context.websocket, principal.expires_at_s))
        context.ending.callback(end.cancel)


async def _end(socket: WebSocket[Any, Any, Any], expires_at_s: float) -> None:
    """Close a socket when its token ends."""
    await asyncio.sleep(max(0.0, expires_at_s - time.time()))
    await socket.close(TOKEN_ENDED, "the token has ended")


def _asker(context: Context) -> Principal:
    if context.principal is None:
        raise _error(Code.UNAUTHENTICATED, "say who you are in connection_init")
    return context.principal


async def _visible(context: Context, order_no: str) -> OrderView | None:
    asker = _asker(context)
    view = await context.reads.order(order_no)
    return view if view is not None and may_see(asker, view.shop_id, view.user_id) else None


def _error(code: str, detail: str) -> GraphQLError:
    return GraphQLError(detail, extensions={"code": code})


def _is_secret(error: GraphQLError) -> bool:
    """Say whether an error tells of the inside: those made here and those of documents do not."""
    original = error.original_error
    return original is not None and not isinstance(original, GraphQLError)


_decode_message = msgspec.json.Decoder(StateMessage).decode


def _update(text: str | None) -> StatusUpdate:
    message = _decode_message(text or "")
    return StatusUpdate(
        order_no=message.data.order_no,
        seq=Long(message.seq),
        status=message.data.status,
        status_text=message.data.status_text,
        updated_at=message.data.updated_at,
        trace_id=message.trace_id,
    )


def _order(view: OrderView) -> Order:
    lines = [
        Line(
            sku_id=Long(line.sku_id),
            qty=Long(line.qty),
            unit_price_fen=Long(line.unit_price_fen),
            discount_fen=Long(line.discount_fen),
            payable_fen=Long(line.payable_fen),
        )
        for line in view.lines
    ]
    return Order(
        order_no=view.order_no,
        seq=Long(view.version),
        status=view.status,
        status_text=status_text(view.status),
        currency=view.currency,
        total_fen=Long(view.total_fen),
        paid_fen=Long(view.paid_fen),
        refunded_fen=Long(view.refunded_fen),
        lines=lines,
        reason=view.reason,
        placed_at=rfc3339(view.placed_at_ms),
        updated_at=rfc3339(view.updated_at_ms),
        expires_at=rfc3339(view.expires_at_ms) if view.expires_at_ms else None,
        trace_id=view.trace_id,
    )
