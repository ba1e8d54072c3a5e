"""The laws of the janitor: who is asked about what, and what becomes of tickets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from topologies.audit.books import OVERPAID, REFUND
from topologies.audit.laws import At, Findings, Law

Fact = Mapping[str, Any]

_RESOLUTIONS: Final = {
    "PAYMENT_UNKNOWN": ("RETRY", "WRITTEN_OFF", "ANSWERED"),
    "REFUND_UNPAID": ("RETRY", "SETTLED", "ANSWERED"),
    "REFUND_OVERPAID": ("SETTLED", "WRITTEN_OFF"),
    "MONEY_MISMATCH": ("SETTLED", "WRITTEN_OFF"),
}
"""Reason of a ticket -> how it may end."""
_ACCOUNTS: Final = {"REFUND_UNPAID": REFUND, "REFUND_OVERPAID": OVERPAID}
_MONEY: Final = ("reason", "pay_no", "refund_no", "amount_fen", "currency")


class TicketBook:
    """Open tickets by number, from the facts in the order of each partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: dict[str, Fact] = {}
        self._seen: set[str] = set()
        self.opened: Counter[str] = Counter()

    def take_opened(self, fact: Fact, at: At) -> None:
        """Judge a PaymentTicketOpened."""
        ticket_no, reason = fact["ticket_no"], fact["reason"]
        self.opened[reason] += 1
        if ticket_no in self._seen:
            self._findings.broken(Law.TICKET, ticket_no, "a new number", "opened again", at)
        if reason not in _RESOLUTIONS:
            self._findings.broken(Law.TICKET, ticket_no, "a known reason", reason, at)
        self._seen.add(ticket_no)
        self._open[ticket_no] = fact

    def take_closed(self, fact: Fact, at: At) -> None:
        """Judge a PaymentTicketClosed."""
        ticket_no, resolution, operator = fact["ticket_no"], fact["resolution"], fact["operator"]
        opened = self._open.pop(ticket_no, None)
        if opened is None:
            self._findings.broken(Law.TICKET, ticket_no, "an open ticket", "closed", at)
        elif (as_opened := [opened[f] for f in _MONEY]) != (closed := [fact[f] for f in _MONEY]):
            self._findings.broken(Law.TICKET, ticket_no, f"{as_opened}", f"{closed}", at)
        if resolution not in _RESOLUTIONS.get(fact["reason"], ()):
            expected = f"a resolution that fits {fact['reason']}"
            self._findings.broken(Law.TICKET, ticket_no, expected, resolution, at)
        if (resolution == "ANSWERED") is bool(operator):
            expected = "the gateway's answer or an operator's name"
            self._findings.broken(Law.TICKET, ticket_no, expected, f"{resolution} {operator}", at)

    def about(self, reason: str) -> list[Fact]:
        """Return the open tickets of one reason."""
        return [ticket for ticket in self._open.values() if ticket["reason"] == reason]

    def is_open(self, reason: str, pay_no: str, refund_no: str = "") -> bool:
        """Tell whether there is an open ticket about that payment or refund."""
        wanted = (reason, pay_no, refund_no)
        return any(
            (t["reason"], t["pay_no"], t["refund_no"]) == wanted for t in self._open.values()
        )

    def open_fen(self) -> dict[tuple[str, str], int]:
        """Return how much of which (order, account) waits for a human."""
        sums: Counter[tuple[str, str]] = Counter()
        for ticket in self._open.values():
            account = _ACCOUNTS.get(ticket["reason"])
            if account is not None:
                sums[ticket["order_no"], account] += ticket["amount_fen"]
        return sums

    @property
    def open_count(self) -> int:
        """How many tickets wait for a human."""
        return len(self._open)
