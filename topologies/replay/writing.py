"""Writes a capsule as a test file that people can read and pytest can run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from schemas.record import Record
from topologies.replay.capsule import Change, Sent, Step

_HEAD = '''"""Order {order_no} as the running system decided it, step by step from its inboxes.

Made by `orderstream replay capsule {order_no}`. Run it with pytest in the project's folder: it is
green when today's code decides the same, and names the first step that is decided otherwise.
"""

{imports}
LIMITS = OrderLimits(payment_window_ms={payment_window_ms})
"""Those of the run."""

STEPS = (
{steps})


def test_order_{name}_is_decided_as_it_was() -> None:
    player = Player(stages(LIMITS), {order_no!r})
    for step in STEPS:
        assert player.play(step) == list(step.then), step.where
'''
_INDENT = "    "
_WIDTH = 96


def test_file(order_no: str, steps: Sequence[Step], payment_window_ms: int) -> str:
    """Return the text of the test file."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    names["streams.orders"].add("OrderLimits")
    names["topologies.pipeline"].add("stages")
    names["topologies.replay.capsule"] |= {"Player", "Step", "Sent"}
    body = "".join(_step(step, names) for step in steps)
    return _HEAD.format(
        order_no=order_no,
        name="".join(c if c.isalnum() else "_" for c in order_no),
        imports="".join(_import(module, names[module]) for module in sorted(names)),
        payment_window_ms=payment_window_ms,
        steps=body,
    )


def _import(module: str, found: set[str]) -> str:
    line = f"from {module} import {', '.join(sorted(found))}\n"
    if len(line) <= _WIDTH:
        return line
    body = "".join(f"{_INDENT}{name},\n" for name in sorted(found))
    return f"from {module} import (\n{body})\n"


def _step(step: Step, names: defaultdict[str, set[str]]) -> str:
    at = datetime.fromtimestamp(step.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    lines = [
        f"{_INDENT}# {step.where} at {at}",
        f"{_INDENT}Step(",
        f"{_INDENT * 2}stage={step.stage!r},",
        f"{_INDENT * 2}partition={step.partition},",
        f"{_INDENT * 2}offset={step.offset},",
        f"{_INDENT * 2}before_ms={step.before_ms},",
        f"{_INDENT * 2}at_ms={step.at_ms},",
        *_sequence("given", step.given, names),
        f"{_INDENT * 2}when={_laid_out(step.when, names, 2)},",
        *_sequence("then", step.then, names),
        f"{_INDENT}),",
    ]
    return "\n".join(lines) + "\n"


def _sequence(
    name: str, items: Sequence[Change] | Sequence[Sent], names: defaultdict[str, set[str]]
) -> Iterator[str]:
    if not items:
        yield f"{_INDENT * 2}{name}=(),"
        return
    yield f"{_INDENT * 2}{name}=("
    for item in items:
        yield f"{_INDENT * 3}{_laid_out(item, names, 3)},"
    yield f"{_INDENT * 2}),"


def _laid_out(value: Any, names: defaultdict[str, set[str]], depth: int) -> str:
    """Return ``value`` as Python text, over several lines when it is long."""
    text = literal(value, names)
    if len(text) + len(_INDENT) * depth <= _WIDTH:
        return text
    opening, parts = _parts(value, names, depth + 1)
    if not parts:
        return text
    inner = "".join(f"{_INDENT * (depth + 1)}{part},\n" for part in parts)
    return f"{opening}(\n{inner}{_INDENT * depth})"


def _parts(value: Any, names: defaultdict[str, set[str]], depth: int) -> tuple[str, list[str]]:
    if isinstance(value, Record):
        fields = value.__struct_fields__
        return type(value).__name__, [
            f"{name}={_laid_out(getattr(value, name), names, depth)}" for name in fields
        ]
    if isinstance(value, tuple):
        opening = "Sent" if isinstance(value, Sent) else ""
        return opening, [_laid_out(part, names, depth) for part in value]
    return "", []


def literal(value: Any, names: defaultdict[str, set[str]]) -> str:
    """Return ``value`` as a Python expression on one line; add what it imports to ``names``."""
    if isinstance(value, type):
        names[value.__module__].add(value.__name__)
        return value.__name__
    if isinstance(value, Enum):
        names[type(value).__module__].add(type(value).__name__)
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Record):
        names[type(value).__module__].add(type(value).__name__)
        fields = (f"{n}={literal(getattr(value, n), names)}" for n in value.__struct_fields__)
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, tuple):
        parts = ", ".join(literal(part, names) for part in value)
        if isinstance(value, Sent):
            return f"Sent({parts})"
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    return repr(value)
