"""Histories of stock with the truth written beside them: seeded, in several shapes of demand.

The generator knows what no rule can: the rate that buyers really come at. Beside the facts it
writes **labels**: from when to when something was wrong, from when to when nothing was though it
might look like it (a decoy), and what is neither, because it is too close to call. It knows the
numbers of the rules (a threshold, a lead time) as an operator does, and shares no code with them.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas import inventory
from schemas.record import Record

START_MS = 1_789_999_200_000
LENGTH_S = 50 * 60
WARM_UP_S = 15 * 60  # nothing is labelled about demand before

THRESHOLD, ENOUGH = 10, 20
LEAD_TIME_S, SERVICE_FACTOR = 30 * 60, 1.65
SOON_S = 15 * 60
GRACE_S = 60
SURELY, SURELY_NOT = 0.6, 1.7  # of what is needed: between the two it is too close to call

HOLD_S, STEP_S = 300, 0.1
LOW, SAFETY, SOON, RUSH, OVERSOLD, STUCK = "low", "safety", "soon-out", "rush", "oversold", "stuck"
TRACE = "0af7651916cd43dd8448eb211c80319c"

Rate = Callable[[float], float]

SHAPES: dict[str, Callable[[float], Rate]] = {
    "steady": lambda base: lambda _s: base,
    "growing": lambda base: lambda s: base * (1 + 0.25 * s / LENGTH_S),
    "waves": lambda base: lambda s: base * (1 + 0.3 * math.sin(2 * math.pi * s / 1200)),
    "falling": lambda base: lambda s: base * (1.2 - 0.3 * s / LENGTH_S),
    "bursts": lambda base: lambda s: base * (1.6 if s % 60 < 20 else 0.7),
    "slow": lambda base: lambda _s: base / 4,
}


class Event(NamedTuple):
    """A fact and when it happened (epoch ms)."""

    at_ms: int
    fact: Record


@dataclass
class Label:
    """From when to when the truth about one kind was so, for one sku."""

    sku_id: int
    kind: str
    first_ms: int
    last_ms: int


@dataclass
class History:
    """Events in order, incidents, decoys, and when a kind was certainly not the case."""

    events: list[Event] = field(default_factory=list)
    incidents: list[Label] = field(default_factory=list)
    decoys: list[Label] = field(default_factory=list)
    calm: list[Label] = field(default_factory=list)


def history(seed: int) -> History:
    """Return a history of one sku of each shape."""
    told = History()
    sides = [
        _Side(random.Random(f"{seed} {shape}"), n, shape, told) for n, shape in enumerate(SHAPES)
    ]
    told.events = list(heapq.merge(*(side.live() for side in sides), key=lambda one: one.at_ms))
    return told


class _Side:
    """One sku's life. Its script is a list of mishaps and decoys, minutes apart."""

    def __init__(self, draw: random.Random, n: int, shape: str, told: History) -> None:
        self.draw, self.told, self.sku_id = draw, told, 1000 + n
        self.rate = SHAPES[shape](draw.uniform(0.5, 1.5))
        self.on_hand = self.held = self.version = self.serial = 0
        self.surge: tuple[float, float, float] = (0, 0, 1)  # from, to, rate
        self.endings: list[tuple[float, int, str]] = []
        self.truths: dict[str, tuple[int, Label | None]] = {}
        self.stuck: list[float] = []
        self.negative_until_s = -1.0

    def live(self) -> Iterator[Event]:
        script = self._script()
        yield Event(_ms(0), self._stock_to(self._plenty(0)))
        s = STEP_S
        while s < LENGTH_S:
            while script and script[0][0] <= s:
                for fact in script.pop(0)[1](s):
                    yield Event(_ms(s), fact)
            while self.endings and self.endings[0][0] <= s:
                _, qty, hold = heapq.heappop(self.endings)
                yield Event(_ms(s), self._end(qty, hold))
            for _ in range(_poisson(self.draw, self._rate_now(s) * STEP_S)):
                enough = self.on_hand - self.held >= 1
                yield Event(_ms(s), self._hold(s) if enough else self._refuse())
            self._label(s)
            s += STEP_S
        for _, label in self.truths.values():
            if label is not None:
                label.last_ms = _ms(s)

    # --- what happens ----------------------------------------------------------------------------

    def _script(self) -> list[tuple[float, Callable[[float], list[Record]]]]:
        acts: list[Callable[[float], list[Record]]] = [
            self._loss(SAFETY, 0.5),
            self._loss(SAFETY, 2.2),
            self._loss(SOON, 0.4),
            self._drain,
            self._rush(45),
            self._flurry,
            self._oversell,
            self._lose_hold,
        ]
        self.draw.shuffle(acts)
        script: list[tuple[float, Callable[[float], list[Record]]]] = []
        for n, act in enumerate(acts):
            at_s = WARM_UP_S + 30 + n * 240 + self.draw.uniform(0, 60)
            script += [(at_s, act), (at_s + 150, self._replenish)]
        return script

    def _loss(self, kind: str, share: float) -> Callable[[float], list[Record]]:
        """Stock is found to be gone: a share of what is needed is left."""

        def act(s: float) -> list[Record]:
            left = max(round(self._needed(kind, s) * share), THRESHOLD + 5)
            if share > SURELY_NOT:
                self.told.decoys.append(Label(self.sku_id, kind, _ms(s), _ms(s + 2)))
            return [self._stock_to(left + self.held)]

        return act

    def _drain(self, s: float) -> list[Record]:
        return [self._stock_to(THRESHOLD + 8 + self.held)]

    def _rush(self, rate: float) -> Callable[[float], list[Record]]:
        def act(s: float) -> list[Record]:
            self.surge = (s, s + 20, rate)
            return [self._stock_to(self._plenty(s) + 5_000)]

        return act

    def _flurry(self, s: float) -> list[Record]:
        """Half again as many buyers for a minute are no rush."""
        self.surge = (s, s + 60, self.rate(s) * 1.5)
        self.told.decoys.append(Label(self.sku_id, RUSH, _ms(s), _ms(s + 60)))
        return []

    def _oversell(self, s: float) -> list[Record]:
        """A fault of the system: a level goes below zero, and is mended later."""
        self.negative_until_s = s + 150
        return [self._stock_to(-3)]

    def _lose_hold(self, s: float) -> list[Record]:
        """A hold that nothing ends until the stock is put right."""
        fact = self._hold(s, ends=False)
        self.stuck.append(s + HOLD_S + GRACE_S)
        return [fact]

    def _replenish(self, s: float) -> list[Record]:
        return [self._stock_to(self._plenty(s))]

    # --- facts -----------------------------------------------------------------------------------

    def _stock_to(self, on_hand: int) -> Record:
        delta, self.on_hand = on_hand - self.on_hand, on_hand
        self.version += 1
        return inventory.StockAdjusted(
            self.sku_id, "east", self.version, 1, "", "", on_hand, self.held, delta, 0, TRACE
        )

    def _hold(self, s: float, ends: bool = True) -> Record:
        self.serial += 1
        self.held += 1
        self.version += 1
        hold = f"H{self.sku_id}-{self.serial}"
        if ends:
            heapq.heappush(self.endings, (s + self.draw.uniform(1, 4), 1, hold))
        return inventory.StockHeld(
            self.sku_id,
            "east",
            self.version,
            1,
            hold,
            "N",
            1,
            _ms(s + HOLD_S),
            self.on_hand,
            self.held,
            0,
            1,
            TRACE,
        )

    def _refuse(self) -> Record:
        self.serial += 1
        return inventory.StockRefused(
            self.sku_id,
            1,
            f"H{self.sku_id}-{self.serial}",
            "N",
            1,
            max(self.on_hand - self.held, 0),
            inventory.StockReason.INSUFFICIENT,
            TRACE,
        )

    def _end(self, qty: int, hold: str) -> Record:
        self.version += 1
        self.held -= qty
        if self.draw.random() < 0.1:
            return inventory.StockReleased(
                self.sku_id,
                "east",
                self.version,
                1,
                hold,
                "N",
                qty,
                inventory.ReleaseCause.CANCELLED,
                self.on_hand,
                self.held,
                0,
                -qty,
                TRACE,
            )
        self.on_hand -= qty
        return inventory.StockDeducted(
            self.sku_id,
            "east",
            self.version,
            1,
            hold,
            "N",
            qty,
            self.on_hand,
            self.held,
            -qty,
            -qty,
            TRACE,
        )

    # --- the truth -------------------------------------------------------------------------------

    def _rate_now(self, s: float) -> float:
        first, last, rate = self.surge
        return rate if first <= s < last else self.rate(s)

    def _needed(self, kind: str, s: float) -> float:
        mean = self.rate(s) * (LEAD_TIME_S if kind == SAFETY else SOON_S)
        return mean + (SERVICE_FACTOR * math.sqrt(mean) if kind == SAFETY else 0)

    def _plenty(self, s: float) -> int:
        return round(self._needed(SAFETY, s) * 4) + 4 * ENOUGH

    def _label(self, s: float) -> None:
        left = self.on_hand - self.held
        surged_s = s - self.surge[0]
        after_rush = self.surge[2] > 20 and surged_s >= 0
        demand_known = s > WARM_UP_S and not (after_rush and surged_s < 600)
        self._note(LOW, s, left < THRESHOLD, left >= THRESHOLD)
        for kind in (SAFETY, SOON):
            needed = self._needed(kind, s)
            yes, no = left < SURELY * needed, left > SURELY_NOT * needed
            self._note(kind, s, demand_known and yes, demand_known and no)
        rushing = after_rush and surged_s < 20
        self._note(RUSH, s, rushing, s > WARM_UP_S and not (after_rush and surged_s < 40))
        self._note(OVERSOLD, s, left < 0 or self.on_hand < 0, left >= 0 and self.on_hand >= 0)
        is_stuck = any(_ms(at_s) <= _ms(s) for at_s in self.stuck)
        self._note(STUCK, s, is_stuck, not is_stuck)

    def _note(self, kind: str, s: float, yes: bool, no: bool) -> None:
        """Take down what is true now; an incident that is interrupted by doubt is still one."""
        now = 1 if yes else -1 if no else 0
        before, label = self.truths.get(kind, (0, None))
        if now == before or (now == 0 and before == 1):
            return
        if label is not None:
            label.last_ms = _ms(s)
            label = None
        if now:
            label = Label(self.sku_id, kind, _ms(s), _ms(LENGTH_S))
            (self.told.incidents if now == 1 else self.told.calm).append(label)
        self.truths[kind] = (now, label)


def _ms(s: float) -> int:
    return START_MS + round(s * 1000)


def _poisson(draw: random.Random, mean: float) -> int:
    """Return a Poisson draw (Knuth, TAOCP 3.4.1)."""
    limit, product, count = math.exp(-mean), draw.random(), 0
    while product > limit:
        product *= draw.random()
        count += 1
    return count
