"""Routes of the shop's own people and systems: parcels, stock, and a hand in orders and tickets."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State

from api import answering
from api.asking import accepted, admitted, ask, limited, shop_of, told, trace
from api.auth import Principal, Scope, guard
from api.decisions import Unanswered
from api.openapi import ACCEPTED, Traced, accepted_as, errors
from api.orders import OrderNo
from api.problems import Refused
from api.reading import own_order
from api.reasons import detail_of
from api.requests import (
    AdjustStockBody,
    CountStockBody,
    OperateOrderBody,
    ResolveTicketBody,
    RestockBody,
    ShipOrderBody,
    StockRulesBody,
    TransferStockBody,
    sku_units,
)
from api.responses import OrderState, StockEntry, TicketState
from api.services import Services
from schemas.inventory import (
    AdjustStock,
    CountStock,
    Restock,
    SetStockRules,
    StockEntryRefused,
    TransferStock,
)
from schemas.order import OperateOrder, ShipOrder
from schemas.payment import PaymentRefused, ResolveTicket
from streams.admission.entries import Entry

AnyRequest = Request[Any, Any, Any]

_SHOP = [guard(Scope.SHOP, Scope.OPERATOR)]
_OPERATOR = [guard(Scope.OPERATOR)]
_STOCK_ERRORS = {
    **accepted_as(StockEntry),
    **errors("CONFLICT", "BELOW_HELD", "INSUFFICIENT", "UNKNOWN_SKU"),
}
_TAGS = ["operators"]


@post(
    "/intents/orders/{order_no:str}/ship",
    guards=_SHOP,
    operation_class=Traced,
    operation_id="ship_order",
    summary="Say that a parcel left",
    tags=_TAGS,
    status_code=200,
    responses={
        **ACCEPTED,
        **errors(
            "UNKNOWN_ORDER", "NOT_PAID", "ALREADY_SHIPPED", "MORE_THAN_ORDERED", "WAYBILL_CONFLICT"
        ),
    },
)
async def ship_order(
    request: AnyRequest, state: State, principal: Principal, order_no: OrderNo, data: ShipOrderBody
) -> Response[OrderState]:
    """Count a parcel; the same waybill is not counted twice."""
    shop_id = shop_of(principal, data)
    units = sku_units(data.units)
    command = ShipOrder(order_no, shop_id, data.waybill_no, data.carrier, units, trace(request))
    return await _order(state.services, principal, "ship", command)


@post(
    "/intents/orders/{order_no:str}/operate",
    guards=_OPERATOR,
    operation_class=Traced,
    operation_id="operate_order",
    summary="Take a hand in an order",
    tags=_TAGS,
    status_code=200,
    responses={
        **ACCEPTED,
        **errors("UNKNOWN_ORDER", "NOTHING_AWAITED", "NOT_SAFE", "ORDER_ENDED", "ORDER_PARKED"),
    },
)
async def operate_order(
    request: AnyRequest,
    state: State,
    principal: Principal,
    order_no: OrderNo,
    data: OperateOrderBody,
) -> Response[OrderState]:
    """Ask again, skip, force, pause or resume; your name and reason are kept."""
    command = OperateOrder(
        order_no,
        shop_of(principal, data),
        principal.subject,
        data.action,
        data.reason,
        trace(request),
    )
    return await _order(state.services, principal, "operate", command)


async def _order(
    services: Services, principal: Principal, route: str, command: ShipOrder | OperateOrder
) -> Response[Any]:
    headers = await limited(services, principal, f"POST /intents/{route}", writes=True)
    answer = await ask(services, admitted(services, command))
    if isinstance(answer, Unanswered):
        return told(accepted(command.order_no, command.trace_id))
    return Response(answering.moved(answer.record), headers=headers)


@post(
    "/intents/restock",
    guards=_SHOP,
    operation_class=Traced,
    operation_id="restock",
    summary="Goods arrived",
    tags=_TAGS,
    status_code=200,
    responses=_STOCK_ERRORS,
)
async def restock(
    request: AnyRequest, state: State, principal: Principal, data: RestockBody
) -> Response[StockEntry]:
    """Put goods on the shelf."""
    entry = Restock(
        data.ref, shop_of(principal, data), data.sku_id, data.warehouse_id, data.qty, trace(request)
    )
    return await _entry(state.services, principal, entry)


@post(
    "/intents/adjust",
    guards=_OPERATOR,
    operation_class=Traced,
    operation_id="adjust_stock",
    summary="Correct a stock",
    tags=_TAGS,
    status_code=200,
    responses=_STOCK_ERRORS,
)
async def adjust(
    request: AnyRequest, state: State, principal: Principal, data: AdjustStockBody
) -> Response[StockEntry]:
    """Change a stock by some units, and say why."""
    entry = AdjustStock(
        data.ref,
        shop_of(principal, data),
        data.sku_id,
        data.warehouse_id,
        data.delta,
        data.reason,
        trace(request),
    )
    return await _entry(state.services, principal, entry)


@post(
    "/intents/transfer",
    guards=_OPERATOR,
    operation_class=Traced,
    operation_id="transfer_stock",
    summary="Move goods between warehouses",
    tags=_TAGS,
    status_code=200,
    responses=_STOCK_ERRORS,
)
async def transfer(
    request: AnyRequest, state: State, principal: Principal, data: TransferStockBody
) -> Response[StockEntry]:
    """Move goods from one warehouse to another."""
    entry = TransferStock(
        data.ref,
        shop_of(principal, data),
        data.sku_id,
        data.from_warehouse_id,
        data.to_warehouse_id,
        data.qty,
        principal.subject,
        trace(request),
    )
    return await _entry(state.services, principal, entry)


@post(
    "/intents/count",
    guards=_OPERATOR,
    operation_class=Traced,
    operation_id="count_stock",
    summary="Enter a stock-take",
    tags=_TAGS,
    status_code=200,
    responses=_STOCK_ERRORS,
)
async def count(
    request: AnyRequest, state: State, principal: Principal, data: CountStockBody
) -> Response[StockEntry]:
    """Enter what somebody counted on the shelf."""
    entry = CountStock(
        data.ref,
        shop_of(principal, data),
        data.sku_id,
        data.warehouse_id,
        data.counted,
        principal.subject,
        trace(request),
    )
    return await _entry(state.services, principal, entry)


@post(
    "/intents/stock-rules",
    guards=_OPERATOR,
    operation_class=Traced,
    operation_id="set_stock_rules",
    summary="Set the limits of a sku",
    tags=_TAGS,
    status_code=200,
    responses=_STOCK_ERRORS,
)
async def stock_rules(
    request: AnyRequest, state: State, principal: Principal, data: StockRulesBody
) -> Response[StockEntry]:
    """Set how many units one buyer may have, and how many may be promised beyond the stock."""
    entry = SetStockRules(
        data.ref,
        shop_of(principal, data),
        data.sku_id,
        data.buyer_limit,
        data.backorder_cap,
        principal.subject,
        trace(request),
    )
    return await _entry(state.services, principal, entry)


async def _entry(services: Services, principal: Principal, entry: Entry) -> Response[Any]:
    route = f"POST /intents/{type(entry).__name__}"
    headers = await limited(services, principal, route, writes=True)
    output = admitted(services, entry)
    answer = await ask(services, output)
    trace_id: str = output.message.trace_id  # type: ignore[attr-defined]  # every command has one
    if isinstance(answer, Unanswered):
        body = StockEntry(entry.sku_id, entry.ref, None, {}, trace_id)
        return Response(body, status_code=202, headers=headers)
    record = answer.record
    if isinstance(record, StockEntryRefused):
        raise Refused(
            record.reason,
            detail_of(record.reason),
            headers=headers,
            trace_id=trace_id,
            sku_id=record.sku_id,
            available=record.available,
        )
    details = msgspec.to_builtins(record)
    body = StockEntry(entry.sku_id, entry.ref, answer.kind.__name__, details, trace_id)
    return Response(body, headers=headers)


@post(
    "/intents/orders/{order_no:str}/tickets",
    guards=_OPERATOR,
    operation_class=Traced,
    operation_id="resolve_ticket",
    summary="Resolve a ticket of an order's payments",
    tags=_TAGS,
    status_code=200,
    responses={**ACCEPTED, **errors("TICKET_NOT_OPEN", "WRONG_RESOLUTION")},
)
async def resolve_ticket(
    request: AnyRequest,
    state: State,
    principal: Principal,
    order_no: OrderNo,
    data: ResolveTicketBody,
) -> Response[TicketState]:
    """Say what becomes of an open ticket; your name and note are kept."""
    services: Services = state.services
    headers = await limited(services, principal, "POST /intents/tickets", writes=True)
    await own_order(services, principal, order_no)
    command = ResolveTicket(
        data.ticket_no,
        order_no,
        shop_of(principal, data),
        principal.subject,
        data.resolution,
        data.note,
        trace(request),
    )
    output = admitted(services, command)
    answer = await ask(services, output)
    if isinstance(answer, Unanswered):
        return told(accepted(order_no, command.trace_id))
    record = answer.record
    if isinstance(record, PaymentRefused):
        raise Refused(record.reason, detail_of(record.reason), trace_id=record.trace_id)
    body = TicketState(
        order_no, data.ticket_no, data.resolution, answer.kind.__name__, command.trace_id
    )
    return Response(body, headers=headers)


ROUTES = (
    ship_order,
    operate_order,
    restock,
    adjust,
    transfer,
    count,
    stock_rules,
    resolve_ticket,
)
