"""The OpenAPI document and a page to browse it; both need no network."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec
from litestar import Request, get
from litestar.response import Response

from api.openapi import document

_PAGE = "text/html; charset=utf-8"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


@get("/openapi.json", include_in_schema=False, opt={"public": True}, sync_to_thread=False)
def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the OpenAPI 3.1 document."""
    state = request.app.state
    if "openapi" not in state:
        state["openapi"] = msgspec.json.encode(document(request.app))
    return Response(state["openapi"], media_type="application/json")


@get("/docs", include_in_schema=False, opt={"public": True}, sync_to_thread=False)
def page() -> Response[str]:
    """Return the page."""
    text = files("api").joinpath("docs.html").read_text()
    return Response(text, media_type=_PAGE, headers={"Content-Security-Policy": _POLICY})


ROUTES = (openapi, page)
