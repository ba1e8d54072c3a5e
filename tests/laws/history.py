"""Histories: what clients and time do to the pipeline, as data that a command line can carry."""

from __future__ import annotations

import random
from typing import TypeAlias

import msgspec

SKUS = (1, 2, 3)
BUYERS = (11, 12)
CHANNELS = ("sim", "sim", "sim", "sim-late", "sim-twice", "sim-decline", "sim-never")

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
_WAITS_MS = (
    SECOND_MS,
    SECOND_MS,
    12 * SECOND_MS,
    MINUTE_MS,
    6 * MINUTE_MS,
    16 * MINUTE_MS,
    26 * MINUTE_MS,
)
_MOST_STEPS = 30


class Step(msgspec.Struct, frozen=True, tag=True):
    """Something that happens. ``order`` counts the orders placed so far, from 0, and wraps."""


class Place(Step, frozen=True):
    """A buyer orders ``lines`` of (sku, units); ``channel`` None: to be paid for later."""

    user: int
    lines: tuple[tuple[int, int], ...]
    channel: str | None


class Again(Step, frozen=True):
    """A client that lost the answer sends an order's intent once more."""

    order: int


class Pay(Step, frozen=True):
    """The buyer wants to pay over ``channel``."""

    order: int
    channel: str


class Cancel(Step, frozen=True):
    """The buyer gives an order up."""

    order: int


class Complete(Step, frozen=True):
    """The buyer has the goods."""

    order: int


class Refund(Step, frozen=True):
    """The buyer wants the money back."""

    order: int


class Stock(Step, frozen=True):
    """Units arrive, or are found missing."""

    sku: int
    delta: int


class Wait(Step, frozen=True):
    """Time passes."""

    ms: int


AnyStep: TypeAlias = Place | Again | Pay | Cancel | Complete | Refund | Stock | Wait


class History(msgspec.Struct, frozen=True):
    """``steps`` in order; ``seed`` decides what the gateway and the disturbances do."""

    seed: int
    steps: tuple[AnyStep, ...]

    def text(self) -> str:
        """Return the history in one line, for ``parse``."""
        return msgspec.json.encode(self).decode()


def parse(text: str) -> History:
    """Return the history that ``text`` stands for; raise msgspec.ValidationError."""
    return msgspec.json.decode(text, type=History)


def from_dice(dice: random.Random) -> History:
    """Return a history as the dice fall: a little stock, then whatever happens."""
    stocks = tuple(Stock(sku, dice.randint(1, 9)) for sku in SKUS)
    steps = tuple(_step(dice) for _ in range(dice.randint(1, _MOST_STEPS)))
    return History(dice.randrange(1 << 32), stocks + steps)


def from_seed(seed: int) -> History:
    """Return the history of a seed: the same one on every machine."""
    return from_dice(random.Random(seed))


def _step(dice: random.Random) -> AnyStep:
    order = dice.randrange(8)
    match dice.randrange(16):
        case 0 | 1 | 2 | 3 | 4:
            skus = sorted(dice.sample(SKUS, dice.choice((1, 1, 2, 3))))
            lines = tuple((sku, dice.randint(1, 3)) for sku in skus)
            channel = None if dice.randrange(4) == 0 else dice.choice(CHANNELS)
            return Place(dice.choice(BUYERS), lines, channel)
        case 5:
            return Again(order)
        case 6:
            return Pay(order, dice.choice(CHANNELS))
        case 7:
            return Cancel(order)
        case 8 | 9:
            return Complete(order)
        case 10 | 11:
            return Refund(order)
        case 12:
            return Stock(dice.choice(SKUS), dice.choice((1, 2, 5, -1, -3)))
        case _:
            return Wait(dice.choice(_WAITS_MS))
