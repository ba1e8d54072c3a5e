"""Picks the warehouses that serve a hold, and remembers whom it passed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.inventory import Allocation, Share
from streams.inventory.state import Stock


class Pick(NamedTuple):
    """``parts`` are stocks and the units to take of each; ``passed_over`` gave nothing.

    Passed over are stocks looked at before the last one taken: they have too little, or nothing.
    """

    parts: tuple[tuple[Stock, int], ...]
    passed_over: tuple[Stock, ...]

    @property
    def qty(self) -> int:
        """Units of all parts."""
        return sum(units for _, units in self.parts)


def first_that_serves(stocks: Sequence[Stock], qty: int) -> tuple[Stock | None, tuple[Stock, ...]]:
    """Return the first stock that has all of ``qty`` (None: none has), and those before it."""
    passed_over: tuple[Stock, ...] = ()
    for stock in stocks:
        if stock.on_hand - stock.held >= qty:
            return stock, passed_over
        passed_over += (stock,)
    return None, passed_over


def spread(stocks: Sequence[Stock], qty: int) -> Pick:
    """Take from each stock in turn what it has, until ``qty`` is reached or nothing is left."""
    parts: list[tuple[Stock, int]] = []
    passed_over: list[Stock] = []
    for stock in stocks:
        if qty <= 0:
            break
        units = min(qty, stock.available)
        if units:
            parts.append((stock, units))
            qty -= units
        else:
            passed_over.append(stock)
    return Pick(tuple(parts), tuple(passed_over))


def allocate(stocks: Sequence[Stock], qty: int, allocation: Allocation, *, partly: bool) -> Pick:
    """Pick by policy among ``stocks``, the nearest first.

    SINGLE_FIRST: the first that has all. NEAREST: each in turn. SPLIT: the first that has all, else
    the largest stocks first (the earlier of equals), which makes the fewest parcels. What cannot be
    served so is not picked; ``partly``: it is picked from wherever there is some, in turn.
    """
    if allocation is not Allocation.NEAREST:
        stock, passed_over = first_that_serves(stocks, qty)
        if stock is not None:
            return Pick(((stock, qty),), passed_over)
        if allocation is Allocation.SINGLE_FIRST and not partly:
            return Pick((), passed_over)
    if allocation is Allocation.SPLIT:
        stocks = sorted(stocks, key=lambda stock: -stock.available)
    return spread(stocks, qty)


def most(stocks: Sequence[Stock]) -> Stock | None:
    """Return the stock that has the most available, the earlier of equals; None: there is none."""
    return max(stocks, key=lambda stock: stock.available, default=None)


def nearest_first(stocks: Sequence[Stock], warehouses: tuple[str, ...]) -> Sequence[Stock]:
    """Return ``stocks`` with those in ``warehouses`` first, in that order."""
    if not warehouses:
        return stocks
    rank = {warehouse_id: place for place, warehouse_id in enumerate(warehouses)}
    return sorted(stocks, key=lambda stock: rank.get(stock.warehouse_id, len(rank)))


def shares(stocks: tuple[Stock, ...]) -> tuple[Share, ...]:
    """Return what each stock has available, as a fact tells it."""
    return tuple(Share(stock.warehouse_id, stock.available) for stock in stocks)
