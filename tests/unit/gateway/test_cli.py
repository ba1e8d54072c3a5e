"""The command `gateway` reads its faults before it looks for any server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from topologies.cli import gateway
from topologies.gateway import Callback, Faults


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the gateway was started with, instead of starting it."""
    started: list[tuple[Any, ...]] = []

    def start(
        kafka: str, registry: str, faults: Faults, *, seed: int, callback: Callback | None
    ) -> None:
        started.append((kafka, registry, faults, seed, callback))

    monkeypatch.setattr("topologies.gateway.run_gateway", start)
    monkeypatch.setattr("topologies.logs.configure_logging", lambda: None)
    return started


def _run(*arguments: str) -> int:
    app = typer.Typer()
    gateway.register(app)
    servers = ("--kafka", "there:9092", "--registry", "http://there")
    return CliRunner().invoke(app, [*servers, *arguments]).exit_code


def test_every_option_reaches_the_faults(ran: list[tuple[Any, ...]]) -> None:
    text = (
        "--slow-ms 50-400 --duplicate 0.1 --reordered 0.2 --lost 0.3 --unknown 0.4 --declined 0.5"
        " --refund-failed 0.6 --lost-resend-ms 700 --late-ms 800 --silent 0.7 --seed 9"
    )
    assert _run(*text.split()) == 0
    faults = Faults((50, 400), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 700, 800, 0.7)
    assert ran == [("there:9092", "http://there", faults, 9, None)]


def test_without_options_nothing_goes_wrong(ran: list[tuple[Any, ...]]) -> None:
    assert _run() == 0
    assert ran == [("there:9092", "http://there", Faults(), 0, None)]


def test_one_number_is_a_range_of_one(ran: list[tuple[Any, ...]]) -> None:
    assert _run("--slow-ms", "300") == 0
    assert ran[0][2].slow_ms == (300, 300)


@pytest.mark.parametrize(
    "wrong", ["--slow-ms=9-1", "--slow-ms=x", "--slow-ms=-5", "--lost=1.5", "--late-ms=-1"]
)
def test_what_cannot_be_is_wrong_usage(ran: list[tuple[Any, ...]], wrong: str) -> None:
    assert _run(wrong) == 2
    assert ran == []


def test_with_a_callback_reports_are_signed_with_the_secret_in_the_file(
    ran: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secrets" / "sim"
    monkeypatch.setenv("ORDERSTREAM_GATEWAY_SIM_SECRET", str(secret))
    assert _run("--callback", "http://api/callbacks/sim") == 0
    assert ran[0][4] == Callback("http://api/callbacks/sim", secret.read_bytes())
    assert secret.stat().st_mode & 0o777 == 0o600


def test_without_a_secret_nothing_is_reported_to_a_callback(ran: list[tuple[Any, ...]]) -> None:
    assert _run("--callback", "http://api/callbacks/sim") != 0
    assert ran == []
