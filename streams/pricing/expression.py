"""The language of conditions: names compared with constants, joined by ``and``, ``or``, ``not``.

    cart.fen >= 20_000 and member.level in (2, 3) and not "outlet" in cart.categories

The grammar is Python's, read by ``ast``; the meaning is ours, and nothing is ever evaluated as
Python. Each comparison has a name on one side and constants on the other, so that a condition can
be checked for types, solved for what it excludes, and told to a buyer term by term. There are no
calls, no arithmetic and no loops: it always ends, at once, with the same answer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

MAX_LENGTH = 1_000
"""Characters of a condition: 15 terms of 60 characters each."""

MAX_INT = 2**63 - 1

Environment: TypeAlias = list[Any]
"""The values of the names of one vocabulary, by slot."""

Check: TypeAlias = Callable[[Environment], bool]


class Kind(Enum):
    """Types of names."""

    INT = "an integer"
    TEXT = "a text"
    INTS = "a set of integers"
    TEXTS = "a set of texts"


class Name(NamedTuple):
    """A name: where its value lies and which integers it can be at all (None: no bound)."""

    slot: int
    kind: Kind
    low: int | None = None
    high: int | None = None


Vocabulary: TypeAlias = Mapping[str, Name]


class Comparison(NamedTuple):
    """``name op value``; for ``in`` and ``not in`` the value is a frozenset of constants.

    ``has`` and ``lacks`` ask whether the set called ``name`` contains the value.
    """

    name: str
    op: str
    value: Any


class AllOf(NamedTuple):
    """Every term holds; without terms: true."""

    terms: tuple[Tree, ...]


class AnyOf(NamedTuple):
    """Some term holds; without terms: false."""

    terms: tuple[Tree, ...]


Tree: TypeAlias = Comparison | AllOf | AnyOf

ALWAYS = AllOf(())


class BadExpression(Exception):
    """A condition that means nothing; ``column`` (from 1) is where, when that is known."""

    def __init__(self, detail: str, column: int | None = None) -> None:
        super().__init__(detail if column is None else f"{detail} (column {column})")
        self.column = column


_OPS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "in": "not in",
    "not in": "in",
    "has": "lacks",
    "lacks": "has",
}
_ORDERED = frozenset({"<", "<=", ">", ">="})


def parse(text: str, vocabulary: Vocabulary) -> Tree:
    """Return the condition in ``text``, checked for types; an empty text always holds.

    Negations are pushed down to the comparisons. Raises BadExpression with what to write instead.
    """
    text = text.strip()
    if not text:
        return ALWAYS
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"{len(text)} characters; write at most {MAX_LENGTH}")
    if "\\" in text or not text.isprintable():
        raise BadExpression("write it on one line, without backslashes")
    try:
        body = ast.parse(text, mode="eval").body
        return _tree(body, vocabulary, negated=False)
    except SyntaxError as error:
        raise BadExpression(f"not an expression: {error.msg}", error.offset) from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise BadExpression("nested too deeply; write it flatter") from error


def compile_tree(tree: Tree, vocabulary: Vocabulary) -> Check:
    """Return a function that tells whether the condition holds in an environment."""
    if isinstance(tree, Comparison):
        return _compile_comparison(vocabulary[tree.name].slot, tree.op, tree.value)
    checks = tuple(compile_tree(term, vocabulary) for term in tree.terms)
    if len(checks) == 1:
        return checks[0]
    if isinstance(tree, AllOf):
        return lambda env: all(check(env) for check in checks)
    return lambda env: any(check(env) for check in checks)


def conjuncts(tree: Tree) -> tuple[Tree, ...]:
    """Return the terms that must all hold."""
    if isinstance(tree, AllOf):
        return tuple(part for term in tree.terms for part in conjuncts(term))
    return (tree,)


def names(tree: Tree) -> frozenset[str]:
    """Return the names that the condition reads."""
    if isinstance(tree, Comparison):
        return frozenset({tree.name})
    return frozenset(name for term in tree.terms for name in names(term))


def text_of(tree: Tree) -> str:
    """Return the condition as text, the same for all ways of writing it."""
    if isinstance(tree, Comparison):
        return _text_of_comparison(tree)
    if not tree.terms:
        return "always" if isinstance(tree, AllOf) else "never"
    word = " and " if isinstance(tree, AllOf) else " or "
    return word.join(
        f"({text_of(term)})" if isinstance(term, AllOf | AnyOf) else text_of(term)
        for term in tree.terms
    )


def _text_of_comparison(test: Comparison) -> str:
    if test.op in ("has", "lacks"):
        return f"{test.value!r} {'in' if test.op == 'has' else 'not in'} {test.name}"
    if isinstance(test.value, frozenset):
        return f"{test.name} {test.op} ({', '.join(map(repr, sorted(test.value)))})"
    return f"{test.name} {test.op} {test.value!r}"


def _tree(node: ast.expr, vocabulary: Vocabulary, *, negated: bool) -> Tree:
    if isinstance(node, ast.BoolOp):
        terms = tuple(_tree(value, vocabulary, negated=negated) for value in node.values)
        return AllOf(terms) if isinstance(node.op, ast.And) is not negated else AnyOf(terms)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _tree(node.operand, vocabulary, negated=not negated)
    if isinstance(node, ast.Compare):
        return _chain(node, vocabulary, negated=negated)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ALWAYS if node.value is not negated else AnyOf(())
    if _name_in(node) is not None:
        raise BadExpression(
            "a name alone is no condition; compare it with something", _column(node)
        )
    raise BadExpression(
        "write comparisons joined by and, or, not; no calls and no arithmetic", _column(node)
    )


def _chain(node: ast.Compare, vocabulary: Vocabulary, *, negated: bool) -> Tree:
    """Return a chain of comparisons: ``a <= b < c`` is ``a <= b and b < c``."""
    sides = [node.left, *node.comparators]
    tests: list[Tree] = []
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        word = _OPS.get(type(op))
        if word is None:
            raise BadExpression("compare with ==, !=, <, <=, >, >=, in, not in", _column(node))
        test = _comparison(left, word, right, vocabulary)
        tests.append(test._replace(op=_NEGATED[test.op]) if negated else test)
    if len(tests) == 1:
        return tests[0]
    return AnyOf(tuple(tests)) if negated else AllOf(tuple(tests))


def _comparison(left: ast.expr, op: str, right: ast.expr, vocabulary: Vocabulary) -> Comparison:
    of_left, of_right = _name_in(left), _name_in(right)
    if (of_left is None) == (of_right is None):
        raise BadExpression("compare a name with a constant", _column(left))
    if op in ("in", "not in"):
        return _membership(left, op, right, vocabulary)
    called, other = (left, right) if of_left is not None else (right, left)
    text, name = _known(called, vocabulary)
    if name.kind in (Kind.INTS, Kind.TEXTS):
        raise BadExpression(f"{text} is {name.kind.value}; write: 1 in {text}", _column(called))
    if op in _ORDERED and name.kind is not Kind.INT:
        raise BadExpression(f"{text} is a text; compare it with ==, != or in", _column(called))
    value = _constant(other, name.kind, text)
    return Comparison(text, op if called is left else _FLIPPED[op], value)


def _membership(left: ast.expr, op: str, right: ast.expr, vocabulary: Vocabulary) -> Comparison:
    if _name_in(left) is None:
        text, name = _known(right, vocabulary)
        if name.kind not in (Kind.INTS, Kind.TEXTS):
            raise BadExpression(f"{text} is {name.kind.value}, not a set", _column(right))
        element = Kind.INT if name.kind is Kind.INTS else Kind.TEXT
        return Comparison(text, "has" if op == "in" else "lacks", _constant(left, element, text))
    text, name = _known(left, vocabulary)
    if name.kind in (Kind.INTS, Kind.TEXTS):
        raise BadExpression(f"{text} is {name.kind.value}; write: 1 in {text}", _column(left))
    if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
        raise BadExpression(f"write a list of constants: {text} {op} (1, 2)", _column(right))
    return Comparison(text, op, frozenset(_constant(one, name.kind, text) for one in right.elts))


def _name_in(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _known(node: ast.expr, vocabulary: Vocabulary) -> tuple[str, Name]:
    text = _name_in(node)
    if text is None:
        raise BadExpression("compare a name with a constant", _column(node))
    if text not in vocabulary:
        known = ", ".join(vocabulary)
        raise BadExpression(f"there is no {text} here; known: {known}", _column(node))
    return text, vocabulary[text]


def _constant(node: ast.expr, kind: Kind, text: str) -> int | str:
    value = node.value if isinstance(node, ast.Constant) else None
    if kind is Kind.INT and type(value) is int and value <= MAX_INT:
        return value
    if kind is Kind.TEXT and isinstance(value, str):
        return value
    wanted = "an integer of 0 or more" if kind is Kind.INT else "a text in quotes"
    raise BadExpression(f"{text} is compared with {wanted}", _column(node))


def _column(node: ast.expr) -> int:
    return node.col_offset + 1


def _compile_comparison(slot: int, op: str, value: Any) -> Check:
    checks: dict[str, Check] = {
        "==": lambda env: bool(env[slot] == value),
        "!=": lambda env: bool(env[slot] != value),
        "<": lambda env: bool(env[slot] < value),
        "<=": lambda env: bool(env[slot] <= value),
        ">": lambda env: bool(env[slot] > value),
        ">=": lambda env: bool(env[slot] >= value),
        "in": lambda env: env[slot] in value,
        "not in": lambda env: env[slot] not in value,
        "has": lambda env: value in env[slot],
        "lacks": lambda env: value not in env[slot],
    }
    return checks[op]
