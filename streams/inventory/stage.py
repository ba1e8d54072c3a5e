"""The inventory stage, put together. Inbox: ``inventory.commands``, key: the sku id."""

from __future__ import annotations

from schemas.topics import INVENTORY_COMMANDS
from streams.inventory.decide import decide, wake
from streams.inventory.evolve import evolve
from streams.inventory.react import react
from streams.inventory.state import Backorder, BuyerUnits, Sku, Stock, StockEntry, StockHold
from streams.kernel.stage import Stage


class InventoryStage:
    """Holds stock for orders, deducts, releases and promises it; books what comes and goes."""

    name = "inventory"
    inbox = INVENTORY_COMMANDS
    # The order decides between timers of one millisecond: it must never change.
    entities = (Sku, Stock, StockHold, StockEntry, Backorder, BuyerUnits)
    decide = staticmethod(decide)
    wake = staticmethod(wake)
    evolve = staticmethod(evolve)
    react = staticmethod(react)


def inventory_stage() -> Stage:
    """Return the stage; it has no settings and no state of its own."""
    return InventoryStage()


INVENTORY: Stage = inventory_stage()
