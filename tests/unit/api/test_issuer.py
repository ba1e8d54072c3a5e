"""The development issuer: one key for all, for this user alone, and never beside a real one."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from jwt import get_unverified_header
from typer.testing import CliRunner

from api.auth import Authenticator, Scope
from api.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from api.keys import Keys, source
from topologies.cli import build


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDERSTREAM_HOME", str(tmp_path))
    monkeypatch.delenv("ORDERSTREAM_API_JWKS", raising=False)
    return tmp_path


def test_a_printed_token_is_good_for_the_api_of_the_stack(home: Path) -> None:
    words = ["token", "--shop", "3", "--user", "7", "--scope", "customer", "--scope", "shop"]
    printed = CliRunner().invoke(build(), words)
    assert printed.exit_code == 0
    keys = Keys(source(str(DevelopmentIssuer(home).jwks)))
    who = asyncio.run(Authenticator(keys, ISSUER, AUDIENCE).verify(printed.stdout.strip()))
    scopes = frozenset({Scope.CUSTOMER, Scope.SHOP})
    assert (who.shop_id, who.user_id, who.scopes) == (3, 7, scopes)


def test_the_private_key_is_for_its_user_alone_and_stays(home: Path) -> None:
    first = DevelopmentIssuer(home)
    kept = (home / "issuer" / "key.pem").read_bytes()
    assert (home / "issuer" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (home / "issuer").stat().st_mode & 0o777 == 0o700
    published = json.loads(first.jwks.read_bytes())
    assert "d" not in published["keys"][0]
    assert DevelopmentIssuer(home).jwks.read_bytes() == first.jwks.read_bytes()
    assert (home / "issuer" / "key.pem").read_bytes() == kept
    assert sorted(path.name for path in (home / "issuer").iterdir()) == ["jwks.json", "key.pem"]


def test_processes_that_start_at_once_agree_on_the_key(home: Path) -> None:
    together = Barrier(4)

    def start(_: int) -> str:
        together.wait()
        kid: str = get_unverified_header(DevelopmentIssuer(home).token(1, 7, [], 1))["kid"]
        return kid

    with ThreadPoolExecutor(4) as pool:
        kids = set(pool.map(start, range(4)))
    assert kids == {json.loads((home / "issuer" / "jwks.json").read_bytes())["keys"][0]["kid"]}


def test_no_token_is_made_when_the_api_takes_those_of_another_issuer(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERSTREAM_API_JWKS", "https://issuer.example/jwks")
    refused = CliRunner().invoke(build(), ["token"])
    assert refused.exit_code == 1
    assert "ORDERSTREAM_API_JWKS" in refused.stderr
    assert not (home / "issuer").exists()


@pytest.mark.parametrize(
    "words",
    [["--scope", "boss"], ["--shop", "0"], ["--user", "0"], ["--hours", "0"], ["--shop", "-1"]],
)
def test_a_token_that_would_not_be_good_is_wrong_usage(home: Path, words: list[str]) -> None:
    assert CliRunner().invoke(build(), ["token", *words]).exit_code == 2
