"""What a run of the load came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from topologies.load.accounting import Accounts, State
from topologies.load.latency import Latency

NAMED = 10
"""How many missing orders a report names; it counts all."""


@dataclass(frozen=True)
class Report:
    """The end of a run. ``states`` counts orders by last state, then by payer.

    ``create``: from producing an order to seeing it created or rejected. ``pay``: from seeing it
    created to seeing it paid, of those who pay at once. ``missing`` names orders that did not
    settle in time, ``doubled`` those that became two. ``refused`` counts refusals by reason.
    ``behind_ms`` is the most by which the generator itself was late against its own rate.
    """

    run: str
    orders: int
    seconds: float
    states: dict[str, dict[str, int]]
    create: Latency
    pay: Latency
    missing_count: int
    missing: list[str]
    doubled: list[tuple[str, str]]
    repeated_facts: int
    refused: dict[str, int] = field(default_factory=dict)
    behind_ms: float = 0.0

    @property
    def ok(self) -> bool:
        """Tell whether every order settled, each as one order."""
        return not self.missing_count and not self.doubled

    def count(self, state: State) -> int:
        """Return how many orders ended in ``state``."""
        return sum(self.states.get(state.name, {}).values())

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-like values."""
        return asdict(self) | {"ok": self.ok}


def report(
    accounts: Accounts,
    run: str,
    seconds: float,
    refused: dict[str, int] | None = None,
    behind_ms: float = 0.0,
) -> Report:
    """Draw up the report of a run that is over."""
    missing = accounts.missing()
    return Report(
        run=run,
        orders=accounts.sent,
        seconds=round(seconds, 3),
        states={
            state.name: {str(payer): n for payer, n in sorted(payers.items())}
            for state, payers in accounts.by_state().items()
        },
        create=accounts.create_latency(),
        pay=accounts.pay_latency(),
        missing_count=len(missing),
        missing=[
            f"{number or f'intent {run}-{index}'} ({accounts.payer(index)}): {state.name}"
            for index, number, state in missing[:NAMED]
        ],
        doubled=accounts.doubled,
        repeated_facts=accounts.repeats,
        refused=dict(sorted((refused or {}).items())),
        behind_ms=round(behind_ms, 2),
    )
