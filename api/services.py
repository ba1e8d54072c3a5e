"""What the handlers work with, built once and given to them in the application's state.

Each part that another module makes is known here by what is asked of it, so that a test puts its
own in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from api.auth import Principal
from api.callbacks import Callbacks
from api.decisions import Decisions
from api.follower import Follower, OrderFact
from api.limits import Limits
from api.live.socket import Viewing
from api.metrics import ApiMetrics
from api.push.websocket import Sockets
from api.sender import Sender
from api.settings import ApiSettings
from api.webhooks.desk import Webhooks
from schemas.catalog import SkuListed
from schemas.codec import Codec
from schemas.read_model import OrderView, StockView
from streams.pricing import Packs, PriceList


class Authenticator(Protocol):
    """Tells who asks."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal of a request; raise Refused (UNAUTHENTICATED) without a good one."""


class Page(NamedTuple):
    """Some orders of a user, the newest first; ``cursor`` asks for those before them."""

    views: Sequence[OrderView]
    cursor: str | None


class Assortment(PriceList, Protocol):
    """What shops sell, and at what price."""

    def on_sale(self, shop_id: int, after: int, limit: int) -> Sequence[SkuListed]:
        """Return skus of a shop in the order of their ids: the first ``limit`` above ``after``."""


class Reads(Protocol):
    """What is known of orders and stock. A store that is away is never an error."""

    async def order(self, order_no: str) -> OrderView | None:
        """Return an order's view; None: there is no such order."""

    async def facts(self, order_no: str) -> Sequence[OrderFact]:
        """Return an order's public facts, the oldest first."""

    async def orders(
        self, shop_id: int, user_id: int, status: str | None, cursor: str | None, limit: int
    ) -> Page:
        """Return a user's orders, the newest first; only those of a ``status`` if one is given."""

    async def stock(self, sku_id: int) -> StockView | None:
        """Return a sku's stock; None: nobody has heard of it."""

    async def stocks(self, sku_ids: Sequence[int]) -> Mapping[int, StockView]:
        """Return the stock of those skus of which it is known at once."""

    async def close(self) -> None:
        """Let go of the store."""


@dataclass
class Services:
    """Everything that handlers use."""

    settings: ApiSettings
    codec: Codec
    prices: Assortment
    follower: Follower
    sender: Sender
    decisions: Decisions
    reads: Reads
    authenticator: Authenticator
    limits: Limits
    metrics: ApiMetrics
    sockets: Sockets
    live: Viewing
    callbacks: Callbacks
    webhooks: Webhooks | None
    """None: there is no key or no Redis for them."""
    packs: Packs | None = None
    """The rule packs that carts are priced by; None: by none."""
