"""What cannot be meant is wrong usage, before any server is asked."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from topologies.cli import build

NOWHERE = ("--kafka", "127.0.0.1:1", "--registry", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    "line",
    [
        "explain",
        "explain C8Q1ET4KW8P0J0HP --last-unit 1001",
        "explain --last-unit 1001 --last 0",
        "dlq redrive",
        "dlq redrive --operator mei --edit --set total_fen=1",
        "dlq redrive --dry-run --topic order.events",
        "dlq redrive --dry-run --limit 0",
        "orders stuck --older-than 5",
        "orders parked --older-than soon",
        "orders skip C8Q1ET4KW8P0J0HP --operator mei",
        "orders skip C8Q1ET4KW8P0J0HP --reason done",
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(line: str) -> None:
    result = CliRunner().invoke(build(), [*line.split(), *NOWHERE])
    assert result.exit_code == 2, result.output


@pytest.mark.parametrize(
    "line",
    [
        *("explain", "dlq list", "dlq show", "dlq redrive"),
        *("orders stuck", "orders parked", "orders retry", "orders skip", "orders force"),
        *("orders pause", "orders resume"),
    ],
)
def test_the_help_shows_an_example_and_the_exit_codes(line: str) -> None:
    text = CliRunner().invoke(build(), [*line.split(), "--help"]).output
    assert "orderstream " + line in " ".join(text.split())
    assert "Exit codes: 0" in " ".join(text.split())
