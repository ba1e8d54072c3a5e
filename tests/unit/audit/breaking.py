"""Ways to break a lawful history in one place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.audit.history import History
from topologies.audit.laws import Law

Break = Callable[[History], None]
NOW, FINAL = False, True


def unlawful(law: Law, break_: Break, final: bool = True, id_: str = "") -> object:
    return pytest.param(law, break_, final, id=f"{law}-{id_}" if id_ else str(law))


def both(*breaks: Break) -> Break:
    def apply(history: History) -> None:
        for one in breaks:
            one(history)

    return apply


def lost_version(name: str, field: str = "version", by: int = 1) -> Break:
    def apply(history: History) -> None:
        fact = history.facts[history.find(name)][2]
        fact[field] += by

    return apply


def rename(history: History, to: str, name: str | None = None, nth: int = 0) -> None:
    at = len(history.facts) - 1 if name is None else history.find(name, nth)
    topic, _, fact = history.facts[at]
    history.facts[at] = (topic, to, fact)
