"""Picks the warehouse that serves a hold, and says why."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from streams.inventory.state import Stock


class Why(StrEnum):
    """What decided the allocation."""

    FIRST_THAT_SERVES = "FIRST_THAT_SERVES"  # in the fixed order of the warehouses
    NONE_SERVES = "NONE_SERVES"  # no single warehouse has the whole quantity
    NOWHERE_STOCKED = "NOWHERE_STOCKED"


class Allocation(msgspec.Struct, frozen=True, gc=False):
    """``stock`` is the warehouse's to hold from; when none serves, the one that has the most.

    ``passed_over`` are the stocks before it in order that have too little.
    """

    stock: Stock | None
    why: Why
    passed_over: tuple[Stock, ...]


def allocate(stocks: Iterable[Stock], qty: int) -> Allocation:
    """Pick, in the given order, the first stock that has ``qty`` units available.

    One warehouse serves the whole quantity: no split. Among stocks that all have too little the one
    with the most is named, the earlier of equals.
    """
    passed_over: tuple[Stock, ...] = ()
    for stock in stocks:
        if stock.on_hand - stock.held >= qty:
            return Allocation(stock, _FIRST_THAT_SERVES, passed_over)
        passed_over += (stock,)
    if not passed_over:
        return _NOWHERE
    best = max(passed_over, key=lambda stock: stock.available)
    return Allocation(best, Why.NONE_SERVES, passed_over)


# A member of an enum is looked up anew at each access, so the hot path keeps it.
_FIRST_THAT_SERVES = Why.FIRST_THAT_SERVES
_NOWHERE = Allocation(None, Why.NOWHERE_STOCKED, ())
