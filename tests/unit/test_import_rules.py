"""The import rules of pyproject.toml cover every package that exists."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
OUTSIDE_THE_RULES = {"tests"}


def _packages(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*/__init__.py")}


def test_every_package_is_under_the_rules() -> None:
    assert set(RULES["root_packages"]) == _packages(ROOT) - OUTSIDE_THE_RULES


def test_every_package_of_decisions_is_kept_pure() -> None:
    (pure,) = (one for one in RULES["contracts"] if "Decisions" in one["name"])
    decisions = _packages(ROOT / "streams") - {"engine"}
    assert {f"streams.{name}" for name in decisions} <= set(pure["source_modules"])


def test_deploy_may_import_none_of_the_others() -> None:
    (alone,) = (one for one in RULES["contracts"] if "deploy" in one["name"])
    assert set(alone["forbidden_modules"]) == set(RULES["root_packages"]) - {"deploy"}
