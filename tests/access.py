"""Every route of the API and whose objects it touches: the table of the two-tenant matrix.

A route that is not here fails ``tests/unit/api/test_access_table.py``: whoever adds one says here
whose its objects are, and ``tests/integration/test_access.py`` then asks for them with the tokens
of everybody whose they are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from litestar.routes import HTTPRoute, WebSocketRoute

from api.app import PREFIX, build
from api.auth import Scope
from api.services import Services
from api.settings import ApiSettings


class Whose(Enum):
    """Who may use a route's objects; all others are answered 403 or 404."""

    USER = "a user's, and her shop's"
    SHOP = "a shop's, and of all its users"
    STAFF = "a shop's, and of its people only"


@dataclass(frozen=True)
class Case:
    """A request for an object of somebody. Texts in ``{}`` are filled in from the world."""

    whose: Whose
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    by: Scope = Scope.CUSTOMER
    """A scope with which the owner may."""


class Route(NamedTuple):
    """A method and a path, as in ``GET /api/v2/orders/{order_no}``."""

    method: str
    path: str


_LINES = [{"sku_id": "{sku_id}", "qty": 1, "unit_price_fen": 1_000}]
_OWNER = {"shop_id": "{shop_id}", "user_id": "{user_id}"}
_SHOP = {"shop_id": "{shop_id}"}
_SHELF = {**_SHOP, "ref": "{ref}", "sku_id": "{sku_id}", "warehouse_id": "w1"}

CASES: dict[Route, Case] = {
    Route(method, f"{PREFIX}{path}"): case
    for method, path, case in (
        ("GET", "/orders/{order_no}", Case(Whose.USER)),
        ("GET", "/orders/{order_no}/timeline", Case(Whose.USER)),
        ("GET", "/orders", Case(Whose.USER, query={"user": "{user_id}", "shop": "{shop_id}"})),
        ("POST", "/orders", Case(Whose.USER, {**_OWNER, "lines": _LINES, "total_fen": 1_000})),
        ("POST", "/orders/{order_no}/payments", Case(Whose.USER, {"channel": "sim"})),
        ("POST", "/orders/{order_no}/cancel", Case(Whose.USER, {})),
        ("POST", "/orders/{order_no}/complete", Case(Whose.USER, {})),
        ("POST", "/orders/{order_no}/refunds", Case(Whose.USER, {})),
        (
            "POST",
            "/orders/{order_no}/amend",
            Case(Whose.USER, {"lines": _LINES, "total_fen": 1_000}),
        ),
        (
            "POST",
            "/intents/orders/{order_no}/ship",
            Case(Whose.STAFF, {"waybill_no": "{ref}"}, by=Scope.SHOP),
        ),
        (
            "POST",
            "/intents/orders/{order_no}/operate",
            Case(Whose.STAFF, {"action": "PAUSE", "reason": "a test"}, by=Scope.OPERATOR),
        ),
        (
            "POST",
            "/intents/orders/{order_no}/tickets",
            Case(Whose.STAFF, {"ticket_no": "{ref}", "resolution": "SETTLED"}, by=Scope.OPERATOR),
        ),
        (
            "POST",
            "/admin/events/resend",
            Case(Whose.STAFF, {"order_no": "{order_no}"}, by=Scope.SHOP),
        ),
        ("POST", "/webhooks/{endpoint_id}/secret", Case(Whose.STAFF, by=Scope.SHOP)),
        ("GET", "/webhooks/{endpoint_id}/deliveries", Case(Whose.STAFF, by=Scope.SHOP)),
        ("POST", "/webhooks/{endpoint_id}/deliveries/{n}/resend", Case(Whose.STAFF, by=Scope.SHOP)),
        ("DELETE", "/webhooks/{endpoint_id}", Case(Whose.STAFF, by=Scope.SHOP)),
        ("GET", "/skus/{sku_id}/stock", Case(Whose.SHOP)),
        ("GET", "/skus", Case(Whose.SHOP, query={"shop": "{shop_id}"})),
        (
            "POST",
            "/quotes",
            Case(Whose.SHOP, {**_SHOP, "lines": [{"sku_id": "{sku_id}", "qty": 1}]}),
        ),
        ("POST", "/intents/restock", Case(Whose.STAFF, {**_SHELF, "qty": 1}, by=Scope.SHOP)),
        (
            "POST",
            "/intents/adjust",
            Case(Whose.STAFF, {**_SHELF, "delta": 1, "reason": "a test"}, by=Scope.OPERATOR),
        ),
        (
            "POST",
            "/intents/transfer",
            Case(
                Whose.STAFF,
                {
                    **_SHOP,
                    "ref": "{ref}",
                    "sku_id": "{sku_id}",
                    "from_warehouse_id": "w1",
                    "to_warehouse_id": "w2",
                    "qty": 1,
                },
                by=Scope.OPERATOR,
            ),
        ),
        ("POST", "/intents/count", Case(Whose.STAFF, {**_SHELF, "counted": 1}, by=Scope.OPERATOR)),
        (
            "POST",
            "/intents/stock-rules",
            Case(
                Whose.STAFF,
                {**_SHOP, "ref": "{ref}", "sku_id": "{sku_id}", "buyer_limit": 5},
                by=Scope.OPERATOR,
            ),
        ),
    )
}

PUBLIC: dict[Route, str] = {
    Route("GET", "/health"): "a probe",
    Route("GET", "/ready"): "a probe",
    Route("GET", "/metrics"): "numbers about all; no ids",
    Route("GET", "/docs"): "how to use the API",
    Route("GET", "/"): "the way to the shop page",
    Route("GET", "/shop"): "a page; what it shows it asks for with a token",
    Route("GET", "/shop/{version}/{name}"): "the page's files",
    Route("GET", "/live"): "the live page, without a figure",
    Route("GET", "/live/{version}/{name}"): "its files",
    Route("GET", "/openapi.json"): "how to use the API",
    Route("GET", "/schema"): "how to use the API",
    Route("GET", "/schema/{path}"): "how to use the API",
    Route("GET", "/schema/openapi.json"): "how to use the API",
}
"""Routes that touch nobody's objects, and why; they need no token."""

APART: dict[Route, str] = {
    Route("POST", f"{PREFIX}/webhooks"): "names nobody: the new endpoint is the token's shop's; "
    "tests/integration/test_access.py",
    Route("GET", f"{PREFIX}/webhooks"): "names nobody: lists the token's shop's; "
    "tests/integration/test_access.py",
    Route("POST", f"{PREFIX}/ws/tickets"): "names nobody: a ticket is as good as its token; "
    "tests/unit/api/push/test_websocket.py",
    Route("POST", f"{PREFIX}/payments/callbacks/{{gateway}}"): "the gateway's signature says whose "
    "payment it is; tests/unit/callbacks",
    Route("WS", "/ws/state"): "tests/unit/api/push/test_websocket.py",
    Route(
        "WS", "/ws/live"
    ): "tests/unit/api/live/test_board.py, tests/integration/test_live_page.py",
    Route("WS", "/graphql"): "tests/unit/api/push/test_graphql.py",
    Route("GET", "/graphql"): "answers that questions come by POST",
    Route("POST", "/graphql"): "tests/unit/api/push/test_graphql.py",
}
"""Routes that are asked in another way, and the test that asks for other people's objects there."""


def routes() -> Iterator[tuple[Route, bool]]:
    """Yield every route that the application serves, and whether it claims to need no token."""
    settings = ApiSettings()
    app = build(cast(Services, SimpleNamespace(settings=settings)))
    for route in app.routes:
        is_outside = not route.path.startswith(PREFIX)
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                is_public = bool(handler.opt.get("public")) or is_outside
                for method in sorted({str(one) for one in handler.http_methods} - {"OPTIONS"}):
                    yield Route(method, route.path_format), is_public
        elif isinstance(route, WebSocketRoute):
            yield Route("WS", route.path_format), is_outside
