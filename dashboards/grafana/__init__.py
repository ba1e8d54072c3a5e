"""Grafana's dashboards as code: ``python -m dashboards.grafana`` writes what Grafana reads.

Panels ask Prometheus, the ledger (MySQL) and the warehouse (ClickHouse) by data sources of fixed
uids, which ``provisioning/`` declares.
"""
