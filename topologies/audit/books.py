"""The laws of the books: each fact of money as a debit and a credit, kept per order.

This is the auditor's own reading of the chart of accounts in docs/payments.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from topologies.audit.laws import NOWHERE, At, Findings, Law

Fact = Mapping[str, Any]

GATEWAYS, ORDER, SURPLUS, REFUND = "gateways", "order", "surplus", "refund"
OVERPAID, LOSS = "overpaid", "loss"
_DEBIT: Final = frozenset({GATEWAYS, OVERPAID, LOSS})
"""Accounts whose balance is a debit; the others' is a credit. Balances are kept as debits."""
_SIGNED: Final = frozenset({GATEWAYS})
"""A gateway may owe nothing and be owed: what an operator settled outside went over none."""


class Books:
    """The accounts of each order, from the facts in the order of each partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.accounts: dict[str, Counter[str]] = {}
        self._surplus_txns: dict[str, set[tuple[str, str]]] = {}

    def take(self, name: str, fact: Fact, at: At) -> None:
        """Book one fact of payment.events, and judge the accounts that it touches."""
        accounts = self._accounts_of(name, fact, at)
        if accounts is None:
            return
        debit, credit = accounts
        order_no, amount_fen = fact["order_no"], fact["amount_fen"]
        book = self.accounts.get(order_no)
        if book is None:
            book = self.accounts[order_no] = Counter()
        book[debit] += amount_fen
        book[credit] -= amount_fen
        for account in (debit, credit):
            balance = book[account] if account in _DEBIT else -book[account]
            if balance < 0 and account not in _SIGNED:
                found = f"{account} {balance} after {name}"
                expected = "no account on its wrong side"
                self._findings.broken(Law.BOOKS, order_no, expected, found, at)

    def _accounts_of(self, name: str, fact: Fact, at: At) -> tuple[str, str] | None:
        """Return (debit, credit), or None when the fact moves no money."""
        if name == "PaymentSucceeded":
            return GATEWAYS, ORDER
        if name == "PaymentSurplus":
            movement = (fact["gateway"], fact["gateway_txn_no"])
            self._surplus_txns.setdefault(fact["order_no"], set()).add(movement)
            return GATEWAYS, SURPLUS
        if name == "RefundRequested" and not fact["is_repeat"]:
            movement = (fact["gateway"], fact["paid_txn_no"])
            is_surplus = movement in self._surplus_txns.get(fact["order_no"], ())
            if fact["is_surplus"] is not is_surplus:
                expected = f"is_surplus {is_surplus} of {movement[0]} {movement[1]}"
                found = str(fact["is_surplus"])
                self._findings.broken(Law.BOOKS, fact["refund_no"], expected, found, at)
            return SURPLUS if is_surplus else ORDER, REFUND
        if name == "RefundSucceeded":
            return REFUND, GATEWAYS
        if name == "RefundOverpaid":
            return OVERPAID, GATEWAYS
        if name == "PaymentTicketClosed" and fact["reason"] == "REFUND_OVERPAID":
            return LOSS if fact["resolution"] == "WRITTEN_OFF" else GATEWAYS, OVERPAID
        return None

    def settle(self, in_tickets: Mapping[tuple[str, str], int], findings: Findings) -> None:
        """Judge what holds at rest. ``in_tickets``: (order, account) -> fen in open tickets."""
        for order_no, book in self.accounts.items():
            if sum(book.values()):
                findings.broken(Law.BOOKS, order_no, "a sum of zero", str(dict(book)), NOWHERE)
            for account in (SURPLUS, REFUND, OVERPAID):
                balance = book[account] if account in _DEBIT else -book[account]
                expected_fen = in_tickets.get((order_no, account), 0)
                if balance != expected_fen:
                    expected = f"{account} {expected_fen}, what open tickets name"
                    findings.broken(Law.BOOKS_SETTLED, order_no, expected, str(balance), NOWHERE)
