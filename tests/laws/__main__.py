"""Plays histories against the laws: ``python -m tests.laws``.

    --seed N          the history of one seed
    --seeds A:B       those of the seeds from A to B - 1; for nights
    --history TEXT    one that a failing test printed

Says what is broken, after how few of the steps it still is, and how to play that again. Exit code 1
when anything is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable

from tests.laws.history import History, from_seed, parse
from tests.laws.laws import broken
from tests.laws.reproduce import command, shortened

_PROGRESS_S = 5.0


def main() -> int:
    """Play what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int)
    which.add_argument("--seeds", type=_range)
    which.add_argument("--history", type=parse)
    options = parser.parse_args()
    if options.history is not None:
        return _play([("the history", options.history)])
    seeds = [options.seed] if options.seed is not None else options.seeds
    return _play((f"seed {seed}", from_seed(seed)) for seed in seeds)


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end))


def _play(histories: Iterable[tuple[str, History]]) -> int:
    failures = played = 0
    started_s = said_s = time.monotonic()
    for name, history in histories:
        played += 1
        if found := broken(history):
            failures += 1
            shorter = shortened(history)
            print(f"{name} breaks the laws:", *found, sep="\n  ")
            print(f"{len(shorter.steps)} of its {len(history.steps)} steps are enough:")
            print(*broken(shorter), sep="\n  ")
            print(command(shorter), flush=True)
        now_s = time.monotonic()
        if now_s - said_s > _PROGRESS_S:
            said_s = now_s
            print(f"{played} histories, {played / (now_s - started_s):.1f}/s", file=sys.stderr)
    print(f"{played} histories played, {failures} broke a law")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
