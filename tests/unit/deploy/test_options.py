"""Settings, options and endpoints of the stack."""

from pathlib import Path

import pytest

from deploy.errors import MissingError
from deploy.service import Service, log_tail
from deploy.settings import ENDPOINT_VARIABLES, DeploySettings
from deploy.stack import ALL_SERVERS, Endpoints, Options, artifacts_of, down, state, status
from deploy.supervisor import state_file


@pytest.fixture(autouse=True)
def _no_stack_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENDPOINT_VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORDERSTREAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ORDERSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ORDERSTREAM_KAFKA", "broker:9092")
    settings = DeploySettings()
    assert (settings.home, settings.cache) == (tmp_path / "home", tmp_path / "cache")
    assert settings.external() == {"kafka": "broker:9092"}


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSTREAM_REDIS", "")
    assert DeploySettings().external() == {}


def test_every_server_has_a_variable_that_names_a_running_one() -> None:
    assert set(ENDPOINT_VARIABLES) == set(ALL_SERVERS)


def test_a_server_named_in_the_environment_needs_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = artifacts_of(Options())
    monkeypatch.setenv("ORDERSTREAM_KAFKA", "broker:9092")
    left = artifacts_of(Options())
    assert {one.artifact for one in everything} - {one.artifact for one in left} > {"kafka_2.13"}


def test_an_unknown_server_is_refused() -> None:
    with pytest.raises(ValueError, match="no such server: oracle"):
        Options(servers=("kafka", "oracle"))


@pytest.mark.parametrize("names", [("kafka",), ("worker", "worker")])
def test_service_names_are_unique(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="must differ"):
        Options(services=tuple(Service(name=name, argv=("true",)) for name in names))


def test_endpoints_become_the_variables_by_which_a_child_finds_them() -> None:
    found = Endpoints({"kafka": "127.0.0.1:1", "redis": "redis://127.0.0.1:2/0"})
    assert found.kafka == "127.0.0.1:1"
    assert found.environ() == {
        "ORDERSTREAM_KAFKA": "127.0.0.1:1",
        "ORDERSTREAM_REDIS": "redis://127.0.0.1:2/0",
    }


def test_asking_for_a_server_the_stack_has_not_says_how_to_have_it() -> None:
    with pytest.raises(MissingError, match="ORDERSTREAM_MYSQL"):
        _ = Endpoints({}).mysql


def test_no_stack_is_running_where_there_is_no_state(tmp_path: Path) -> None:
    assert status(tmp_path) == []
    assert not down(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
def test_a_state_file_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    state_file(tmp_path).write_bytes(content)
    assert state(tmp_path) is None


def test_the_tail_of_a_log_begins_after_the_last_start(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    log.write_text("earlier run\n" + "".join(f"line {n}\n" for n in range(30)))
    assert log_tail(log, lines=2) == "line 28\nline 29"
    assert "earlier" not in log_tail(log, lines=100, start=len("earlier run\n"))
    assert log_tail(tmp_path / "none.log") == "(its log is empty)"
