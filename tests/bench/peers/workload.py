"""The small workload that every engine runs, and its messages as bytes.

Two keyed topologies talk to each other over four topics of four partitions each:

====================  ======  ==================================================================
topic                 key     messages (MessagePack arrays, as the peers are given them)
====================  ======  ==================================================================
``order.commands``    order   ``[0, [[sku, qty], ...], at_ms]`` place; ``[1]`` a line is
                              reserved; ``[2]`` the money is there
``inventory.commands``  sku   ``[0, order, qty]`` reserve; ``[1, order, qty]`` deduct
``order.events``      order   ``["created", at_ms, lines]``, ``["paid", at_ms, lines]``
``inventory.events``  sku     ``["deducted", order, qty, available]``
====================  ======  ==================================================================

An order is placed; each of its lines is reserved with its sku; when all are, it is created. Then
the driver pays; each line is deducted from what its sku holds for the order. An order of 1.3 lines
takes 3.3 order commands, 2.6 inventory commands, 2 order events and 1.3 inventory events.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

PARTITIONS = 4
ORDER_COMMANDS, ORDER_EVENTS = "order.commands", "order.events"
INVENTORY_COMMANDS, INVENTORY_EVENTS = "inventory.commands", "inventory.events"
TOPICS = (ORDER_COMMANDS, INVENTORY_COMMANDS, ORDER_EVENTS, INVENTORY_EVENTS)

UNITS = 1_000_000
"""What there is of every sku at first."""

_SKUS = 10_000
_SECOND_LINE_SHARE = 0.3
_BASKETS = 20_000

Basket: TypeAlias = tuple[tuple[str, int], ...]
"""(sku, quantity) of each line; no sku twice."""


@dataclass(frozen=True)
class Wire:
    """How an engine's messages look. An event is told by the bytes it begins with."""

    place: Callable[[str, Basket, int], bytes]
    """Of an order's number, its basket and the time in epoch ms."""
    pay: Callable[[str], bytes]
    created: bytes
    paid: bytes
    deducted: Callable[[bytes], tuple[str, int]]
    """Of an inventory event: the order's number and the units left available."""


def baskets(seed: int = 1) -> list[Basket]:
    """Return the baskets that orders take in turn; the same for the same seed.

    Every sku is as popular as the next. The second line's sku comes from the other half, so that it
    is never the first's.
    """
    draw, half = random.Random(seed), _SKUS // 2
    drawn: list[Basket] = []
    for _ in range(_BASKETS):
        if draw.random() >= _SECOND_LINE_SHARE:
            drawn.append(((_sku(draw.randrange(_SKUS)), 1),))
        else:
            first, second = draw.randrange(half), half + draw.randrange(half)
            drawn.append(((_sku(first), 1), (_sku(second), 2)))
    return drawn


def _sku(number: int) -> str:
    return f"sku{number:05d}"


_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.decode
_PAY = _encode([2])


def _deducted(value: bytes) -> tuple[str, int]:
    _, order, _, available = _decode(value)
    return order, available


PEER_WIRE = Wire(
    place=lambda _order, basket, at_ms: _encode([0, basket, at_ms]),
    pay=lambda _order: _PAY,
    created=b"\x93\xa7created",  # an array of 3 that begins with a text of 7 bytes
    paid=b"\x93\xa4paid",
    deducted=_deducted,
)
"""MessagePack, for all engines that are not ours."""
