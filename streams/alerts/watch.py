"""What the alerts remember of a sku and of a hold, and how a movement changes it."""

from __future__ import annotations

from math import sqrt
from typing import Any

import msgspec

from schemas import inventory
from schemas.record import Record

MINUTE_MS = 60_000
MINUTES = 60  # of demand that are remembered: an hour's mean, and its deviation
SLOT_MS = 100
SLOTS = 100  # 10 s: the longest window of a sudden velocity


class Level(Record, frozen=True):
    """The stock of one warehouse after its movement ``version``."""

    warehouse_id: str
    version: int
    on_hand: int
    held: int


class SkuWatch(Record, frozen=True):
    """A sku of a shop: its levels, and how many units were wanted when.

    ``minutes`` are units by minute, the last one being ``minute``, which is not over. ``slots`` are
    (slot number, units) pairs of the last seconds, flat. ``mean_milli`` and ``deviation_milli`` are
    of the minutes that are over, in thousandths of a unit.
    """

    shop_id: int
    sku_id: int
    levels: tuple[Level, ...]
    minute: int
    minutes: tuple[int, ...]
    slots: tuple[int, ...]
    mean_milli: int
    deviation_milli: int
    stuck_holds: int

    @property
    def key(self) -> str:
        """The key of its state."""
        return f"{self.shop_id}/{self.sku_id}"

    @property
    def available(self) -> int:
        """Units that could be held, in all warehouses."""
        return sum(level.on_hand - level.held for level in self.levels)

    @property
    def lowest(self) -> int:
        """The lowest of all the numbers that must not be negative."""
        return min(
            (min(level.on_hand, level.held, level.on_hand - level.held) for level in self.levels),
            default=0,
        )

    @property
    def minutes_over(self) -> int:
        """How many minutes the mean and the deviation are of."""
        return len(self.minutes) - 1


class HoldWatch(Record, frozen=True):
    """A hold that has not ended; ``due_ms`` (0: it was due) is when it counts as stuck."""

    hold_id: str
    shop_id: int
    sku_id: int
    units: int
    due_ms: int
    trace_id: str


def unseen(shop_id: int, sku_id: int) -> SkuWatch:
    """Return the watch of a sku of which nothing is known."""
    return SkuWatch(shop_id, sku_id, (), 0, (), (), 0, 0, 0)


def after(watch: SkuWatch, fact: Any, event_ms: int) -> SkuWatch:
    """Return the watch after a fact of its sku."""
    levels = watch.levels
    if (warehouse_id := getattr(fact, "warehouse_id", None)) is not None:
        levels = _moved(levels, Level(warehouse_id, fact.version, fact.on_hand, fact.held))
    return _wanted(msgspec.structs.replace(watch, levels=levels), _demand(fact), event_ms)


def wanted_within(watch: SkuWatch, window_ms: int, now_ms: int) -> int:
    """Return the units that were wanted in the ``window_ms`` before ``now_ms``."""
    first = (now_ms - window_ms) // SLOT_MS
    slots = watch.slots
    return sum(units for slot, units in zip(slots[::2], slots[1::2], strict=True) if slot > first)


def speed(watch: SkuWatch, minutes: int, now_ms: int) -> tuple[int, int]:
    """Return (units, ms): what was wanted in the last ``minutes`` that are over, and since."""
    passed = max(now_ms - watch.minute * MINUTE_MS, 0)
    recent = watch.minutes[-minutes - 1 :]
    if passed >= (minutes + 1) * MINUTE_MS:
        return 0, passed
    return sum(recent), max((len(recent) - 1) * MINUTE_MS + passed, 1)


def _demand(fact: Any) -> int:
    """Return the units that a fact says were wanted; who was turned away wanted them too."""
    match fact:
        case inventory.StockHeld() | inventory.StockBackordered():
            return fact.qty
        case inventory.StockRefused(reason=inventory.StockReason.INSUFFICIENT):
            return fact.requested
    return 0


def _moved(levels: tuple[Level, ...], new: Level) -> tuple[Level, ...]:
    for n, level in enumerate(levels):
        if level.warehouse_id == new.warehouse_id:
            if new.version <= level.version:
                return levels
            return (*levels[:n], new, *levels[n + 1 :])
    return (*levels, new)


def _wanted(watch: SkuWatch, units: int, event_ms: int) -> SkuWatch:
    minute, minutes = event_ms // MINUTE_MS, watch.minutes
    mean_milli, deviation_milli = watch.mean_milli, watch.deviation_milli
    if not minutes:
        minutes = (units,)
    elif minute > watch.minute:
        gap = min(minute - watch.minute, MINUTES)
        minutes = (*minutes, *(0,) * (gap - 1), units)[-MINUTES - 1 :]
        mean_milli, deviation_milli = _statistics(minutes[:-1])
    else:  # a fact of an earlier minute counts in this one
        minute = watch.minute
        minutes = (*minutes[:-1], minutes[-1] + units)
    slots = watch.slots
    if units:
        slots = _slotted(slots, event_ms // SLOT_MS, units)
    return SkuWatch(
        watch.shop_id,
        watch.sku_id,
        watch.levels,
        minute,
        minutes,
        slots,
        mean_milli,
        deviation_milli,
        watch.stuck_holds,
    )


def _slotted(slots: tuple[int, ...], slot: int, units: int) -> tuple[int, ...]:
    if slots and slot <= slots[-2]:
        return (*slots[:-1], slots[-1] + units)
    oldest, first = slot - SLOTS, 0
    while first < len(slots) and slots[first] <= oldest:
        first += 2
    return (*slots[first:], slot, units)


def _statistics(units: tuple[int, ...]) -> tuple[int, int]:
    """Return mean and standard deviation (of the sample) in thousandths."""
    count = len(units)
    mean = sum(units) / count
    if count < 2:
        return round(mean * 1000), 0
    variance = sum((one - mean) ** 2 for one in units) / (count - 1)
    return round(mean * 1000), round(sqrt(variance) * 1000)
