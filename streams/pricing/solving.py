"""What a condition excludes: whether it can hold at all, and what it leaves a name to be."""

from __future__ import annotations

from typing import Any

from streams.pricing.expression import AnyOf, Comparison, Kind, Name, Tree, Vocabulary

_MAX_CASES = 256
"""Cases of ``or`` that are looked at, one by one: 8 pairs joined by ``and`` make 256."""


def can_hold(tree: Tree, vocabulary: Vocabulary) -> bool:
    """Tell whether some values make the condition hold; True also when that would take too long."""
    cases = _cases(tree)
    return cases is None or any(_consistent(case, vocabulary) for case in cases)


def allowed(tree: Tree, name: str) -> frozenset[Any] | None:
    """Return the constants that ``name`` must be one of for the condition to hold; None: any."""
    if isinstance(tree, Comparison):
        if tree.name != name:
            return None
        if tree.op == "==":
            return frozenset({tree.value})
        return tree.value if tree.op == "in" else None
    found = [allowed(term, name) for term in tree.terms]
    if isinstance(tree, AnyOf):
        bounded = [one for one in found if one is not None]
        return frozenset().union(*bounded) if len(bounded) == len(found) else None
    left: frozenset[Any] | None = None
    for one in found:
        if one is not None:
            left = one if left is None else left & one
    return left


def _cases(tree: Tree) -> list[tuple[Comparison, ...]] | None:
    """Return the condition as cases, each of tests that must all hold; None: too many."""
    if isinstance(tree, Comparison):
        return [(tree,)]
    parts = [_cases(term) for term in tree.terms]
    cases: list[tuple[Comparison, ...]] = [] if isinstance(tree, AnyOf) else [()]
    for part in parts:
        if part is None:
            return None
        if isinstance(tree, AnyOf):
            cases = cases + part
        else:
            cases = [(*case, *other) for case in cases for other in part]
        if len(cases) > _MAX_CASES:
            return None
    return cases


def _consistent(case: tuple[Comparison, ...], vocabulary: Vocabulary) -> bool:
    by_name: dict[str, list[Comparison]] = {}
    for test in case:
        by_name.setdefault(test.name, []).append(test)
    return all(_satisfiable(vocabulary[name], tests) for name, tests in by_name.items())


def _satisfiable(name: Name, tests: list[Comparison]) -> bool:
    """Tell whether one value of ``name`` passes all tests."""
    if name.kind in (Kind.INTS, Kind.TEXTS):
        has = {test.value for test in tests if test.op == "has"}
        lacks = {test.value for test in tests if test.op == "lacks"}
        return not has & lacks
    choices: set[Any] | None = None
    barred: set[Any] = set()
    for test in tests:
        if test.op in ("==", "in"):
            values = {test.value} if test.op == "==" else set(test.value)
            choices = values if choices is None else choices & values
        elif test.op in ("!=", "not in"):
            barred |= {test.value} if test.op == "!=" else set(test.value)
    if name.kind is Kind.TEXT:
        return choices is None or bool(choices - barred)
    low, high = _span(name, tests)
    if choices is not None:
        return any(c >= low and not (high is not None and c > high) for c in choices - barred)
    if high is None:
        return True
    # Only an interval that the barred values fill up has nothing left.
    return high - low + 1 > len([value for value in barred if low <= value <= high])


def _span(name: Name, tests: list[Comparison]) -> tuple[int, int | None]:
    """Return the least and the greatest integer (None: no bound) that the tests leave."""
    low, high = name.low or 0, name.high
    for test in tests:
        if test.op in (">", ">="):
            low = max(low, test.value + (test.op == ">"))
        elif test.op in ("<", "<="):
            bound = test.value - (test.op == "<")
            high = bound if high is None else min(high, bound)
    return low, high
