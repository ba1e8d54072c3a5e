"""The commands of the embedded stack, without servers."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from topologies.cli import build, main

COMMANDS = [
    command.name or command.callback.__name__
    for command in build().registered_commands
    if command.callback
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is installed and nothing runs for this user."""
    monkeypatch.setenv("ORDERSTREAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ORDERSTREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def app() -> typer.Typer:
    return build()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_its_exit_codes_and_json(
    app: typer.Typer, command: str
) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    for part in (f"Example: orderstream {command}", "Exit codes: 0"):
        assert part in result.output
    # A process that runs on has no result to print: it logs JSON lines.
    assert "--json" in result.output or "JSON lines" in result.output


def test_status_without_a_stack_exits_with_3_and_says_how_to_start_one(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 3
    assert "orderstream up" in result.output


def test_down_without_a_stack_is_no_failure(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["down", "--json"])
    assert (result.exit_code, json.loads(result.output)) == (0, {"stopped": False})


def test_an_unknown_server_is_wrong_usage(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["up", "--only", "oracle"])
    assert result.exit_code == 2
    assert "oracle" in result.output


def test_doctor_names_each_missing_server_and_the_command_that_brings_it(
    app: typer.Typer, home: Path
) -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    findings = {one["subject"]: one for one in json.loads(result.output)}
    assert result.exit_code == 3
    for server in ("kafka", "registry", "mysql"):
        assert findings[server]["mend"] == "orderstream doctor --fetch"
        assert str(home / "cache") in findings[server]["detail"]
    assert findings["redis"]["ok"]


def test_an_address_where_nothing_answers_is_found_by_doctor(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERSTREAM_REDIS", "redis://127.0.0.1:1/0")
    result = CliRunner().invoke(app, ["doctor", "--json"])
    findings = {one["subject"]: one for one in json.loads(result.output)}
    assert not findings["redis"]["ok"]
    assert "unset ORDERSTREAM_REDIS" in findings["redis"]["mend"]


def test_what_is_missing_ends_in_exit_code_3_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A mirror where nothing listens: the fetch fails at once, and nothing leaves the machine.
    monkeypatch.setenv("ORDERSTREAM_MAVEN", "http://127.0.0.1:1/")
    monkeypatch.setattr("sys.argv", ["orderstream", "up", "--only", "registry"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "could not be downloaded" in capsys.readouterr().err
