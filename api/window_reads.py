"""What the follower's window alone knows: the reads of a process that has no store to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.follower import Follower, OrderFact
from api.services import Page
from schemas.read_model import CHANGES, OrderView, StockView, view_after


class WindowReads:
    """Reads orders of the last seconds; older ones, and stock, are not known."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    async def order(self, order_no: str) -> OrderView | None:
        """Return the view that the recent facts of an order make."""
        view: OrderView | None = None
        for fact in self._follower.recent(order_no):
            if fact.kind in CHANGES:
                view = view_after(view, fact.record, fact.timestamp_ms)
        return view

    async def facts(self, order_no: str) -> Sequence[OrderFact]:
        """Return the recent facts of an order."""
        return self._follower.recent(order_no)

    async def orders(
        self, shop_id: int, user_id: int, status: str | None, cursor: str | None, limit: int
    ) -> Page:
        """Return nothing: the window is by order."""
        return Page((), None)

    async def stock(self, sku_id: int) -> StockView | None:
        """Return nothing: the window has orders only."""
        return None

    async def stocks(self, sku_ids: Sequence[int]) -> Mapping[int, StockView]:
        """Return nothing, as ``stock`` does."""
        return {}

    async def close(self) -> None:
        """Do nothing: there is no store."""
