"""A view is never older than what the hub has published, wherever it has to be taken from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from api.push.feed import Unreadable
from api.push.history import PastFacts, folded
from schemas.read_model import OrderView
from tests.unit.api.push.shop import BUYER, NO, SHOP, Fact, Log, life

AWAY = Redis.from_url("redis://127.0.0.1:1/0")


class Places:
    """A log, a read model that is behind it, and a window that has only the last facts."""

    def __init__(self, happened: int, kept: int, window: int, *, is_behind: bool = False) -> None:
        self.is_behind = is_behind
        self.window = life()[max(0, happened - window) : happened]
        self.logged = life()[:happened]
        self.kept, _ = folded(None, life()[:kept])
        self.asked: list[str] = []
        log = Log()
        log.happen(*life()[:happened])
        self.past = PastFacts(log.hub, lambda _: self.window, self, AWAY, self.lags)

    async def order(self, order_no: str) -> OrderView | None:
        self.asked.append("order")
        return self.kept

    async def facts(self, order_no: str) -> Sequence[Fact]:
        self.asked.append("facts")
        return self.logged

    async def lags(self) -> bool:
        return self.is_behind

    def view(self) -> OrderView | None:
        return asyncio.run(self._view())

    async def _view(self) -> OrderView | None:
        return (await self.past.views([NO])).get(NO)


@given(happened=st.integers(0, 7), window=st.integers(0, 7), kept=st.integers(0, 7))
def test_a_view_is_the_newest_that_anybody_knows(happened: int, window: int, kept: int) -> None:
    # With an empty window nothing of the order tells that the read model is behind.
    places = Places(happened, min(kept, happened), window, is_behind=window == 0)
    view = places.view()
    assert view == folded(None, life()[:happened])[0]


@pytest.mark.parametrize(
    ("happened", "kept", "window", "asked"),
    [
        (5, 0, 5, []),  # the window has it all
        (5, 3, 2, ["order"]),  # the two meet
        (5, 2, 2, ["order", "facts"]),  # a version is between them
    ],
)
def test_no_more_is_read_than_has_to_be(
    happened: int, kept: int, window: int, asked: list[str]
) -> None:
    places = Places(happened, kept, window)
    places.view()
    assert places.asked == asked


def test_what_is_nowhere_is_unreadable_and_not_a_hole() -> None:
    places = Places(happened=5, kept=2, window=1)
    places.logged = places.logged[:3]
    with pytest.raises(Unreadable):
        places.view()


def test_facts_that_cannot_be_read_are_not_taken_for_an_order_that_does_not_exist() -> None:
    places = Places(happened=5, kept=3, window=0, is_behind=True)
    places.logged = []
    with pytest.raises(Unreadable):
        places.view()


def test_while_redis_is_away_nobody_is_told_that_these_are_all_of_its_orders() -> None:
    places = Places(happened=1, kept=0, window=1)
    with pytest.raises(Unreadable):
        asyncio.run(places.past.changed(SHOP, BUYER, 0))
