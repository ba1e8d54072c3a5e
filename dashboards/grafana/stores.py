"""What is in the stores, and how they take it."""

from __future__ import annotations

from typing import Final

from dashboards.grafana.panels import Dashboard, Look, Panel, Source

DASHBOARD: Final = Dashboard(
    "orderstream-stores",
    "orderstream: stores",
    (
        Panel(
            "A write takes (P99)",
            "One batch, until the store answers.",
            Source.PROMETHEUS,
            Look.LINES,
            "histogram_quantile(0.99, sum by (le, sink) (rate(sink_write_seconds_bucket[1m])))",
            "s",
            "{{sink}}",
        ),
        Panel(
            "Store away",
            "Writes that had to be tried again, in five minutes.",
            Source.PROMETHEUS,
            Look.LINES,
            "sum by (sink) (increase(sink_store_away_total[5m]))",
            legend="{{sink}}",
        ),
        Panel(
            "Ledger: balance",
            "Sum of all entries of each currency: anything but 0 is a fault.",
            Source.LEDGER,
            Look.NUMBER,
            "SELECT currency, SUM(amount) AS balance FROM t_ledger_entry GROUP BY currency",
        ),
        Panel(
            "Ledger: orders by status",
            "As they stand.",
            Source.LEDGER,
            Look.BARS,
            "SELECT status_name, COUNT(*) AS orders FROM t_order GROUP BY status_name "
            "ORDER BY status_name",
        ),
        Panel(
            "Ledger: payments",
            "What gateways reported, and its amount.",
            Source.LEDGER,
            Look.TABLE,
            "SELECT status, channel, COUNT(*) AS reports, SUM(amount) AS amount "
            "FROM t_payment_result GROUP BY status, channel ORDER BY status, channel",
        ),
        Panel(
            "Ledger: stock movements by minute",
            "By what they were.",
            Source.LEDGER,
            Look.LINES,
            "SELECT CAST(DATE_FORMAT(created_time, '%Y-%m-%d %H:%i:00') AS DATETIME) AS time, "
            "event_name AS metric, COUNT(*) AS movements FROM t_inventory_snapshot "
            "WHERE $__timeFilter(created_time) GROUP BY 1, 2 ORDER BY 1, 2",
        ),
        Panel(
            "Warehouse: rows and bytes",
            "Of each table, merged or not.",
            Source.WAREHOUSE,
            Look.TABLE,
            "SELECT table, sum(rows) AS total_rows, sum(bytes_on_disk) AS total_bytes, "
            "count() AS parts FROM system.parts WHERE active AND database = currentDatabase() "
            "GROUP BY table ORDER BY table",
            width=12,
        ),
        Panel(
            "Warehouse: newest row",
            "When what it tells of happened.",
            Source.WAREHOUSE,
            Look.TABLE,
            "SELECT * FROM ("
            "SELECT 'orders' AS name, max(updated_at) AS newest FROM orders UNION ALL "
            "SELECT 'stock', max(at) FROM stock_movements UNION ALL "
            "SELECT 'payments', max(at) FROM payments UNION ALL "
            "SELECT 'reports', max(fresh_at) FROM report_sales) ORDER BY name",
            width=12,
        ),
    ),
)
