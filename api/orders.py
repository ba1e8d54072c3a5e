"""Routes of an order's buyer: place, pay, amend, cancel, refund, complete."""

from __future__ import annotations

from typing import Annotated, Any, cast

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import Parameter

from api import answering
from api.answering import last
from api.asking import (
    Answer,
    accepted,
    admitted,
    ask,
    key_of,
    limited,
    now_ms,
    once,
    owner_of,
    told,
    trace,
)
from api.auth import Principal
from api.decisions import Unanswered
from api.follower import OrderFact
from api.openapi import ACCEPTED, Keyed, Traced, errors
from api.problems import Code
from api.requests import (
    AmendOrderBody,
    CancelOrderBody,
    CompleteOrderBody,
    PayOrderBody,
    PlaceOrderBody,
    RefundOrderBody,
    cart_lines,
    sku_units,
)
from api.responses import OrderState, PaymentOpened, PlacedOrder, RefundOpened
from api.services import Services
from api.trace import Headers, trace_of
from schemas.order import (
    AmendOrderIntent,
    CancelOrder,
    CompleteOrder,
    OrderAmended,
    OrderCreated,
    OrderPaymentOpened,
    OrderRefunding,
    OrderRepeated,
    PayOrder,
    PlaceOrder,
    PlaceOrderIntent,
    RefundOrder,
)
from schemas.record import Record

ORDER_NO = "^[0-9A-Z]{16}$"
OrderNo = Annotated[
    str, Parameter(pattern=ORDER_NO, description="The order's number, 16 characters.")
]
AnyRequest = Request[Any, Any, Any]

_CONFLICTS = ("UNKNOWN_ORDER", "ORDER_ENDING", "ORDER_ENDED", "ORDER_PARKED", Code.IN_PROGRESS)


@post(
    "/orders",
    operation_class=Keyed,
    operation_id="place_order",
    summary="Place an order",
    tags=["orders"],
    responses={
        **ACCEPTED,
        **errors(
            Code.INVENTORY_SHORTAGE,
            Code.PROMOTION_UNAVAILABLE,
            "PRICE_CHANGED",
            "IDEMPOTENCY_CONFLICT",
            Code.IN_PROGRESS,
        ),
    },
)
async def place_order(
    request: AnyRequest, state: State, principal: Principal, data: PlaceOrderBody
) -> Response[PlacedOrder]:
    """Place an order and wait until everything is held for it, or something is missing.

    The same key with the same body gets the same answer; with another body it is refused.
    """
    return told(await place(state.services, principal, request.scope["headers"], data))


async def place(
    services: Services, principal: Principal, headers: Headers, data: PlaceOrderBody
) -> Answer:
    """Place an order, and wait for what is decided."""
    shop_id, user_id = owner_of(principal, data)
    key = key_of(headers)
    intent = PlaceOrderIntent(
        shop_id=shop_id,
        user_id=user_id,
        client_key=key,
        lines=cart_lines(data.lines),
        total_fen=data.total_fen,
        placed_at_ms=now_ms(),
        currency=data.currency,
        pay_channel=data.pay_channel,
        trace_id=trace_of(headers),
    )
    skus = [line.sku_id for line in data.lines]
    return await once(
        services,
        principal,
        "POST /orders",
        key,
        ("", data),
        lambda: _place(services, intent),
        skus,
    )


async def _place(services: Services, intent: PlaceOrderIntent) -> Answer:
    output = admitted(services, intent)
    command = cast(PlaceOrder, output.message)
    answer = await ask(services, output)
    if isinstance(answer, Unanswered):
        return accepted(command.order_no, command.trace_id)
    decided: Record | None = answer.record
    cut: OrderAmended | None = None
    if isinstance(decided, OrderRepeated):
        repeat = decided
        decided, cut = answering.decision(await services.reads.facts(command.order_no))
        if decided is None and repeat.status != "REJECTED":
            return Answer(201, answering.placed_before(command, repeat))
    elif answering.may_get_less(command):
        cut = await _cut(services, answer)
    if not isinstance(decided, OrderCreated):
        raise answering.not_placed(decided)
    return Answer(201, answering.placed(command, decided, cut))


async def _cut(services: Services, decided: OrderFact) -> OrderAmended | None:
    """Return the change to what could be held, which comes right behind the decision."""
    fact = await services.decisions.next_of(decided, OrderAmended)
    return None if fact is None else cast(OrderAmended, fact.record)


@post(
    "/orders/{order_no:str}/payments",
    operation_class=Traced,
    operation_id="pay_order",
    summary="Pay an order",
    tags=["orders"],
    responses={
        **ACCEPTED,
        **errors(
            *_CONFLICTS, "NOT_CREATED", "ALREADY_PAID", "AMEND_UNDER_WAY", "TOO_MANY_ATTEMPTS"
        ),
    },
)
async def pay_order(
    request: AnyRequest, state: State, principal: Principal, order_no: OrderNo, data: PayOrderBody
) -> Response[PaymentOpened]:
    """Open a payment over a channel; again over the same channel it is the same payment."""
    return told(await pay(state.services, principal, request.scope["headers"], data, order_no))


async def pay(
    services: Services, principal: Principal, headers: Headers, data: PayOrderBody, order_no: str
) -> Answer:
    """Open a payment of an order, and wait until it is there."""
    rates = await limited(services, principal, "POST /orders/payments", writes=True)
    command = PayOrder(order_no, *owner_of(principal, data), data.channel, trace_of(headers))
    answer = await ask(services, admitted(services, command))
    opened = None if isinstance(answer, Unanswered) else answer.record
    if isinstance(opened, OrderRepeated):
        facts = await services.reads.facts(order_no)
        opened = last(facts, OrderPaymentOpened, channel=data.channel)
    if not isinstance(opened, OrderPaymentOpened):
        return _with(rates, accepted(order_no, command.trace_id))
    return Answer(201, answering.payment_opened(opened), rates)


@post(
    "/orders/{order_no:str}/cancel",
    operation_class=Traced,
    operation_id="cancel_order",
    summary="Cancel an order that is not paid",
    tags=["orders"],
    status_code=200,
    responses={**ACCEPTED, **errors(*_CONFLICTS, "PAID_USE_REFUND")},
)
async def cancel_order(
    request: AnyRequest,
    state: State,
    principal: Principal,
    order_no: OrderNo,
    data: CancelOrderBody,
) -> Response[OrderState]:
    """Give an order up; what it holds goes back on sale."""
    owner = owner_of(principal, data)
    command = CancelOrder(order_no, *owner, data.reason, trace(request))
    return await _move(state.services, principal, "POST /orders/cancel", command)


@post(
    "/orders/{order_no:str}/complete",
    operation_class=Traced,
    operation_id="complete_order",
    summary="Say that all goods have come",
    tags=["orders"],
    status_code=200,
    responses={**ACCEPTED, **errors(*_CONFLICTS, "NOT_PAID", "NOT_CONFIRMED", "NOT_SHIPPED")},
)
async def complete_order(
    request: AnyRequest,
    state: State,
    principal: Principal,
    order_no: OrderNo,
    data: CompleteOrderBody,
) -> Response[OrderState]:
    """Complete an order whose goods the buyer has."""
    command = CompleteOrder(order_no, *owner_of(principal, data), trace(request))
    return await _move(state.services, principal, "POST /orders/complete", command)


async def _move(
    services: Services, principal: Principal, route: str, command: CancelOrder | CompleteOrder
) -> Response[Any]:
    headers = await limited(services, principal, route, writes=True)
    answer = await ask(services, admitted(services, command))
    if isinstance(answer, Unanswered):
        return told(_with(headers, accepted(command.order_no, command.trace_id)))
    return Response(answering.moved(answer.record), status_code=200, headers=headers)


@post(
    "/orders/{order_no:str}/refunds",
    operation_class=Keyed,
    operation_id="refund_order",
    summary="Refund an order, or some units of it",
    tags=["orders"],
    responses={
        **ACCEPTED,
        **errors(
            *_CONFLICTS,
            "NOT_PAID",
            "REFUND_UNDER_WAY",
            "REFUND_CONFLICT",
            "MORE_THAN_SOLD",
            "NOTHING_TO_REFUND",
            "TOO_MANY_REFUNDS",
            "IDEMPOTENCY_CONFLICT",
        ),
    },
)
async def refund_order(
    request: AnyRequest,
    state: State,
    principal: Principal,
    order_no: OrderNo,
    data: RefundOrderBody,
) -> Response[RefundOpened]:
    """Give the payment back; the key names the refund within its order."""
    services: Services = state.services
    shop_id, user_id = owner_of(principal, data)
    key = key_of(request.scope["headers"])
    command = RefundOrder(
        order_no=order_no,
        shop_id=shop_id,
        user_id=user_id,
        reason=data.reason,
        trace_id=trace(request),
        refund_key=key,
        units=sku_units(data.units),
    )
    answer = await once(
        services,
        principal,
        "POST /orders/refunds",
        key,
        (order_no, data),
        lambda: _refund(services, command),
    )
    return told(answer)


async def _refund(services: Services, command: RefundOrder) -> Answer:
    answer = await ask(services, admitted(services, command))
    begun = None if isinstance(answer, Unanswered) else answer.record
    if isinstance(begun, OrderRepeated):
        facts = await services.reads.facts(command.order_no)
        begun = last(facts, OrderRefunding, refund_key=command.refund_key)
    if not isinstance(begun, OrderRefunding):
        return accepted(command.order_no, command.trace_id)
    return Answer(201, answering.refund_opened(begun))


@post(
    "/orders/{order_no:str}/amend",
    operation_class=Keyed,
    operation_id="amend_order",
    summary="Change an order that is not paid",
    tags=["orders"],
    status_code=200,
    responses={
        **ACCEPTED,
        **errors(
            *_CONFLICTS,
            "NOT_CREATED",
            "ALREADY_PAID",
            "PRICE_CHANGED",
            "AMEND_CONFLICT",
            "AMEND_UNDER_WAY",
            "AMEND_NOT_HELD",
            "AMEND_UNANSWERED",
            "TOO_MANY_AMENDS",
            "CURRENCY_MISMATCH",
            "IDEMPOTENCY_CONFLICT",
        ),
    },
)
async def amend_order(
    request: AnyRequest, state: State, principal: Principal, order_no: OrderNo, data: AmendOrderBody
) -> Response[PlacedOrder]:
    """Put other lines into an order; the key names the change within its order."""
    services: Services = state.services
    shop_id, user_id = owner_of(principal, data)
    key = key_of(request.scope["headers"])
    intent = AmendOrderIntent(
        order_no=order_no,
        shop_id=shop_id,
        user_id=user_id,
        amend_key=key,
        lines=cart_lines(data.lines),
        total_fen=data.total_fen,
        currency=data.currency,
        trace_id=trace(request),
    )
    answer = await once(
        services,
        principal,
        "POST /orders/amend",
        key,
        (order_no, data),
        lambda: _amend(services, intent),
    )
    return told(answer)


async def _amend(services: Services, intent: AmendOrderIntent) -> Answer:
    answer = await ask(services, admitted(services, intent))
    done = None if isinstance(answer, Unanswered) else answer.record
    if isinstance(done, OrderRepeated):
        facts = await services.reads.facts(intent.order_no)
        done = last(facts, OrderAmended, amend_key=intent.amend_key)
    if not isinstance(done, OrderAmended):
        return accepted(intent.order_no, intent.trace_id)
    return Answer(200, answering.amended(done))


def _with(headers: dict[str, str], answer: Answer) -> Answer:
    return answer._replace(headers={**answer.headers, **headers})


ROUTES = (place_order, pay_order, cancel_order, complete_order, refund_order, amend_order)
