"""Facts of the inventory stage that stay private: they have no place in ``inventory.events``."""

from __future__ import annotations

from typing import TypeAlias

from schemas.inventory import HoldExtended, HoldFenced, StockDeducted, StockHeld, StockReleased
from schemas.record import Record

HoldAnswer: TypeAlias = StockHeld | StockDeducted | StockReleased | HoldExtended | HoldFenced


class Repeated(Record, frozen=True):
    """A request was answered before: ``answer`` goes to the asker again, nothing moves.

    It is not public: readers of the facts would count the movement twice.
    """

    answer: HoldAnswer


class HoldForgotten(Record, frozen=True):
    """An ended hold is no longer remembered."""

    hold_id: str


class EntryForgotten(Record, frozen=True):
    """A delivery or correction is no longer remembered."""

    command: str
    sku_id: int
    ref: str
