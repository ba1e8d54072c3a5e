"""How buyers behave once their order is created, and how many behave in which way."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from itertools import accumulate


class Payer(StrEnum):
    """What a buyer does. The simulated gateway acts it out, by the channel asked for."""

    PAY = "pay"
    LATE = "late"  # the money comes when the order has expired or is about to
    NEVER = "never"
    TWICE = "twice"  # the money comes a second time and has to go back
    CANCEL = "cancel"  # the buyer cancels as soon as the order is created
    DECLINE = "decline"  # the bank says no


CHANNELS: Mapping[Payer, str] = {
    Payer.PAY: "sim",
    Payer.LATE: "sim-late",
    Payer.NEVER: "sim-never",
    Payer.TWICE: "sim-twice",
    Payer.CANCEL: "sim-never",  # else the payment may win, and there is nothing to cancel
    Payer.DECLINE: "sim-decline",
}
PROMPT = frozenset({Payer.PAY, Payer.TWICE})
"""Those whose time to pay is the system's doing, not the buyer's."""


class Mix:
    """Shares of payers; they need not add up to one, only their proportions count.

    Raises ValueError for a negative share or when all are zero.
    """

    def __init__(self, shares: Mapping[Payer, float]) -> None:
        self.shares = {payer: shares.get(payer, 0.0) for payer in Payer}
        self._bounds = list(accumulate(self.shares.values()))
        if min(self.shares.values()) < 0 or self._bounds[-1] <= 0:
            raise ValueError(f"shares of payers must not be negative nor all zero: {shares}")
        self._payers = tuple(Payer)

    def draw(self, draw: random.Random) -> Payer:
        """Return one payer, drawn by the shares."""
        return draw.choices(self._payers, cum_weights=self._bounds)[0]


EVERYBODY_PAYS = Mix({Payer.PAY: 1})
LIFELIKE = Mix(
    {
        Payer.PAY: 0.90,
        Payer.LATE: 0.02,
        Payer.NEVER: 0.02,
        Payer.TWICE: 0.02,
        Payer.CANCEL: 0.02,
        Payer.DECLINE: 0.02,
    }
)


def parse_mix(text: str) -> Mix:
    """Read ``pay=90,never=5,twice=5``; raise ValueError that says what is wrong."""
    shares: dict[Payer, float] = {}
    for part in text.split(","):
        name, equals, share = part.partition("=")
        try:
            shares[Payer(name.strip())] = float(share)
        except ValueError:
            known = ", ".join(Payer)
            raise ValueError(f"{part!r} is not <payer>=<share>; payers are {known}") from None
        if not equals:
            raise ValueError(f"{part!r} has no share")
    return Mix(shares)
