"""The commands that need no servers: their words, their JSON, their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from topologies.cli import build

FESTIVAL = "docs/packs/festival.yaml"
NOWHERE = ("--kafka", "127.0.0.1:1", "--registry", "http://127.0.0.1:1")

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A copy of the festival's pack, to write mistakes into."""
    path = tmp_path / "draft.yaml"
    path.write_text(Path(FESTIVAL).read_text())
    return path


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(build(), ["rules", *words])
    return result.exit_code, result.output


@pytest.mark.parametrize("word", ["lint", "test", "show", "diff", "publish", "schema"])
def test_the_help_shows_an_example_and_the_exit_codes(word: str) -> None:
    text = " ".join(run(word, "--help")[1].split())
    assert f"orderstream rules {word}" in text
    assert "Exit codes: 0" in text


def test_lint_names_file_line_rule_and_what_to_do(draft: Path) -> None:
    assert run("lint", FESTIVAL) == (0, f"{FESTIVAL}: 9 rules, 3 examples, no mistakes\n")
    text = draft.read_text()
    draft.write_text(text.replace("when: cart.fen >= 9_900", "when: cart.fen >= lots"))
    line = text[: text.index("when: cart.fen >= 9_900")].count("\n") + 1

    code, told = run("lint", str(draft))

    assert code == 1
    assert told == (
        f"{draft}:{line}: rule free-freight: when: compare a name with a constant (column 1) "
        "(BAD_CONDITION)\n"
    )
    assert json.loads(run("lint", "--json", str(draft))[1])[0]["line"] == line


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    assert run("lint", "nowhere.yaml")[0] == 2


def test_the_examples_are_priced_and_explained(draft: Path) -> None:
    code, told = run("test", FESTIVAL)
    assert code == 0
    assert "full-300-minus-40: spend 140.00 more on its goods\n" in told
    draft.write_text(draft.read_text().replace("total_fen: 9500", "total_fen: 9400"))
    code, told = run("test", str(draft))
    assert code == 1
    assert "costs 9500, not 9400 (applied: morning, welcome)" in told


def test_a_pack_with_mistakes_is_not_published(draft: Path) -> None:
    draft.write_text(draft.read_text().replace("total_fen: 9500", "total_fen: 9400"))
    code, told = run("publish", str(draft), *NOWHERE)
    assert code == 1
    assert f"{draft} is not published" in told


def test_without_servers_nothing_is_published() -> None:
    assert run("publish", FESTIVAL, *NOWHERE)[0] == 3


def test_diff_tells_rule_by_rule_what_is_different(draft: Path) -> None:
    text = (
        draft.read_text()
        .replace("bp: 2000}", "bp: 2500}")
        .replace("socks\n    title", "gift\n    title")
    )
    draft.write_text(text.replace("floor_bp: 2000", "floor_bp: 1500"))

    before, after = ({"percent_off": {"bp": bp, "up_to_fen": 0}} for bp in (2_000, 2_500))
    code, told = run("diff", FESTIVAL, str(draft))

    assert (code, told.splitlines()) == (
        0,
        [
            "pack: floor_bp: 2000 -> 1500",
            "gift: rule: not there -> there",
            f"sneaker-sale: effect: {before} -> {after}",
            "socks: rule: there -> not there",
        ],
    )
    assert run("diff", FESTIVAL, FESTIVAL) == (0, "no difference\n")


def test_show_lists_the_rules_in_the_order_of_their_turns() -> None:
    code, told = run("show", FESTIVAL)
    assert code == 0
    assert [line.split()[2] for line in told.splitlines()[1:]] == [
        *("member-price:", "second-hat-half:", "sneaker-sale:", "full-300-minus-40:", "morning:"),
        *("welcome:", "double-points:", "free-freight:", "socks:"),
    ]
    assert json.loads(run("show", "--json", FESTIVAL)[1])["pack_id"] == "festival"
