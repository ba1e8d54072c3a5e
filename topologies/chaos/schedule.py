"""Which faults strike when: drawn from a seed, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """What can go wrong."""

    KILL = "kill"  # SIGKILL of a worker, which is started again
    PAUSE = "pause"  # SIGSTOP of a worker until its partitions are given away, then SIGCONT
    SCALE = "scale"  # one more worker joins, works, and leaves by SIGTERM
    BROKER_STOP = "broker-stop"  # SIGTERM of Kafka, which is started again
    BROKER_KILL = "broker-kill"  # SIGKILL of Kafka: the page cache keeps what it acknowledged
    REGISTRY = "registry"  # the schema registry is away while a worker has to start
    DISK = "disk"  # a worker's folder for temporary files is on a full disk
    SKEW = "skew"  # a worker's clock is minutes off
    SLOW = "slow"  # a worker reaches Kafka over a slow network
    GATEWAY_KILL = "gateway-kill"  # SIGKILL of the payment gateway, which is started again
    GATEWAY_FAULTS = "gateway-faults"  # its messages come twice, out of order, late
    REDIS = "redis"  # Redis is away


_ALONE = (
    frozenset({Fault.BROKER_STOP, Fault.BROKER_KILL}),
    frozenset({Fault.GATEWAY_KILL, Fault.GATEWAY_FAULTS}),
    frozenset({Fault.REGISTRY, Fault.GATEWAY_FAULTS}),
)
"""Never in one round: faults that strike the same single process, and a gateway that is to begin
to misbehave while the registry, without which it cannot start, is away."""

TWO_FAULTS = 0.5
"""Share of the rounds in which a second fault strikes while the first is under way."""
_FIRST_AT, _SECOND_AT = (0.10, 0.25), (0.30, 0.45)
"""When a fault strikes, as a share of the round: early, so that load goes on over its end."""


class Strike(NamedTuple):
    """A fault ``at_s`` seconds after the round's first order, on worker ``slot`` where it is one.

    ``luck`` (0 to 1) decides what else the fault leaves open.
    """

    fault: Fault
    at_s: float
    slot: int
    luck: float


class Round(NamedTuple):
    """Round ``number`` (1, 2 ...): what strikes, in the order of time."""

    number: int
    strikes: tuple[Strike, ...]


def draw_rounds(
    seed: int, rounds: int, faults: Sequence[Fault], seconds: float, workers: int
) -> tuple[Round, ...]:
    """Return the schedule of ``rounds`` rounds of ``seconds`` seconds each.

    The faults are dealt from a shuffled deck, so each comes before any comes again. Two faults of
    one round strike different workers. Raises ValueError without faults or workers.
    """
    if not faults or workers < 1:
        raise ValueError("a schedule needs at least one fault and one worker")
    draw = random.Random(f"chaos {seed}")
    deck = _Deck(draw, faults)
    return tuple(
        Round(number, tuple(_strikes(draw, deck, seconds, workers)))
        for number in range(1, rounds + 1)
    )


def _strikes(draw: random.Random, deck: _Deck, seconds: float, workers: int) -> Iterator[Strike]:
    first = deck.deal()
    slots = draw.sample(range(workers), min(2, workers))
    yield Strike(first, _at_s(draw, _FIRST_AT, seconds), slots[0], draw.random())
    if draw.random() < TWO_FAULTS and (second := deck.deal_beside(first)) is not None:
        yield Strike(second, _at_s(draw, _SECOND_AT, seconds), slots[-1], draw.random())


def _at_s(draw: random.Random, window: tuple[float, float], seconds: float) -> float:
    return round(draw.uniform(*window) * seconds, 1)


class _Deck:
    """Deals the faults in a drawn order, and shuffles anew when all were dealt."""

    def __init__(self, draw: random.Random, faults: Sequence[Fault]) -> None:
        self._draw = draw
        self._faults = sorted(set(faults))  # the order in which they were named does not matter
        self._left: list[Fault] = []

    def deal(self) -> Fault:
        """Return the next fault."""
        self._shuffle_if_empty()
        return self._left.pop()

    def deal_beside(self, other: Fault) -> Fault | None:
        """Return the next fault that can strike together with ``other``, if any is left."""
        self._shuffle_if_empty()
        for fault in reversed(self._left):
            if fault is not other and not any({fault, other} <= pair for pair in _ALONE):
                self._left.remove(fault)
                return fault
        return None

    def _shuffle_if_empty(self) -> None:
        if not self._left:
            self._left = list(self._faults)
            self._draw.shuffle(self._left)
