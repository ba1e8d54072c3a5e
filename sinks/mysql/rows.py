"""What the ledger's tables hold, and how rows get into them: pure, no connection here.

Columns say where their values come from. Money is DECIMAL in major units, times are DATETIME(3) in
UTC; a time of 0 ms (not yet) is NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

from sinks.batches import Batch
from sinks.money import major, minor
from sinks.orders import OrderRow

STATUSES: Final = (
    "CREATED",
    "PAID",
    "SHIPPED",
    "COMPLETED",
    "CANCELLED",
    "EXPIRED",
    "REJECTED",
    "REFUNDED",
    "RESERVING",
    "PAYING",
    "FULFILLING",
    "PARTLY_SHIPPED",
    "CANCELLING",
    "REFUNDING",
    "PARTLY_REFUNDED",
    "PARKED",
)
"""A status's code is its place here, from 1. The first three are the original document's."""

EVENT_TYPES: Final = (
    "HELD",
    "DEDUCTED",
    "RELEASED",
    "RETURNED",
    "RECEIVED",
    "ADJUSTED",
    "TRANSFERRED",
    "COUNTED",
    "BACKORDER_SERVED",
)
"""Kinds of stock movements, coded likewise."""

_STATUS_CODES: Final = {name: code for code, name in enumerate(STATUSES, 1)}
_EVENT_CODES: Final = {name: code for code, name in enumerate(EVENT_TYPES, 1)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # pymysql takes no zones
_REASON_CHARACTERS: Final = 255

Values: TypeAlias = tuple[Any, ...]


class Kind(Enum):
    """How a field of a row becomes a value of a column."""

    PLAIN = "plain"
    MONEY = "money"
    TIME = "time"
    STATUS = "status"
    EVENT = "event"
    TEXT = "text"  # free text, cut to what the column holds


class Column(NamedTuple):
    """A column, and the field of the row that it shows."""

    name: str
    field: str
    kind: Kind = Kind.PLAIN


class Table(NamedTuple):
    """A table, its columns, and the statement that puts a row into it.

    A ``versioned`` table holds the newest row of a key; in another the first row of a key stands.
    """

    name: str
    columns: tuple[Column, ...]
    versioned: bool

    @property
    def upsert(self) -> str:
        """A statement for one row; pymysql sends many rows in one."""
        names = [column.name for column in self.columns]
        if self.versioned:
            # Set last: an assignment sees those before it. VALUES() is what all of MySQL, MariaDB
            # and TiDB understand (docs/sinks.md).
            changed = [name for name in names if name != "version"]
            updates = [
                f"{name}=IF(VALUES(version)>version,VALUES({name}),{name})" for name in changed
            ] + ["version=GREATEST(version,VALUES(version))"]
        else:
            updates = [f"{names[0]}={names[0]}"]
        places = ",".join(["%s"] * len(names))
        return (
            f"INSERT INTO {self.name} ({','.join(names)}) VALUES ({places}) "
            f"ON DUPLICATE KEY UPDATE {','.join(updates)}"
        )

    def values(self, rows: Iterable[Any]) -> list[Values]:
        """Return the values of ``rows``, by key: writers that meet lock in the same order."""
        fields = attrgetter(*[column.field for column in self.columns])
        changes = [
            (at, _TO_STORE[column.kind])
            for at, column in enumerate(self.columns)
            if column.kind not in (Kind.PLAIN, Kind.MONEY)
        ]
        amounts = [at for at, column in enumerate(self.columns) if column.kind is Kind.MONEY]
        found = []
        for row in rows:
            values = list(fields(row))
            for at, change in changes:
                values[at] = change(values[at])
            for at in amounts:
                values[at] = major(values[at], row.currency)
            found.append(tuple(values))
        found.sort(key=_key)
        return found


def _key(values: Values) -> Values:
    return values[:2]


def _time(ms: int) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=ms) if ms else None


def _ms(time: datetime | None) -> int:
    return round((time - _EPOCH) / timedelta(milliseconds=1)) if time is not None else 0


_TO_STORE: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.TIME: _time,
    Kind.STATUS: _STATUS_CODES.__getitem__,
    Kind.EVENT: _EVENT_CODES.__getitem__,
    Kind.TEXT: lambda text: text[:_REASON_CHARACTERS],
}


def _plain(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names)


T_ORDER: Final = Table(
    "t_order",
    (
        *_plain("order_no", "user_id", "version", "shop_id", "sku_id", "quantity", "item_slots"),
        Column("status", "status", Kind.STATUS),
        Column("total_amount", "total_fen", Kind.MONEY),
        Column("discount_amount", "discount_fen", Kind.MONEY),
        Column("paid_amount", "paid_fen", Kind.MONEY),
        Column("refunded_amount", "refunded_fen", Kind.MONEY),
        *_plain("currency", "pay_no", "channel", "flow", "coupons", "waybill_no"),
        Column("reason", "reason", Kind.TEXT),
        *_plain("trace_id"),
        Column("placed_time", "placed_ms", Kind.TIME),
        Column("created_time", "created_ms", Kind.TIME),
        Column("paid_time", "paid_ms", Kind.TIME),
        Column("confirmed_time", "confirmed_ms", Kind.TIME),
        Column("shipped_time", "shipped_ms", Kind.TIME),
        Column("completed_time", "completed_ms", Kind.TIME),
        Column("closed_time", "closed_ms", Kind.TIME),
        Column("expire_time", "expires_ms", Kind.TIME),
        Column("updated_time", "updated_ms", Kind.TIME),
    ),
    versioned=True,
)
T_ORDER_ITEM: Final = Table(
    "t_order_item",
    (
        *_plain("order_no", "line_no", "user_id", "version", "shop_id", "sku_id", "quantity"),
        Column("unit_price", "unit_price_fen", Kind.MONEY),
        Column("discount_amount", "discount_fen", Kind.MONEY),
        Column("payable_amount", "payable_fen", Kind.MONEY),
        *_plain("currency"),
        Column("updated_time", "at_ms", Kind.TIME),
    ),
    versioned=True,
)
T_COUPON_USED: Final = Table(
    "t_coupon_used",
    (
        Column("coupon_id", "coupon_code"),
        *_plain("order_no", "user_id", "version", "shop_id", "status", "trace_id"),
        Column("updated_time", "at_ms", Kind.TIME),
    ),
    versioned=True,
)
T_INVENTORY_SNAPSHOT: Final = Table(
    "t_inventory_snapshot",
    (
        *_plain("sku_id", "warehouse_id", "version", "shop_id"),
        Column("pre_stock", "before"),
        Column("post_stock", "available"),
        Column("delta", "delta_available"),
        *_plain("on_hand", "held", "delta_on_hand", "delta_held"),
        Column("event_type", "kind", Kind.EVENT),
        *_plain("order_no", "hold_id", "ref"),
        Column("reason", "reason", Kind.TEXT),
        *_plain("trace_id"),
        Column("created_time", "at_ms", Kind.TIME),
    ),
    versioned=False,
)
T_PAYMENT_RESULT: Final = Table(
    "t_payment_result",
    (
        *_plain("order_no", "version", "shop_id", "pay_no", "refund_no", "status", "channel"),
        *_plain("gateway", "gateway_txn_no"),
        Column("amount", "amount_fen", Kind.MONEY),
        *_plain("currency"),
        Column("reason", "reason", Kind.TEXT),
        *_plain("trace_id"),
        Column("created_time", "at_ms", Kind.TIME),
    ),
    versioned=False,
)
T_LEDGER_ENTRY: Final = Table(
    "t_ledger_entry",
    (
        *_plain("order_no", "version", "side", "shop_id", "account"),
        Column("amount", "amount_fen", Kind.MONEY),
        *_plain("currency", "pay_no", "refund_no", "trace_id"),
        Column("created_time", "at_ms", Kind.TIME),
    ),
    versioned=False,
)

TABLES: Final = (
    T_ORDER,
    T_ORDER_ITEM,
    T_COUPON_USED,
    T_INVENTORY_SNAPSHOT,
    T_PAYMENT_RESULT,
    T_LEDGER_ENTRY,
)


def upserts(batch: Batch) -> list[tuple[Table, list[Values]]]:
    """Return what has to be put where, for a batch; tables without rows are left out."""
    rows = (
        batch.orders.values(),
        batch.items.values(),
        batch.coupons.values(),
        batch.stock.values(),
        batch.payments.values(),
        batch.entries.values(),
    )
    filled = [(table, table.values(found)) for table, found in zip(TABLES, rows, strict=True)]
    return [(table, values) for table, values in filled if values]


def select_orders(count: int) -> str:
    """Return the query for ``count`` orders by number; its rows are read by ``order_row``."""
    names = ",".join(column.name for column in T_ORDER.columns)
    return f"SELECT {names} FROM t_order WHERE order_no IN ({','.join(['%s'] * count)})"


def order_row(values: Sequence[Any]) -> OrderRow:
    """Return the row that the columns of T_ORDER show."""
    fields: dict[str, Any] = {}
    amounts: dict[str, Decimal] = {}
    for column, value in zip(T_ORDER.columns, values, strict=True):
        if column.kind is Kind.MONEY:
            amounts[column.field] = value
        elif column.kind is Kind.TIME:
            fields[column.field] = _ms(value)
        elif column.kind is Kind.STATUS:
            fields[column.field] = STATUSES[value - 1]
        else:
            fields[column.field] = value
    fields |= {field: minor(one, fields["currency"]) for field, one in amounts.items()}
    return OrderRow(**fields)
