"""Reads of the inventory stage's state that several deciders need."""

from __future__ import annotations

from streams.inventory.state import Sku, Stock, StockHold, stock_key
from streams.kernel.stage import View


def sku_of(state: View, resource_id: str, shop_id: int) -> Sku | None:
    """Return the sku; None: it is nowhere, or another shop's."""
    sku = state.get(Sku, resource_id)
    return sku if sku is not None and sku.shop_id == shop_id else None


def stocks_of(state: View, sku: Sku) -> list[Stock]:
    """Return the sku's stocks in the order of its warehouses."""
    stocks = []
    for warehouse_id in sku.warehouses:
        stock = state.get(Stock, stock_key(sku.sku_id, warehouse_id))
        if stock is not None:
            stocks.append(stock)
    return stocks


def stock_of(state: View, hold: StockHold | None) -> Stock | None:
    """Return the stock that an ordinary hold was taken from."""
    if hold is None:
        return None
    return state.get(Stock, stock_key(hold.resource_id, hold.warehouse_id))
