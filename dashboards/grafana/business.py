"""What the shop does: orders and money by the minute, the funnel, stock, alerts."""

from __future__ import annotations

from typing import Final

from dashboards.grafana.panels import Dashboard, Look, Panel, Source

_CENTS: Final = 100.0  # Grafana has no unit for minor units; all amounts here are of one currency


def _warehouse(title: str, about: str, look: Look, query: str, unit: str, width: int = 8) -> Panel:
    return Panel(title, about, Source.WAREHOUSE, look, query, unit, width=width)


def _minutes(what: str, table: str = "report_sales", of: str = "start_at") -> str:
    return (
        f"SELECT {of} AS time, {what} FROM {table} FINAL "
        f"WHERE size_ms = 60000 AND $__timeFilter({of}) GROUP BY time ORDER BY time"
    )


DASHBOARD: Final = Dashboard(
    "orderstream-business",
    "orderstream: business",
    (
        _warehouse(
            "GMV",
            "Total of the orders that were paid, in the time shown.",
            Look.NUMBER,
            f"SELECT sum(gmv_fen) / {_CENTS} AS gmv FROM report_sales FINAL "
            "WHERE size_ms = 60000 AND $__timeFilter(start_at)",
            "currencyCNY",
            6,
        ),
        _warehouse(
            "Orders placed",
            "In the time shown.",
            Look.NUMBER,
            "SELECT sum(placed) AS placed FROM report_sales FINAL "
            "WHERE size_ms = 60000 AND $__timeFilter(start_at)",
            "short",
            6,
        ),
        _warehouse(
            "Orders parked",
            "They wait for an operator: orderstream orders parked.",
            Look.NUMBER,
            "SELECT count() AS parked FROM orders FINAL WHERE status = 'PARKED'",
            "short",
            6,
        ),
        _warehouse(
            "Age of the newest figure",
            "How long ago the newest fact happened that the reports count.",
            Look.NUMBER,
            "SELECT dateDiff('millisecond', max(fresh_at), now64(3)) / 1000 AS age "
            "FROM report_sales",
            "s",
            6,
        ),
        _warehouse(
            "GMV by minute",
            "Paid and given back.",
            Look.LINES,
            _minutes(f"sum(gmv_fen) / {_CENTS} AS gmv, sum(refunded_fen) / {_CENTS} AS refunded"),
            "currencyCNY",
            12,
        ),
        _warehouse(
            "Orders by minute",
            "By the time of each step.",
            Look.LINES,
            _minutes(
                "sum(placed) AS placed_orders, sum(paid) AS paid_orders, "
                "sum(shipped) AS shipped_orders, sum(rejected) AS rejected_orders"
            ),
            "short",
            12,
        ),
        _warehouse(
            "Funnel",
            "What became of the orders that were placed in the time shown.",
            Look.BARS,
            "SELECT step, orders FROM (SELECT "
            "[('1 placed', sum(placed)), ('2 created', sum(created)), ('3 paid', sum(paid)), "
            "('4 shipped', sum(shipped)), ('5 completed', sum(completed)), "
            "('6 refunded', sum(refunded))] AS steps FROM report_funnel FINAL "
            "WHERE size_ms = 60000 AND $__timeFilter(start_at)) "
            "ARRAY JOIN steps.1 AS step, steps.2 AS orders ORDER BY step",
            "short",
        ),
        _warehouse(
            "Time between steps (P99)",
            "Of the orders that were placed in each minute.",
            Look.LINES,
            _minutes(
                "max(to_created_p99_ms) AS to_created, max(to_paid_p99_ms) AS to_paid, "
                "max(to_shipped_p99_ms) AS to_shipped",
                "report_funnel",
            ),
            "ms",
        ),
        _warehouse(
            "Shipped in time",
            "Share of the orders that were shipped, by the minute of their payment.",
            Look.LINES,
            _minutes(
                "100 * sum(in_time) / greatest(sum(in_time) + sum(late), 1) AS in_time_share",
                "report_fulfilment",
            ),
            "percent",
        ),
        _warehouse(
            "Orders by status",
            "All there are, as they stand.",
            Look.BARS,
            "SELECT status, count() AS orders FROM orders FINAL GROUP BY status ORDER BY status",
            "short",
        ),
        _warehouse(
            "Least stock",
            "The skus with the fewest units available.",
            Look.TABLE,
            "SELECT sku_id, sum(available) AS units_available, sum(held) AS units_held, "
            "max(at) AS moved_at FROM stock_levels FINAL GROUP BY sku_id "
            "ORDER BY units_available, sku_id LIMIT 20",
            "short",
        ),
        _warehouse(
            "Best selling skus",
            "Of the last hour with a sale.",
            Look.TABLE,
            "SELECT sku_id, sum(units) AS units_sold, "
            f"sum(paid_fen) / {_CENTS} AS paid FROM report_top_skus FINAL "
            "WHERE size_ms = 3600000 AND start_at = (SELECT max(start_at) FROM report_top_skus "
            "WHERE size_ms = 3600000) GROUP BY sku_id ORDER BY units_sold DESC, sku_id LIMIT 20",
            "short",
        ),
        _warehouse(
            "Stock alerts",
            "The newest, and whether they are over.",
            Look.TABLE,
            "SELECT min(raised_at) AS since, any(severity) AS severity, any(rule_id) AS rule, "
            "any(sku_id) AS sku, argMin(summary, version) AS what, "
            "if(countIf(state = 'CLEARED') > 0, 'over', 'open') AS now "
            "FROM alerts FINAL GROUP BY alert_id ORDER BY since DESC LIMIT 50",
            "short",
            12,
        ),
        _warehouse(
            "Units sold by minute",
            "They left the shelves, over all skus and warehouses.",
            Look.LINES,
            _minutes("sum(sold_units) AS sold, sum(held_units) AS set_aside", "report_stock"),
            "short",
            12,
        ),
    ),
)
