"""Compiled twins of modules: found when they were built from exactly the sources that are here.

``deploy/native.py`` compiles the hot modules into the environment, one folder for each state of the
sources, and notes the digest of each source in ``sources.json``. Editing one of them hides all
twins: the modules run as plain Python again until the next build, the same but slower.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

BUILDS = Path(sys.prefix, "native")
PROJECT = Path(__file__).parent.parent


def enable() -> bool:
    """Let imports find the twins of the present sources; return whether there are any."""
    if any(isinstance(finder, _Twins) for finder in sys.meta_path):
        return True
    builds = {path: json.loads(path.read_bytes()) for path in BUILDS.glob("*/sources.json")}
    fitting = [path for path, noted in builds.items() if _is_of(noted, PROJECT)]
    if not fitting:
        return False
    # A checkout that compiles fewer modules may have left a build that fits as well.
    fullest = max(sorted(fitting), key=lambda path: len(builds[path]))
    sys.meta_path.insert(0, _Twins(fullest.parent))
    return True


def _is_of(sources: dict[str, str], project: Path) -> bool:
    """Tell whether every source, by its path in the project, has the noted SHA-256."""
    try:
        return all(
            hashlib.sha256((project / path).read_bytes()).hexdigest() == digest
            for path, digest in sources.items()
        )
    except OSError:
        return False


class _Twins(MetaPathFinder):
    def __init__(self, folder: Path) -> None:
        suffix = EXTENSION_SUFFIXES[0]
        self._files = {
            str(file.relative_to(folder)).removesuffix(suffix).replace("/", "."): file
            for file in folder.rglob(f"*{suffix}")
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self._files.get(fullname)
        return None if file is None else spec_from_file_location(fullname, file)
