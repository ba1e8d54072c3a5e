"""What each store says, read as anybody with its address would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from schemas.read_model import StockLevel, decode_level, decode_order
from sinks.money import minor
from sinks.mysql.connection import connect as mysql_connect
from sinks.warehouse.clickhouse import ClickHouseSink
from topologies.consistency.figures import OrderFigures, Picture, StockFigures

_SCAN: Final = 1_000  # keys a call

_MYSQL_ORDERS: Final = (
    "SELECT order_no, version, status_name, shop_id, user_id, currency, total_amount, paid_amount, "
    "refunded_amount FROM t_order"
)
_MYSQL_ITEMS: Final = (
    "SELECT order_no, SUM(quantity), SUM(payable_amount) FROM t_order_item GROUP BY order_no"
)
_MYSQL_PAYMENTS: Final = "SELECT order_no, COUNT(*) FROM t_payment_result GROUP BY order_no"
_MYSQL_ENTRIES: Final = (
    "SELECT order_no, COUNT(*), SUM(GREATEST(amount, 0)), SUM(amount) FROM t_ledger_entry "
    "GROUP BY order_no"
)
_MYSQL_STOCK: Final = (
    "SELECT s.sku_id, s.warehouse_id, s.version, s.on_hand, s.held, n.movements "
    "FROM t_inventory_snapshot s JOIN (SELECT sku_id, warehouse_id, MAX(version) AS version, "
    "COUNT(*) AS movements FROM t_inventory_snapshot GROUP BY sku_id, warehouse_id) n "
    "ON n.sku_id = s.sku_id AND n.warehouse_id = s.warehouse_id AND n.version = s.version"
)

_CLICKHOUSE_ORDERS: Final = (
    "SELECT order_no, version, status, shop_id, user_id, total_fen, paid_fen, refunded_fen "
    "FROM orders FINAL"
)
_CLICKHOUSE_ITEMS: Final = (
    "SELECT order_no, sum(quantity), sum(payable_fen) FROM order_items FINAL GROUP BY order_no"
)
_CLICKHOUSE_PAYMENTS: Final = "SELECT order_no, count() FROM payments FINAL GROUP BY order_no"
_CLICKHOUSE_ENTRIES: Final = (
    "SELECT order_no, count(), sum(greatest(amount_fen, 0)), sum(amount_fen) "
    "FROM ledger_entries FINAL GROUP BY order_no"
)
_CLICKHOUSE_STOCK: Final = (
    "SELECT l.sku_id, l.warehouse_id, l.version, l.on_hand, l.held, m.movements "
    "FROM (SELECT * FROM stock_levels FINAL) AS l LEFT JOIN (SELECT sku_id, warehouse_id, "
    "count() AS movements FROM stock_movements FINAL GROUP BY sku_id, warehouse_id) AS m "
    "ON l.sku_id = m.sku_id AND l.warehouse_id = m.warehouse_id"
)


def mysql_picture(url: str) -> Picture:
    """Read the ledger at ``mysql://...``; raises StoreAway, pymysql's errors."""
    with mysql_connect(url) as connection, connection.cursor() as cursor:

        def ask(sql: str) -> Any:
            cursor.execute(sql)
            return cursor.fetchall()

        # One snapshot for all questions: a sink may be writing.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        items, payments = _by_order(ask(_MYSQL_ITEMS)), _by_order(ask(_MYSQL_PAYMENTS))
        entries = _by_order(ask(_MYSQL_ENTRIES))
        picture = Picture()
        for order_no, version, status, shop_id, user_id, currency, *amounts in ask(_MYSQL_ORDERS):
            total, paid, refunded = (minor(amount, currency) for amount in amounts)
            units, payable = items.get(order_no, (0, Decimal(0)))
            sides, moved, balance = entries.get(order_no, (0, Decimal(0), Decimal(0)))
            picture.orders[order_no] = OrderFigures(
                version,
                status,
                shop_id,
                user_id,
                total,
                paid,
                refunded,
                int(units),
                minor(payable, currency),
                payments.get(order_no, (0,))[0],
                sides,
                minor(moved, currency),
                minor(balance, currency),
            )
        for sku_id, warehouse_id, *rest in ask(_MYSQL_STOCK):
            picture.stock[sku_id, warehouse_id] = StockFigures(*rest)
        return picture


def clickhouse_picture(url: str) -> Picture:
    """Read the warehouse at ``http://...``; raises StoreAway."""
    sink = ClickHouseSink(url)
    try:
        items, payments = (
            _by_order(sink.query(_CLICKHOUSE_ITEMS)),
            _by_order(sink.query(_CLICKHOUSE_PAYMENTS)),
        )
        entries = _by_order(sink.query(_CLICKHOUSE_ENTRIES))
        picture = Picture()
        for order_no, *figures in sink.query(_CLICKHOUSE_ORDERS):
            picture.orders[order_no] = OrderFigures(
                *figures,
                *items.get(order_no, (0, 0)),
                *payments.get(order_no, (0,)),
                *entries.get(order_no, (0, 0, 0)),
            )
        for sku_id, warehouse_id, *rest in sink.query(_CLICKHOUSE_STOCK):
            picture.stock[sku_id, warehouse_id] = StockFigures(*rest)
        return picture
    finally:
        sink.close()


def redis_picture(url: str) -> Picture:
    """Read the read model at ``redis://...``; raises redis.RedisError.

    It keeps no payments and no ledger.
    """
    import redis

    client: Any = redis.Redis.from_url(url)
    picture = Picture()
    try:
        for keys in _scanned(client, "order:*"):
            for value in client.mget(keys):
                if value is None:  # it expired in between
                    continue
                view = decode_order(value)
                picture.orders[view.order_no] = OrderFigures(
                    view.version,
                    view.status,
                    view.shop_id,
                    view.user_id,
                    view.total_fen,
                    view.paid_fen,
                    view.refunded_fen,
                    sum(line.qty for line in view.lines),
                    sum(line.payable_fen for line in view.lines),
                )
        for keys in _scanned(client, "stock:*"):
            for key in keys:
                sku_id = int(key.rpartition(b":")[2])
                levels: Mapping[bytes, bytes] = client.hgetall(key)
                for warehouse_id, value in levels.items():
                    level: StockLevel = decode_level(value)
                    picture.stock[sku_id, warehouse_id.decode()] = StockFigures(
                        level.version, level.on_hand, level.held
                    )
    finally:
        client.close()
    return picture


def _scanned(client: Any, pattern: str) -> Iterator[list[bytes]]:
    keys: list[bytes] = []
    for key in client.scan_iter(pattern, count=_SCAN):
        keys.append(key)
        if len(keys) == _SCAN:
            yield keys
            keys = []
    if keys:
        yield keys


def _by_order(rows: Any) -> dict[str, tuple[Any, ...]]:
    return {row[0]: tuple(row[1:]) for row in rows}


READERS: Final = {
    "mysql": mysql_picture,
    "clickhouse": clickhouse_picture,
    "redis": redis_picture,
}
"""Server -> what its store says."""


def host(url: str) -> str:
    """Return where a store is, without the password that its address may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]
