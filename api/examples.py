"""An example of every body, as a value of its type: it cannot say what the API would not.

The order is one of shop 1, whose sku 1001 costs 19.90 yuan.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from api import requests, responses
from api.problems import FieldError, Problem
from api.webhooks import bodies
from schemas.inventory import Allocation, Shortage
from schemas.order import OperatorAction, PricedLine, SkuUnits
from schemas.payment import TicketResolution
from schemas.webhook import WebhookState

_ORDER_NO = "C8Q1ET4KW8P0J0HP"
_PAY_NO = f"{_ORDER_NO}-1"
_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_EXPIRES = "2026-05-01T10:35:30.123Z"
_PLACED = "2026-05-01T10:20:30.123Z"
_LINES = (PricedLine(1001, 2, 1990, 0, 3980),)
_PRICED = responses.Priced("CNY", 3980, _LINES)
_ACTION = OperatorAction.RETRY
_ENDPOINT = bodies.EndpointView(
    "ep_3v2T0cE9JfX0Qm1p",
    "https://shop.example/orders",
    ("order.paid", "order.cancelled"),
    WebhookState.ENABLED,
    _PLACED,
)

_ALL: tuple[msgspec.Struct, ...] = (
    requests.PlaceOrderBody(
        lines=(requests.Line(1001, 2, 1990),), total_fen=3980, pay_channel="sim"
    ),
    responses.Quote(
        "CNY",
        3980,
        _LINES,
        pack="festival@3",
        promotions=(
            responses.QuotedRule(
                "free-gift",
                "NEEDS",
                0,
                "free-gift: spend 20.00 more",
                needs=(responses.MissingAmount("fen", 2000, of_items=False),),
            ),
        ),
    ),
    requests.AmendOrderBody(
        lines=(
            requests.Line(
                1001, 3, 1990, requests.Terms(Allocation.SPLIT, Shortage.REJECT, ("SHA-1",))
            ),
        ),
        total_fen=5970,
    ),
    requests.PayOrderBody(channel="sim"),
    requests.CancelOrderBody(reason="changed my mind"),
    requests.CompleteOrderBody(),
    requests.RefundOrderBody(reason="arrived broken", units=(requests.Units(1001, 1),)),
    requests.QuoteBody(lines=(requests.QuoteLine(1001, 2),)),
    requests.ShipOrderBody(waybill_no="SF1234567890", carrier="SF"),
    requests.OperateOrderBody(action=_ACTION, reason="the gateway was down"),
    requests.RestockBody(ref="ASN-20260501-1", sku_id=1001, warehouse_id="SHA-1", qty=500),
    requests.AdjustStockBody(
        ref="ADJ-7", sku_id=1001, warehouse_id="SHA-1", delta=-2, reason="broken"
    ),
    requests.TransferStockBody(
        ref="TRF-3", sku_id=1001, from_warehouse_id="SHA-1", to_warehouse_id="PEK-1", qty=40
    ),
    requests.CountStockBody(ref="CNT-9", sku_id=1001, warehouse_id="SHA-1", counted=458),
    requests.StockRulesBody(ref="RUL-2", sku_id=1001, buyer_limit=5),
    requests.ResendBody(order_no=_ORDER_NO),
    requests.ResolveTicketBody(
        ticket_no=f"{_PAY_NO}/REFUND_UNPAID",
        resolution=TicketResolution.SETTLED,
        note="paid back by hand",
    ),
    responses.PlacedOrder(_ORDER_NO, "PAYING", _EXPIRES, _PRICED, _TRACE),
    responses.Accepted(_ORDER_NO, "ACCEPTED", f"/api/v2/orders/{_ORDER_NO}", _TRACE),
    responses.OrderState(_ORDER_NO, "CANCELLING", 3, _TRACE),
    responses.PaymentOpened(_ORDER_NO, "PAYING", _PAY_NO, "sim", 3980, "CNY", _TRACE),
    responses.RefundOpened(
        _ORDER_NO, "REFUNDING", f"{_PAY_NO}-R1", 1990, "CNY", (SkuUnits(1001, 1),), _TRACE
    ),
    responses.OrderDetails(
        order_no=_ORDER_NO,
        status="PAYING",
        status_text="支付中",
        version=3,
        shop_id=1,
        user_id=42,
        currency="CNY",
        total_fen=3980,
        paid_fen=0,
        refunded_fen=0,
        lines=_LINES,
        pay_no=_PAY_NO,
        channel="sim",
        expire_time=_EXPIRES,
        placed_at=_PLACED,
        updated_at=_PLACED,
        reason="",
        refusals=(),
        trace_id=_TRACE,
    ),
    responses.Stock(1001, 498, (responses.WarehouseStock("SHA-1", 498, 500, 2),)),
    responses.SkuPage((responses.SkuOnSale(1001, "Stoneware mug", 1990, "CNY", 498),), "1001"),
    responses.Timeline(
        _ORDER_NO,
        (
            responses.TimelineEntry(
                at=_PLACED,
                fact="OrderCreated",
                version=2,
                details={"currency": "CNY", "total_fen": 3980, "expires_at_ms": 1777631730123},
                traceparent=f"00-{_TRACE}-0100000000000042-01",
            ),
        ),
    ),
    responses.Ticket("3v2T0cE9JfX0Qm1p6l8aQyKkqkqg", 30, "/ws/state?ticket=3v2T0cE9JfX0Qm1p6l"),
    bodies.NewEndpoint(_ENDPOINT.url, _ENDPOINT.event_types),
    _ENDPOINT,
    bodies.EndpointList((_ENDPOINT,)),
    bodies.DeliveryList(
        (
            bodies.DeliveryView(
                1, f"evt_{_ORDER_NO}_5", _ORDER_NO, 5, 1, "DELIVERED", 204, 12, _PLACED, ""
            ),
        ),
        None,
        0,
    ),
    bodies.Resent(5),
    responses.TicketState(
        _ORDER_NO, f"{_PAY_NO}/REFUND_UNPAID", "SETTLED", "PaymentTicketClosed", _TRACE
    ),
    responses.OrderPage((), None),
    responses.StockEntry(1001, "ASN-20260501-1", "StockReceived", {"on_hand": 500}, _TRACE),
    _PRICED,
    Problem(
        type="urn:orderstream:problem:invalid-request",
        title="Invalid request",
        status=400,
        code="INVALID_REQUEST",
        detail="1 field is not right",
        trace_id=_TRACE,
        errors=(FieldError("lines[0].qty", "BAD_QUANTITY", "0 units; send 1 to 9999"),),
    ),
)

EXAMPLES: Mapping[type[msgspec.Struct], msgspec.Struct] = {type(one): one for one in _ALL}
"""Type -> an example of it."""
