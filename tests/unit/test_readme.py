"""The README tells the truth: its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from topologies.cli import build

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"^orderstream [^#\n]+", README, re.M)))
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", README)))
TARGETS = sorted(set(re.findall(r"\bmake ([a-z][a-z-]*)", README)))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    path = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
    help_text = CliRunner().invoke(build(), [*path, "--help"]).output
    assert "Usage:" in help_text
    for option in (word for word in words if word.startswith("--")):
        assert option in help_text


@pytest.mark.parametrize("link", LINKS)
def test_a_link_of_the_readme_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_the_reading_order_has_seven_files() -> None:
    section = README.partition("## Follow one order")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\d\. \[", section, re.M)) == 7
