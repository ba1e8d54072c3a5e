"""Compiles the hot modules to machine code by mypyc: ``python -m deploy.native``.

The result lies in the environment (``.venv/native``), beside no source; ``schemas/native.py`` lets
imports find it. Without a C compiler or Python's headers the system runs uncompiled, the same but
slower.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent
BUILDS = Path(sys.prefix, "native")
MODULES = (
    "schemas/codec.py",
    "schemas/wire.py",
    "streams/engine/cause.py",
    "streams/engine/changelog.py",
    "streams/engine/fold.py",
    "streams/engine/outputs.py",
    "streams/engine/store.py",
    "streams/pricing/basket.py",
    "streams/pricing/compiled.py",
    "streams/pricing/effects.py",
    "streams/pricing/items.py",
    "streams/pricing/outcome.py",
    "streams/pricing/price.py",
    "streams/pricing/promote.py",
    "streams/pricing/rounding.py",
    "streams/pricing/search.py",
    "streams/pricing/turns.py",
)


def lacking() -> str | None:
    """Say what a build lacks on this machine; None: nothing."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if not (os.environ.get("CC") or shutil.which(compiler)):
        return f"no C compiler ({compiler}); on Debian: apt-get install gcc"
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if not header.exists():
        return f"no {header.name}; on Debian: apt-get install python3-dev"
    return None


def install() -> None:
    """Install what a build lacks where that is allowed: as root on a Debian-like system."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        packages = ("gcc", "libc6-dev", f"libpython{version}-dev")
        print(f"native: apt-get install {' '.join(packages)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (("update", "-qq"), ("install", "-y", "-qq", *packages)):
            subprocess.run(
                ("apt-get", *command), env=environment, stdout=subprocess.DEVNULL, check=False
            )


def build() -> None:
    """Compile the modules as they are now, unless that was done.

    Older builds stay: other checkouts may share the environment.
    """
    noted = json.dumps({path: _digest((PROJECT / path).read_bytes()) for path in MODULES}, indent=2)
    folder = BUILDS / _digest(noted.encode())[:16]
    if folder.exists():
        return
    print("native: compiling the hot modules (once for each state of their sources)", flush=True)
    BUILDS.mkdir(exist_ok=True)
    # In one file system with its place, so that it gets there whole or not at all.
    with tempfile.TemporaryDirectory(dir=BUILDS) as scratch:
        built = Path(scratch, "lib")
        _compile(Path(scratch), built)
        (built / "sources.json").write_text(noted)
        built.rename(folder)


def _compile(scratch: Path, built: Path) -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution

    os.chdir(PROJECT)
    extensions = mypycify(
        [*MODULES], opt_level="3", group_name="orderstream", target_dir=str(scratch / "c")
    )
    distribution = Distribution({"name": "orderstream-native", "ext_modules": extensions})
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(built), str(scratch / "o")
    command.ensure_finalized()
    command.run()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Build, and say so; exit code 0 also where a build is not possible: it only costs speed."""
    if lacking() is not None:
        install()
    if (why := lacking()) is not None:
        print(f"native: {why}. Until then the system runs uncompiled: the same, but slower")
        return
    build()


if __name__ == "__main__":
    main()
