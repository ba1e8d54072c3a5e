"""What is wrong with a pack."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where in the pack, e.g. ``("rules", 3, "when")``."""


class LintCode(StrEnum):
    """Stable names of mistakes."""

    BAD_PACK = "BAD_PACK"  # a value of the pack itself
    BAD_RULE = "BAD_RULE"  # a value of a rule
    BAD_EFFECT = "BAD_EFFECT"  # none, several, of another level, or a value that means nothing
    BAD_CONDITION = "BAD_CONDITION"  # it does not type-check
    UNKNOWN_RULE = "UNKNOWN_RULE"  # excludes or requires a rule that is not there
    CYCLE = "CYCLE"  # rules require each other
    TOO_LATE = "TOO_LATE"  # requires a rule that has its turn later
    CONTRADICTION = "CONTRADICTION"  # requires what it may not stand with
    UNREACHABLE = "UNREACHABLE"  # it can never apply
    OVERLAPPING_CODES = "OVERLAPPING_CODES"  # two rules take one code
    NO_FLOOR = "NO_FLOOR"  # goods can be given away, and nobody said that they may be
    EXAMPLE_FAILED = "EXAMPLE_FAILED"


class Finding(NamedTuple):
    """One mistake: of which rule (empty: the pack's), where, and what to do about it."""

    code: LintCode
    rule_id: str
    path: Path
    detail: str
