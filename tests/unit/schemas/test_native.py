"""Compiled twins of modules are used for exactly the sources that they were built from."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from deploy.native import MODULES, PROJECT, lacking
from schemas import native

SOURCE = "value = 1\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one source, and a build of it that nobody has to load."""
    (tmp_path / "hot.py").write_text(SOURCE)
    build = tmp_path / "native" / "one"
    build.mkdir(parents=True)
    (build / f"hot{EXTENSION_SUFFIXES[0]}").touch()
    (build / "sources.json").write_text(json.dumps({"hot.py": sha256(SOURCE.encode()).hexdigest()}))
    monkeypatch.setattr(native, "PROJECT", tmp_path)
    monkeypatch.setattr(native, "BUILDS", tmp_path / "native")
    monkeypatch.setattr(sys, "meta_path", [])
    return tmp_path


def test_a_twin_of_the_present_source_is_found(project: Path) -> None:
    assert native.enable()
    (finder,) = sys.meta_path
    spec = finder.find_spec("hot", None)
    assert spec is not None
    assert spec.origin == str(project / "native" / "one" / f"hot{EXTENSION_SUFFIXES[0]}")
    assert finder.find_spec("cold", None) is None


def test_a_twin_of_another_source_is_not(project: Path) -> None:
    (project / "hot.py").write_text("value = 2\n")
    assert not native.enable()
    assert sys.meta_path == []


def test_a_twin_of_a_source_that_is_gone_is_not(project: Path) -> None:
    (project / "hot.py").unlink()
    assert not native.enable()


@pytest.mark.skipif(lacking() is not None, reason=f"nothing can be compiled here: {lacking()}")
def test_the_hot_modules_of_this_checkout_run_compiled() -> None:
    """`make test` builds them first; plain pytest after an edit has to as well."""
    subprocess.run([sys.executable, "-m", "deploy.native"], cwd=PROJECT, check=True)
    names = [path.removesuffix(".py").replace("/", ".") for path in MODULES]
    program = (
        f"import importlib; [print(importlib.import_module(name).__file__) for name in {names}]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    files = done.stdout.splitlines()
    assert len(files) == len(MODULES)
    assert all(file.startswith(str(native.BUILDS)) for file in files)
