"""How the pipeline does: lag, age of checkpoints, dead letters, freshness, sinks, the API."""

from __future__ import annotations

from typing import Final

from dashboards.grafana.panels import Dashboard, Look, Panel, Source


def _metric(
    title: str, about: str, query: str, unit: str = "short", legend: str = "", width: int = 8
) -> Panel:
    return Panel(title, about, Source.PROMETHEUS, Look.LINES, query, unit, legend, width)


def _p99(metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.99, sum by ({labels}) (rate({metric}_bucket[1m])))"


DASHBOARD: Final = Dashboard(
    "orderstream-pipeline",
    "orderstream: pipeline",
    (
        _metric("Processes", "1: it answers Prometheus.", "up", legend="{{process}}"),
        _metric(
            "Records applied",
            "By stage.",
            "sum by (stage) (rate(engine_applied_records_total[1m]))",
            "ops",
            "{{stage}}",
        ),
        _metric(
            "Lag of the stages",
            "Records in the inboxes that are not yet applied.",
            "sum by (stage) (engine_lag_records)",
            legend="{{stage}}",
        ),
        _metric(
            "Age of the last checkpoint",
            "What a crash would repeat; one is made each second.",
            "max by (process) (engine_checkpoint_age_seconds)",
            "s",
            "{{process}}",
        ),
        _metric(
            "A checkpoint takes (P99)",
            "From drain to commit.",
            _p99("engine_checkpoint_seconds"),
            "s",
            "P99",
        ),
        _metric(
            "Dead letters",
            "Records nobody understood, in five minutes: orderstream dlq list.",
            "sum by (stage) (increase(engine_dead_lettered_records_total[5m]))",
            legend="{{stage}}",
        ),
        _metric(
            "Live state",
            "Records that the stages keep: memory and takeover time follow it.",
            "sum by (stage) (engine_state_records)",
            legend="{{stage}}",
        ),
        _metric(
            "Freshness of the flows",
            "Age of the newest fact taken; it grows when nothing happens.",
            "flow_freshness_seconds",
            "s",
            "{{flow}}",
        ),
        _metric(
            "Watermark of the flows",
            "How long a window waits to be complete.",
            "flow_watermark_age_seconds",
            "s",
            "{{flow}}",
        ),
        _metric(
            "Facts written",
            "By sink.",
            "sum by (sink) (rate(sink_facts_total[1m]))",
            "ops",
            "{{sink}}",
        ),
        _metric(
            "Lag of the sinks",
            "Facts that are not yet in the store.",
            "sum by (sink) (sink_lag_records)",
            legend="{{sink}}",
        ),
        _metric(
            "Freshness of the sinks (P99)",
            "Age of a batch's oldest fact when the store had it.",
            _p99("sink_freshness_seconds", "sink"),
            "s",
            "{{sink}}",
        ),
        _metric(
            "Requests",
            "Of the API, by status.",
            "sum by (status) (rate(api_requests_total[1m]))",
            "reqps",
            "{{status}}",
        ),
        _metric(
            "A request takes (P99)",
            "By route, from its head to the response's.",
            _p99("api_request_seconds", "route"),
            "s",
            "{{route}}",
        ),
        _metric(
            "Spool",
            "Commands on the API's disk, because Kafka is away.",
            "sum by (process) (api_spooled_records)",
            legend="{{process}}",
        ),
    ),
)
