"""Rules of Prometheus' alerts, and their tests for promtool."""
