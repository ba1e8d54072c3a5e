"""Routes that look: orders and what happened to them, stock, and what a cart would cost."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import Parameter

from api import answering
from api.asking import limited, now_ms
from api.auth import Principal, check_acts_for, check_owner
from api.openapi import Traced, errors
from api.orders import OrderNo
from api.problems import FieldError, Refused, invalid
from api.reasons import detail_of
from api.requests import QuoteBody
from api.responses import OrderDetails, OrderPage, Quote, SkuPage, Stock, Timeline
from api.services import Services
from schemas.order import CartLine
from schemas.read_model import STATUS_TEXT, OrderView
from streams.pricing import Cart, Shopper, UnpriceableCart, price

AnyRequest = Request[Any, Any, Any]
Status = Annotated[
    str | None,
    Parameter(
        query="status",
        pattern=f"^({'|'.join(STATUS_TEXT)})$",
        description="Only orders in this status.",
    ),
]
Cursor = Annotated[
    str | None,
    Parameter(query="cursor", max_length=256, description="`next_cursor` of the page before."),
]
User = Annotated[
    int | None, Parameter(query="user", ge=1, description="Whose orders; default: the token's.")
]
Shop = Annotated[
    int | None, Parameter(query="shop", ge=1, description="In which shop; default: the token's.")
]
Limit = Annotated[int, Parameter(query="limit", ge=1, le=100, description="Orders of a page.")]

_UNKNOWN = "UNKNOWN_ORDER"


@get(
    "/orders/{order_no:str}",
    operation_class=Traced,
    operation_id="get_order",
    summary="Look at an order",
    tags=["orders"],
    responses=errors(_UNKNOWN, has_body=False),
)
async def get_order(
    state: State, principal: Principal, order_no: OrderNo
) -> Response[OrderDetails]:
    """Return an order as its owner is shown it."""
    services: Services = state.services
    headers = await limited(services, principal, "GET /orders/one", writes=False)
    view = await own_order(services, principal, order_no)
    return Response(answering.details(view), headers=headers)


@get(
    "/orders",
    operation_class=Traced,
    operation_id="list_orders",
    summary="Look at a user's orders",
    tags=["orders"],
    responses=errors(has_body=False),
)
async def list_orders(
    state: State,
    principal: Principal,
    user: User = None,
    shop: Shop = None,
    status: Status = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Response[OrderPage]:
    """Return a user's orders, the newest first."""
    services: Services = state.services
    headers = await limited(services, principal, "GET /orders", writes=False)
    shop_id, user_id = shop or principal.shop_id, user or principal.user_id
    check_acts_for(principal, shop_id, user_id)
    page = await services.reads.orders(shop_id, user_id, status, cursor, limit)
    orders = tuple(answering.details(view) for view in page.views)
    return Response(OrderPage(orders, page.cursor), headers=headers)


@get(
    "/orders/{order_no:str}/timeline",
    operation_class=Traced,
    operation_id="get_timeline",
    summary="See what happened to an order",
    tags=["orders"],
    responses=errors(_UNKNOWN, has_body=False),
)
async def get_timeline(state: State, principal: Principal, order_no: OrderNo) -> Response[Timeline]:
    """Return the public facts of an order, the oldest first."""
    services: Services = state.services
    headers = await limited(services, principal, "GET /orders/timeline", writes=False)
    await own_order(services, principal, order_no)
    facts = await services.reads.facts(order_no)
    return Response(answering.timeline(order_no, facts), headers=headers)


async def own_order(services: Services, principal: Principal, order_no: str) -> OrderView:
    """Return an order that exists for who asks; raise Refused (UNKNOWN_ORDER)."""
    unknown = Refused(_UNKNOWN, detail_of(_UNKNOWN))
    view = await services.reads.order(order_no)
    if view is None:
        raise unknown
    check_owner(principal, view.shop_id, view.user_id, unknown)
    return view


@get(
    "/skus/{sku_id:int}/stock",
    operation_class=Traced,
    operation_id="get_stock",
    summary="See what is in stock",
    tags=["stock"],
    responses=errors("UNKNOWN_SKU", has_body=False),
)
async def get_stock(
    state: State,
    principal: Principal,
    sku_id: Annotated[int, Parameter(ge=1, le=2**63 - 1, description="The sku.")],
) -> Response[Stock]:
    """Return the units of a sku that orders could hold now."""
    services: Services = state.services
    headers = await limited(services, principal, "GET /skus/stock", writes=False)
    view = await services.reads.stock(sku_id)
    levels = [] if view is None else list(view.warehouses.values())
    shops = {level.shop_id for level in levels}
    if view is None or not (principal.shop_id == 0 or principal.shop_id in shops):
        raise Refused("UNKNOWN_SKU", detail_of("UNKNOWN_SKU"))
    return Response(answering.stock(view), headers=headers)


@get(
    "/skus",
    operation_class=Traced,
    operation_id="list_skus",
    summary="See what is on sale",
    tags=["stock"],
    responses=errors(has_body=False),
)
async def list_skus(
    state: State,
    principal: Principal,
    shop: Shop = None,
    cursor: Cursor = None,
    limit: Annotated[
        int, Parameter(query="limit", ge=1, le=100, description="Skus of a page.")
    ] = 50,
) -> Response[SkuPage]:
    """Return what a shop sells, at list prices, with the units that orders could hold now."""
    services: Services = state.services
    headers = await limited(services, principal, "GET /skus", writes=False)
    shop_id = shop or principal.shop_id
    check_acts_for(principal, shop_id, principal.user_id)
    # A cursor that is none starts from the beginning, as those of the other lists do.
    after = int(cursor) if cursor and cursor.isascii() and cursor.isdecimal() else 0
    listed = services.prices.on_sale(shop_id, after, limit)
    stocks = await services.reads.stocks([one.sku_id for one in listed])
    skus = tuple(answering.on_sale(one, stocks.get(one.sku_id)) for one in listed)
    following = str(listed[-1].sku_id) if len(listed) == limit else None
    return Response(SkuPage(skus, following), headers=headers)


@post(
    "/quotes",
    operation_class=Traced,
    operation_id="quote",
    summary="Price a cart",
    tags=["stock"],
    status_code=200,
    responses=errors("UNKNOWN_SKU"),
)
async def quote(state: State, principal: Principal, data: QuoteBody) -> Response[Quote]:
    """Return what a cart costs now, and what becomes of each promotion.

    Nothing is held. An order costs the same until prices or rules change, and is refused then, with
    the new price (PRICE_CHANGED). Promotions that can run out are not applied.
    """
    services: Services = state.services
    headers = await limited(services, principal, "POST /quotes", writes=False)
    shop_id = data.shop_id or principal.shop_id
    check_acts_for(principal, shop_id, principal.user_id)
    lines = tuple(CartLine(line.sku_id, line.qty, 0) for line in data.lines)
    at_ms = now_ms()
    pack = None if services.packs is None else services.packs.in_force(shop_id, at_ms)
    shopper = Shopper(at_ms, principal.user_id)
    priced = price(Cart(shop_id, data.currency, lines), services.prices, pack, shopper)
    if isinstance(priced, UnpriceableCart):
        raise invalid(
            [
                FieldError(f"lines[{line.line_index}].sku_id", line.reason, line.detail)
                for line in priced.unpriced
            ]
        )
    return Response(answering.quote(priced), headers=headers)


ROUTES = (get_order, list_orders, get_timeline, get_stock, list_skus, quote)
