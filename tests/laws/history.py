"""Histories: what clients and time do to the pipeline, as data that a command line can carry."""

from __future__ import annotations

import random
from typing import TypeAlias

import msgspec

SKUS = (1, 2, 3)
WAREHOUSES = ("east", "west")
ALLOCATIONS = ("SINGLE_FIRST", "NEAREST", "SPLIT")
SHORTAGES = ("REJECT", "PARTIAL", "BACKORDER")
BUYERS = (11, 12)
CHANNELS = (*("sim",) * 5, "sim-late", "sim-twice", "sim-decline", "sim-never")

RESOLUTIONS = ("RETRY", "SETTLED", "WRITTEN_OFF")
ACTIONS = ("RETRY", "SKIP", "FORCE", "PAUSE", "RESUME")

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
_MOST_PARTS = 12


Lines: TypeAlias = tuple[tuple[int, int], ...]
"""(sku, units) pairs."""


class Step(msgspec.Struct, frozen=True, tag=True):
    """Something that happens. ``order`` counts the orders placed so far, from 0, and wraps."""


class Place(Step, frozen=True):
    """A buyer orders ``lines`` of (sku, units); ``channel`` None: to be paid for later.

    ``terms``: the allocation and what becomes of a shortage; None: whole, from one warehouse.
    """

    user: int
    lines: Lines
    channel: str | None
    terms: tuple[str, str] | None = None


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
    """The buyer wants the money back, of ``units`` of (sku, units) only if there are any."""

    order: int
    key: int
    units: Lines


class Amend(Step, frozen=True):
    """The buyer wants other lines instead."""

    order: int
    key: int
    lines: Lines


class Ship(Step, frozen=True):
    """A parcel leaves, with ``units`` of (sku, units) or, without them, with all that is left."""

    order: int
    key: int
    units: Lines


class Operate(Step, frozen=True):
    """An operator takes a hand."""

    order: int
    action: str


class Resolve(Step, frozen=True):
    """An operator decides on the newest ticket about the order's money."""

    order: int
    resolution: str


class Stock(Step, frozen=True):
    """Units arrive, or are found missing."""

    sku: int
    delta: int
    warehouse: str = WAREHOUSES[0]


class Transfer(Step, frozen=True):
    """Units go from one warehouse to another."""

    sku: int
    qty: int
    warehouse: str
    other: str


class Count(Step, frozen=True):
    """A stock-take finds so many units."""

    sku: int
    counted: int
    warehouse: str


class Rules(Step, frozen=True):
    """A sku gets a limit per buyer and a cap of units promised beyond stock; 0: none."""

    sku: int
    buyer_limit: int
    backorder_cap: int


class Wait(Step, frozen=True):
    """Time passes."""

    ms: int


AnyStep: TypeAlias = (
    Place
    | Again
    | Pay
    | Cancel
    | Complete
    | Refund
    | Amend
    | Ship
    | Operate
    | Resolve
    | Stock
    | Transfer
    | Count
    | Rules
    | Wait
)


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
    """Return a history as the dice fall: a little stock, lives of orders, and whatever happens."""
    steps: list[AnyStep] = [Stock(sku, dice.choice((1, 5, 20, 20))) for sku in SKUS]
    if dice.randrange(2):
        steps += [Rules(sku, dice.choice((0, 5)), dice.choice((0, 9))) for sku in SKUS]
        steps += [Stock(sku, dice.choice((1, 5)), WAREHOUSES[1]) for sku in SKUS]
    placed = 0
    for _ in range(dice.randint(1, _MOST_PARTS)):
        part = _life(dice, placed) if dice.randrange(5) < 3 else [_step(dice)]
        placed += sum(isinstance(step, Place) for step in part)
        steps += part
    return History(dice.randrange(1 << 32), tuple(steps))


def from_seed(seed: int) -> History:
    """Return the history of a seed: the same one on every machine."""
    return from_dice(random.Random(seed))


def _life(dice: random.Random, order: int) -> list[AnyStep]:
    """Return what one buyer and the shop do about one order, mostly in a sensible sequence."""
    lines = _lines(dice)
    is_paid_later = dice.randrange(3) == 0
    channel = None if is_paid_later else dice.choice(CHANNELS)
    soon = Wait(SECOND_MS)
    steps: list[AnyStep] = [Place(dice.choice(BUYERS), lines, channel, _terms(dice)), soon]
    if is_paid_later and dice.randrange(2):
        steps.append(Amend(order, 0, _lines(dice)))
    if is_paid_later:
        steps.append(Pay(order, dice.choice(CHANNELS)))
    steps.append(dice.choice((soon, Wait(dice.choice(_WAITS_MS)))))
    part = ((lines[0][0], 1),)
    for nth in range(dice.randrange(5)):
        afterwards: tuple[AnyStep, ...] = (
            *(Ship(order, nth, part), Ship(order, nth, part), Ship(order, nth, ())),
            *(Refund(order, nth, part), Refund(order, nth, part), Refund(order, nth, ())),
            Complete(order),
            Operate(order, dice.choice(ACTIONS)),
        )
        steps += (dice.choice(afterwards), soon)
    return steps


def _step(dice: random.Random) -> AnyStep:
    order, key = dice.randrange(8), dice.randrange(2)
    sku, warehouse, other = dice.choice(SKUS), *dice.sample(WAREHOUSES, 2)
    match dice.randrange(24):
        case 0 | 1 | 2 | 3 | 4:
            channel = None if dice.randrange(4) == 0 else dice.choice(CHANNELS)
            return Place(dice.choice(BUYERS), _lines(dice), channel, _terms(dice))
        case 5:
            return Again(order)
        case 6:
            return Pay(order, dice.choice(CHANNELS))
        case 7:
            return Cancel(order)
        case 8 | 9:
            return Complete(order)
        case 10 | 11:
            return Refund(order, key, dice.choice(((), _lines(dice))))
        case 12:
            return Amend(order, key, _lines(dice))
        case 13 | 14:
            return Ship(order, key, dice.choice(((), _lines(dice))))
        case 15:
            return Operate(order, dice.choice(ACTIONS))
        case 16:
            return Resolve(order, dice.choice(RESOLUTIONS))
        case 17 | 18:
            return Stock(sku, dice.choice((1, 2, 5, -1, -3)), warehouse)
        case 19:
            return Transfer(sku, dice.randint(1, 3), warehouse, other)
        case 20:
            return Count(sku, dice.randrange(6), warehouse)
        case 21:
            return Rules(sku, dice.choice((0, 3, 5)), dice.choice((0, 2, 9)))
        case _:
            return Wait(dice.choice(_WAITS_MS))


def _terms(dice: random.Random) -> tuple[str, str] | None:
    if dice.randrange(3):
        return None
    return dice.choice(ALLOCATIONS), dice.choice(SHORTAGES)


def _lines(dice: random.Random) -> Lines:
    skus = sorted(dice.sample(SKUS, dice.choice((1, 1, 2, 3))))
    return tuple((sku, dice.choice((1, 2, 3))) for sku in skus)
