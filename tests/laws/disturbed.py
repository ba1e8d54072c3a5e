"""The same world when processes die, stand still and say things twice."""

from __future__ import annotations

import random
from collections import Counter

from schemas.order import PlaceOrderIntent
from streams.engine.memory import MemoryLog, Reader
from streams.engine.records import Headers
from tests.laws.history import MINUTE_MS, SECOND_MS, History
from tests.laws.world import PARTITIONS, World

# Whoever stands still for 4 min and catches up within a slice is 5 min behind at most: below 360 s.
_STANDSTILLS_MS = (20 * SECOND_MS, 4 * MINUTE_MS)
_SLICE_MS = MINUTE_MS


class LossyLog(MemoryLog):
    """A log whose writer may die before all that it wrote arrived.

    What arrives is a prefix of what was written to each partition, as the producer's gapless
    guarantee has it; the prefixes of different partitions differ.
    """

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self._held: list[tuple[str, str | bytes | None, bytes | None, Headers, int]] | None = None

    def hold(self) -> None:
        """Keep back what is appended from now on."""
        self._held = []

    def release(self, dice: random.Random | None = None) -> None:
        """Append what was kept back; with dice, of each partition's as much as they say."""
        held, self._held = self._held or [], None
        written = Counter((topic, partition) for topic, *_, partition in held)
        arrive = {at: n if dice is None else dice.randint(0, n) for at, n in written.items()}
        for topic, key, value, headers, partition in held:
            if arrive[topic, partition]:
                arrive[topic, partition] -= 1
                super().append(topic, key, value, headers, partition)

    def append(
        self,
        topic: str,
        key: str | bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        if self._held is None:
            super().append(topic, key, value, headers, partition)
        else:
            at = self.partition_of(key) if partition is None else partition
            self._held.append((topic, key, value, headers, at))


class CrashingWorld(World):
    """Everybody takes the same turns as undisturbed, but dies in the middle and begins again.

    A turn is read in pieces. Before a piece counts, the reader may die, with some of its outputs on
    the log, and another one takes over at the last checkpoint and repeats what is since then.
    Every intent to place an order comes twice.
    """

    def __init__(self, history: History) -> None:
        self.lossy = LossyLog()
        super().__init__(history, self.lossy)
        self.bites: Counter[str] = Counter()
        self._dice = random.Random(history.seed)

    def turn(self, at: Reader) -> int:
        """Read all that is there, dying on the way now and then; return how much it was."""
        moved = 0
        while piece := self._piece(at, self._dice.choice((1, 2, 500))):
            moved += piece
        return moved

    def _piece(self, at: Reader, batch: int) -> int:
        if not self.host.behind(*at):
            return 0
        dice = self._dice
        if dice.randrange(10) == 0:
            self.bites["turns cut short"] += 1
            self.lossy.hold()
            self.host.turn(*at, batch)
            self.lossy.release(dice)
            self._die(at)
        moved = self.host.turn(*at, batch)
        if dice.randrange(10) == 0:
            self._die(at)
        elif dice.randrange(4) == 0:
            self.bites["checkpoints"] += 1
            self.host.checkpoint(*at)
        return moved

    def _die(self, at: Reader) -> None:
        self.bites["crashes"] += 1
        self.host.crash(*at)

    def _send_intent(self, intent: PlaceOrderIntent) -> None:
        super()._send_intent(intent)
        super()._send_intent(intent)


class UnrulyWorld(CrashingWorld):
    """Nobody waits for anybody: turns in any order and length, readers that stand still at times.

    A step of the history finds the steps before it half done. The gateway is called again for facts
    that are sent again. Nobody falls further behind than the domain allows for (a takeover of
    360 s, see streams/reservations/records.py). At the end everybody is well.
    """

    gateway_hears_repeats = True

    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._still_until_ms: dict[Reader, int] = {}

    def play(self, history: History) -> None:
        """Do the steps in disorder; then let everything come to rest."""
        for step in history.steps:
            self.act(step)
        self._still_until_ms.clear()
        super().play(History(history.seed, ()))

    def settle(self) -> None:
        """Let some read something."""
        readers = self.host.readers()
        for _ in range(self._dice.choice((0, 3, 20, 60))):
            at = self._dice.choice(readers)
            if self._dice.randrange(40) == 0:
                self.bites["standstills"] += 1
                wait_ms = self._dice.choice(_STANDSTILLS_MS)
                self._still_until_ms[at] = self.log.clock_ms + wait_ms
            elif not self.stands_still(at):
                self._piece(at, self._dice.choice((1, 3, 500)))
            if self._dice.randrange(3) == 0:
                self._gateway.turn()

    def wait(self, ms: int) -> None:
        """Let time pass, a little at a time; meanwhile who does not stand still catches up."""
        while ms > 0:
            super().wait(min(ms, _SLICE_MS))
            super().settle()
            ms -= _SLICE_MS

    def turn(self, at: Reader) -> int:
        """Read all that is there, unless the reader stands still."""
        return 0 if self.stands_still(at) else super().turn(at)

    def stands_still(self, at: Reader) -> bool:
        """Tell whether a reader does nothing for now, not even tick its inbox."""
        return self.log.clock_ms < self._still_until_ms.get(at, 0)
