"""Draws ``docs/orders.md`` from the tables that the stage runs on."""

from __future__ import annotations

from collections import defaultdict

from schemas.order import OrderOperated
from streams.orders.commands import VERDICTS, Verdict
from streams.orders.decide import UNTIMED
from streams.orders.operations import OPERATIONS, Effect
from streams.orders.reasons import ParkReason
from streams.orders.state import FINISHED, TRANSITIONS, OrderStatus

_HEAD = """\
# The life of an order

Drawn from the tables in `streams/orders` (`state.py`, `commands.py`, `operations.py`, `decide.py`);
a test keeps it equal. To draw it anew:

    python -c "from streams.orders.diagram import page; print(page(), end='')" > docs/orders.md

Every arrow is a public fact on `order.events` with the order's next version. What is not drawn
cannot happen. Not drawn: `OrderOperated` leaves every order where it is.
"""

_COMMANDS = """
## Commands

What becomes of a client's command: accepted, no effect (it asks for what is done already, or being
done: `OrderRepeated`), or refused with a reason (`OrderRefused`). An unknown order, and another's,
is refused as `UNKNOWN_ORDER`. A command whose key the order knows (a waybill, an amend key, a
refund key) has no effect in any status.
"""

_UNTIMED = """
## Orders that may wait

Every other order that has not ended has a timer that drives it on (`DUE` in `decide.py`).
"""

_OPERATIONS = """
## Operators

What becomes of an operator's action (`OperateOrder`): its effect, or the reason of its refusal. An
action that is taken is an `OrderOperated` with the operator's name and reason; what follows from it
are facts of their own. A parked order is judged by why it was parked.
"""


def mermaid() -> str:
    """Return the transition table as a mermaid state diagram."""
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (status, fact), to in TRANSITIONS.items():
        if fact is OrderOperated:
            continue
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


def operation_table() -> str:
    """Return what becomes of each operator's action, as a Markdown table."""
    lines = [
        "| order | " + " | ".join(OPERATIONS) + " |",
        "|---|" + "---|" * len(OPERATIONS),
    ]
    for place in (*(s for s in OrderStatus if s is not OrderStatus.PARKED), *ParkReason):
        effects = (effects[place] for effects in OPERATIONS.values())
        cells = (e.value if isinstance(e, Effect) else f"`{e}`" for e in effects)
        name = f"parked: {place}" if isinstance(place, ParkReason) else place
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page."""
    diagram = f"{_HEAD}\n```mermaid\n{mermaid()}```\n"
    waits = "".join(f"- {status}: {why}\n" for status, why in UNTIMED.items())
    tables = f"{_COMMANDS}\n{command_table()}{_OPERATIONS}\n{operation_table()}"
    return f"{diagram}{tables}{_UNTIMED}\n{waits}"
