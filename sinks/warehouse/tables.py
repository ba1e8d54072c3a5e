"""The analytical tables, each defined once for both dialects.

Money is in minor units (``..._fen``, whatever the currency), times are UTC to the millisecond and
NULL while they are still to come. A table keeps one row per key:
of the highest version, and among those the earliest, for a stage that crashed sends a fact again,
later. ClickHouse does so when it merges, and at once where a query says ``FINAL``; StarRocks when
it loads (``merge_condition``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sinks.batches import Batch
from sinks.orders import OrderRow
from sinks.warehouse.reports import REPORT_TABLES
from sinks.warehouse.table import Column, Kind, Table


def _columns(*fields: str) -> tuple[Column, ...]:
    return tuple(_column(field) for field in fields)


def _column(field: str) -> Column:
    name = "at" if field == "at_ms" else field.removesuffix("_ms") + "_at"
    if field in ("at_ms", "placed_ms", "updated_ms"):
        return Column(name, Kind.TIME, field)
    if field.endswith("_ms"):
        return Column(name, Kind.MAYBE, field)
    if field in _NAMES:
        return Column(field, Kind.NAME, field)
    return Column(field, Kind.TEXT if field in _TEXTS else Kind.LONG, field)


_NAMES: Final = frozenset(
    {"status", "currency", "channel", "flow", "gateway", "kind", "side", "warehouse_id"}
)
_TEXTS: Final = frozenset(
    {"order_no", "pay_no", "refund_no", "coupons", "coupon_code", "waybill_no", "trace_id"}
    | {"hold_id", "ref", "account", "gateway_txn_no", "reason"}
)

ORDERS: Final = Table(
    "orders",
    ("order_no",),
    _columns(*OrderRow.__struct_fields__),
    by_time="placed_at",
    together="orders",
)
ORDER_ITEMS: Final = Table(
    "order_items",
    ("order_no", "line_no"),
    _columns(
        *("order_no", "line_no", "version", "shop_id", "user_id", "sku_id", "quantity"),
        *("unit_price_fen", "discount_fen", "payable_fen", "currency", "placed_ms", "at_ms"),
    ),
    by_time="placed_at",
    together="orders",
)
COUPON_USES: Final = Table(
    "coupon_uses",
    ("coupon_code", "order_no"),
    _columns(
        *("coupon_code", "order_no", "version", "shop_id", "user_id", "status", "trace_id"),
        "at_ms",
    ),
)
STOCK_LEVELS: Final = Table(
    "stock_levels",
    ("sku_id", "warehouse_id"),
    _columns(
        *("sku_id", "warehouse_id", "version", "shop_id", "on_hand", "held", "available", "at_ms")
    ),
    together="stock",
)
STOCK_MOVEMENTS: Final = Table(
    "stock_movements",
    ("sku_id", "warehouse_id", "version"),
    _columns(
        *("sku_id", "warehouse_id", "version", "shop_id", "kind", "order_no", "hold_id", "ref"),
        *("reason", "on_hand", "held", "available", "delta_on_hand", "delta_held"),
        *("delta_available", "trace_id", "at_ms"),
    ),
    together="stock",
)
PAYMENTS: Final = Table(
    "payments",
    ("order_no", "version"),
    _columns(
        *("order_no", "version", "shop_id", "pay_no", "refund_no", "status", "channel", "gateway"),
        *("gateway_txn_no", "amount_fen", "currency", "reason", "trace_id", "at_ms"),
    ),
)
LEDGER_ENTRIES: Final = Table(
    "ledger_entries",
    ("order_no", "version", "side"),
    _columns(
        *("order_no", "version", "side", "shop_id", "account", "amount_fen", "currency"),
        *("pay_no", "refund_no", "trace_id", "at_ms"),
    ),
)

FACT_TABLES: Final = (
    ORDER_ITEMS,
    COUPON_USES,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
    PAYMENTS,
    LEDGER_ENTRIES,
    ORDERS,
)
"""In the order of writing: an order's row comes last, for by its version a sink that starts anew
knows that the rest was written, too."""

TABLES: Final = (*FACT_TABLES, *REPORT_TABLES)

SKU_TABLES: Final = frozenset({STOCK_LEVELS, STOCK_MOVEMENTS})
"""What is about skus; all other tables are about orders."""


def filled(batch: Batch) -> list[tuple[Table, list[Any]]]:
    """Return the rows of each table that a batch has rows for, in the order of writing."""
    rows: tuple[Iterable[Any], ...] = (
        batch.items.values(),
        batch.coupons.values(),
        batch.levels(),
        batch.stock.values(),
        batch.payments.values(),
        batch.entries.values(),
        batch.orders.values(),
    )
    found = [(table, list(one)) for table, one in zip(FACT_TABLES, rows, strict=True)]
    return [(table, one) for table, one in found if one]


def order_row(values: Iterable[Any]) -> OrderRow:
    """Return the row that the columns of ORDERS show; times are epoch ms, or None."""
    fields: dict[str, Any] = {
        column.field: 0 if value is None else value
        for column, value in zip(ORDERS.columns, values, strict=True)
    }
    return OrderRow(**fields)
