"""Draws ``docs/orders.md`` from the tables that the stage runs on."""

from __future__ import annotations

from collections import defaultdict

from streams.orders.commands import VERDICTS, Verdict
from streams.orders.state import FINISHED, TRANSITIONS, OrderStatus

_HEAD = """\
# The life of an order

Drawn from `streams/orders/state.py` and `streams/orders/commands.py`; a test keeps it equal. To
draw it anew:

    python -c "from streams.orders.diagram import page; print(page(), end='')" > docs/orders.md

Every arrow is a public fact on `order.events` with the order's next version. What is not drawn
cannot happen.
"""

_COMMANDS = """
## Commands

What becomes of a client's command: accepted, no effect (it asks for what is done already, or being
done), or refused with a reason (`OrderRefused`). An unknown order, and another's, is refused as
`UNKNOWN_ORDER`.
"""


def mermaid() -> str:
    """Return the transition table as a mermaid state diagram."""
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (status, fact), to in TRANSITIONS.items():
        arrows[status.value if status else "[*]", to.value].append(fact.__name__)
    lines = ["stateDiagram-v2"]
    lines += [f"    {a} --> {b}: {', '.join(facts)}" for (a, b), facts in arrows.items()]
    lines += [f"    {status} --> [*]" for status in OrderStatus if status in FINISHED]
    return "\n".join(lines) + "\n"


def command_table() -> str:
    """Return what becomes of each command in each status, as a Markdown table."""
    commands = list(VERDICTS)
    lines = [
        "| status | " + " | ".join(command.__name__ for command in commands) + " |",
        "|---|" + "---|" * len(commands),
    ]
    for status in OrderStatus:
        verdicts = (VERDICTS[command][status] for command in commands)
        cells = (v.value if isinstance(v, Verdict) else f"`{v}`" for v in verdicts)
        lines.append(f"| {status} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page."""
    return f"{_HEAD}\n```mermaid\n{mermaid()}```\n{_COMMANDS}\n{command_table()}"
