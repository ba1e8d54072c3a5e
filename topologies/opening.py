"""Opens a stack to a person: goods on sale, and a link that is a way in."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import httpx2

from api.auth import Scope
from api.issuer import DevelopmentIssuer
from api.live.routes import PATH as LIVE
from api.shop import PATH
from deploy.process import free_ports
from topologies.load.catalogue import make_catalogue
from topologies.load.clients import connect
from topologies.load.stocking import bring_stock, list_skus

USUAL_PORT = 8080
TOKEN_HOURS = 8.0
SHOP, BUYER = 1, 1

_SKUS, _UNITS = 24, 200
_SEED = 1  # those of `orderstream load`: it sells these very goods, and more
_REF = "opening"  # of the deliveries: a second opening brings nothing
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Entrance:
    """Where people go in: a customer by ``token``, one of the shop's own by ``staff``.

    They are None when tokens are another issuer's business.
    """

    url: str
    token: str | None
    staff: str | None = None

    @property
    def shop(self) -> str:
        """The shop page; the token is in the fragment, which no browser sends anywhere."""
        return f"{self.url}{PATH}" + (f"#token={self.token}" if self.token else "")

    @property
    def live(self) -> str:
        """The live page, with the token of the shop's own."""
        return f"{self.url}{LIVE}" + (f"#token={self.staff}" if self.staff else "")

    @property
    def docs(self) -> str:
        """The page of the API."""
        return f"{self.url}/docs"


def entrance(url: str, home: Path) -> Entrance:
    """Return the ways into the API at ``url``, by the issuer below ``home``."""
    if os.environ.get("ORDERSTREAM_API_JWKS"):
        return Entrance(url, None)
    issuer = DevelopmentIssuer(home)
    token = issuer.token(SHOP, BUYER, [Scope.CUSTOMER], TOKEN_HOURS)
    return Entrance(url, token, issuer.token(SHOP, BUYER, [Scope.SHOP], TOKEN_HOURS))


def usual_port() -> int:
    """Return the port that people expect, or a free one when somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return free_ports(1)[0]
    return USUAL_PORT


def stock_empty_shop(way: Entrance, kafka: str, registry: str) -> int:
    """Put goods on sale if there are none; return how many were.

    Needs a worker. Raises LoadError when the goods are not received.
    """
    if way.token is None or _sells_something(way):
        return 0
    where = connect(kafka, registry)
    goods = make_catalogue(_SKUS, _UNITS, _SEED, SHOP)
    list_skus(where, goods)
    bring_stock(where, goods, _REF)
    return len(goods.skus)


def _sells_something(way: Entrance) -> bool:
    answer = httpx2.get(
        f"{way.url}/api/v2/skus?limit=1",
        headers={"Authorization": f"Bearer {way.token}"},
        timeout=_TIMEOUT_S,
        trust_env=False,
    )
    return bool(json.loads(answer.raise_for_status().text)["skus"])
