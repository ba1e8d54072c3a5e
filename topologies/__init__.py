"""Wiring: which stages, sinks and servers run together, and the command line."""
