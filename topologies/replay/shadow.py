"""Shadow run: new code reads the live log beside the running system and never writes.

It starts from the recorded inbox, so that it has its own state, and then follows; its decisions
are compared with what the system has put out.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.kernel.stage import Stage
from topologies.replay.verifying import Progress, Verdict, Verification

_ROUND_S = 1.0  # as often as workers checkpoint: before that there is nothing new to compare


class NoSuchCode(Exception):
    """What is to run in the shadow cannot be found; the message says what was looked for."""


def follow(
    verification: Verification,
    seconds: float,
    found: Callable[[Verdict], None],
    progress: Progress | None = None,
) -> list[Verdict]:
    """Compare what is recorded, then for ``seconds`` what is added; return the last verdicts.

    ``found`` is told of a stage partition when its first difference is seen. Raises what
    `Verification.round` raises.
    """
    known: set[tuple[str, int]] = set()
    until_s: float | None = None
    while True:
        verification.round(progress)
        verdicts = verification.verdicts()
        for verdict in verdicts:
            at = (verdict.stage, verdict.partition)
            if not verdict.ok and at not in known:
                known.add(at)
                found(verdict)
        now_s = time.monotonic()
        until_s = now_s + seconds if until_s is None else until_s
        if now_s >= until_s:
            return verdicts
        time.sleep(min(_ROUND_S, until_s - now_s))


def stages_of(source: str) -> list[Stage]:
    """Return what ``module:function`` builds: a stage, or several. Raises NoSuchCode."""
    module, _, name = source.partition(":")
    try:
        build = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NoSuchCode(f"{source} is neither a folder nor a module:function: {error}") from error
    built: Stage | Sequence[Stage] = build()
    return list(built) if isinstance(built, Sequence) else [built]


def run_elsewhere(folder: Path, arguments: Sequence[str]) -> int:
    """Run this command with the code of another checkout; return its exit code.

    Raises NoSuchCode when the folder holds no such code.
    """
    if not (folder / "topologies" / "replay" / "shadow.py").is_file():
        raise NoSuchCode(f"{folder} is no checkout of this system that knows shadow runs")
    here = str(folder.resolve())
    return subprocess.run(
        [sys.executable, "-m", "topologies.cli", "replay", "shadow", *arguments],
        cwd=here,
        env={**os.environ, "PYTHONPATH": here},
        check=False,
    ).returncode
