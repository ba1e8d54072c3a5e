"""The promotions stage, put together. Inbox: ``promotion.commands``, key: ``partition_key``."""

from __future__ import annotations

from schemas.topics import PROMOTION_COMMANDS
from streams.kernel.stage import Stage
from streams.promotions.decide import decide, wake
from streams.promotions.evolve import evolve
from streams.promotions.react import react
from streams.promotions.state import Allowance, Claims, Entry, Lot, PromotionHold


class PromotionsStage:
    """Holds resources for orders, uses them up and returns them; lets users claim coupons."""

    name = "promotions"
    inbox = PROMOTION_COMMANDS
    # The order decides between timers of one millisecond: it must never change.
    entities = (Allowance, PromotionHold, Lot, Claims, Entry)
    decide = staticmethod(decide)
    wake = staticmethod(wake)
    evolve = staticmethod(evolve)
    react = staticmethod(react)


def promotions_stage() -> Stage:
    """Return the stage; it has no settings and no state of its own."""
    return PromotionsStage()
