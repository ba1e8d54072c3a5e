"""What is compared: a few figures of each order, and of each sku in each warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

StockKey: TypeAlias = tuple[int, str]
"""A sku and a warehouse."""


class OrderFigures(NamedTuple):
    """An order in a store; None: the store keeps nothing of the kind.

    Money in minor units. ``units`` and ``payable_fen`` are of all lines; ``payments`` counts what
    became of payments and refunds, ``entries`` the sides of journal entries, ``moved_fen`` is the
    sum of their debits, and ``balance_fen`` the sum of all.
    """

    version: int
    status: str
    shop_id: int
    user_id: int
    total_fen: int
    paid_fen: int
    refunded_fen: int
    units: int | None = None
    payable_fen: int | None = None
    payments: int | None = None
    entries: int | None = None
    moved_fen: int | None = None
    balance_fen: int | None = None


class StockFigures(NamedTuple):
    """A sku in a warehouse after its movement ``version``; ``movements``: how many are kept."""

    version: int
    on_hand: int
    held: int
    movements: int | None = None


@dataclass
class Picture:
    """All that a store says."""

    orders: dict[str, OrderFigures] = field(default_factory=dict)
    stock: dict[StockKey, StockFigures] = field(default_factory=dict)


class Difference(NamedTuple):
    """Where ``store`` is not what the facts say.

    ``key`` is an order number, or a sku and a warehouse; ``kind`` is MISSING, EXTRA or the name of
    the figure that differs.
    """

    store: str
    key: str | StockKey
    kind: str
    expected: int | str | None = None
    found: int | str | None = None


def differences(store: str, expected: Picture, found: Picture) -> list[Difference]:
    """Return all that differs, figure by figure."""
    return [
        *_differing(store, expected.orders, found.orders),
        *_differing(store, expected.stock, found.stock),
    ]


def _differing(
    store: str,
    expected: Mapping[str, OrderFigures] | Mapping[StockKey, StockFigures],
    found: Mapping[str, OrderFigures] | Mapping[StockKey, StockFigures],
) -> Iterator[Difference]:
    theirs: dict[str | StockKey, OrderFigures | StockFigures] = dict(found.items())
    for key, one in expected.items():
        other = theirs.pop(key, None)
        if other is None:
            yield Difference(store, key, "MISSING")
        elif other != one:
            for kind, want, have in zip(one._fields, one, other, strict=True):
                if have is not None and have != want:
                    yield Difference(store, key, kind, want, have)
    for key in theirs:
        yield Difference(store, key, "EXTRA")
