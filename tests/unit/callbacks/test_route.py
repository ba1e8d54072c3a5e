"""The callback's route: open to gateways, which have no tokens, and to nobody else's routes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NoReturn

import pytest
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.testing import TestClient

from api import callbacks
from api.auth import guard
from api.callbacks import BODY_LIMIT_BYTES, Callbacks
from api.gateways.sim import SimGateway
from api.limits import Limits, policies
from api.problems import HANDLERS
from api.settings import ApiSettings
from api.spool import Outgoing, SpoolFull
from schemas.codec import local_codec
from schemas.payment import GatewayReport


async def full(_: Sequence[Outgoing]) -> NoReturn:
    raise SpoolFull


def posted(gateway: str, body: bytes) -> int:
    taken = Callbacks({"sim": SimGateway(b"s" * 32)}, local_codec((GatewayReport,)), full, int)
    services = SimpleNamespace(callbacks=taken, limits=Limits(None, policies(ApiSettings())))
    app = Litestar(
        [Router("/api/v2", route_handlers=list(callbacks.ROUTES), guards=[guard()])],
        state=State({"services": services}, deep_copy=False),
        exception_handlers=dict(HANDLERS),
        openapi_config=None,
    )
    with TestClient(app) as client:
        return client.post(f"/api/v2/payments/callbacks/{gateway}", content=body).status_code


@pytest.mark.parametrize(
    ("gateway", "body", "status"),
    [
        ("wechat", b"{}", 404),
        ("sim", b"x" * (BODY_LIMIT_BYTES + 1), 413),
        ("sim", b"{}", 503),  # it could not be stored: nothing is verified, and sim calls again
    ],
)
def test_no_token_is_asked_for_and_what_is_not_stored_is_not_taken(
    gateway: str, body: bytes, status: int
) -> None:
    assert posted(gateway, body) == status
