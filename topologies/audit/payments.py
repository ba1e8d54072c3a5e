"""The laws of payments: attempts, surplus money, refunds; see also books and tickets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from topologies.audit.books import REFUND, Books
from topologies.audit.laws import NOWHERE, At, Findings, Law
from topologies.audit.tickets import TicketBook

Fact = Mapping[str, Any]

REQUESTED, KEPT, SURPLUS, FAILED, CLOSED = "requested", "kept", "surplus", "failed", "closed"
ASKED, RETURNED, REFUSED = "asked", "returned", "refused"
FACTS: Final = frozenset(
    {
        "PaymentRequested",
        "PaymentSucceeded",
        "PaymentFailed",
        "PaymentClosed",
        "PaymentSurplus",
        "RefundRequested",
        "RefundSucceeded",
        "RefundFailed",
        "RefundOverpaid",
        "PaymentQueried",
        "RefundQueried",
        "PaymentTicketOpened",
        "PaymentTicketClosed",
        "PaymentRefused",
    }
)
_MAY_BECOME: Final = {
    KEPT: (REQUESTED, FAILED),  # a gateway may say failed first and then succeed
    FAILED: (REQUESTED,),
    CLOSED: (REQUESTED,),
}
"""State of an attempt -> the states it may come from: closed is never revived, and of all the money
that one attempt brings, at most the first is kept. Surplus may come in any state."""


class Refund:
    """One refund; ``state`` is asked, returned or refused. Refused, it is still owed."""

    __slots__ = ("amount_fen", "at", "is_surplus", "pay_no", "state")

    def __init__(self, pay_no: str, amount_fen: int, at: At, is_surplus: bool = False) -> None:
        self.pay_no, self.amount_fen, self.at = pay_no, amount_fen, at
        self.is_surplus = is_surplus
        self.state = ASKED


class Attempt:
    """One attempt to pay: ``kept_fen`` came for the order, ``surplus_fen`` has to go back."""

    __slots__ = ("amount_fen", "at", "currency", "kept_fen", "state", "surplus_fen")

    def __init__(self, amount_fen: int, currency: str, at: At) -> None:
        self.amount_fen, self.currency, self.at = amount_fen, currency, at
        self.state = REQUESTED
        self.kept_fen = self.surplus_fen = 0

    @property
    def money_fen(self) -> int:
        """Everything that came over this attempt."""
        return self.kept_fen + self.surplus_fen

    def left_fen(self, back_fen: int) -> int:
        """Return what is left of the kept money; ``back_fen`` went back, the surplus first."""
        return self.kept_fen - max(0, back_fen - self.surplus_fen)


class Payments:
    """All attempts and refunds of one order, by their numbers."""

    __slots__ = ("at", "attempts", "refunds", "version")

    def __init__(self) -> None:
        self.version = 0
        self.attempts: dict[str, Attempt] = {}
        self.refunds: dict[str, Refund] = {}
        self.at = NOWHERE

    @property
    def paid_fen(self) -> int:
        """Everything that came."""
        return sum(attempt.money_fen for attempt in self.attempts.values())

    @property
    def returned_fen(self) -> int:
        """Everything that went back."""
        return sum(r.amount_fen for r in self.refunds.values() if r.state == RETURNED)

    def promised_back_fen(self, pay_no: str) -> int:
        """Return what went back of one attempt's money or is on its way."""
        return sum(r.amount_fen for r in self.refunds.values() if r.pay_no == pay_no)

    def returned_of_fen(self, pay_no: str) -> int:
        """Return what went back of one attempt's money."""
        return sum(
            r.amount_fen
            for r in self.refunds.values()
            if r.pay_no == pay_no and r.state == RETURNED
        )


class PaymentBook:
    """Takes the facts of ``payment.events`` in the order of each partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.orders: dict[str, Payments] = {}
        self.refused = 0
        self.books = Books(findings)
        self.tickets = TicketBook(findings)
        self._movements: dict[tuple[str, str], At] = {}  # (gateway, its number) -> first use
        self._laws: dict[str, Callable[[Payments, Fact, At], None]] = {
            "PaymentRequested": self._requested,
            "PaymentSucceeded": self._succeeded,
            "PaymentFailed": lambda known, fact, at: self._become(known, fact, at, FAILED),
            "PaymentClosed": lambda known, fact, at: self._become(known, fact, at, CLOSED),
            "PaymentSurplus": self._surplus,
            "RefundRequested": self._refund_requested,
            "RefundSucceeded": lambda known, fact, at: self._refunded(known, fact, at, RETURNED),
            "RefundFailed": lambda known, fact, at: self._refunded(known, fact, at, REFUSED),
            "RefundOverpaid": self._overpaid,
            "PaymentQueried": self._queried,
            "RefundQueried": self._refund_queried,
            "PaymentTicketOpened": lambda _, fact, at: self.tickets.take_opened(fact, at),
            "PaymentTicketClosed": lambda _, fact, at: self.tickets.take_closed(fact, at),
        }

    def take(self, name: str, fact: Fact, at: At) -> None:
        """Judge one fact of a kind in FACTS."""
        order_no, version = fact["order_no"], fact["version"]
        known = self.orders.get(order_no)
        if name == "PaymentRefused":
            self.refused += 1
            now = known.version if known is not None else 0
            if version not in (0, now):
                found = f"a refusal at version {version}"
                expected = f"version {now} or 0"
                self._findings.broken(Law.PAYMENT_VERSION, order_no, expected, found, at)
            return
        if known is None:
            known = self.orders[order_no] = Payments()
        if version != known.version + 1:
            expected, found = f"version {known.version + 1}", f"{version} ({name})"
            self._findings.broken(Law.PAYMENT_VERSION, order_no, expected, found, at)
        self._laws[name](known, fact, at)
        self.books.take(name, fact, at)
        known.version, known.at = version, at

    def _requested(self, known: Payments, fact: Fact, at: At) -> None:
        pay_no = fact["pay_no"]
        if pay_no in known.attempts:
            found = f"again, first at {known.attempts[pay_no].at}"
            self._findings.broken(Law.PAYMENT_ATTEMPT, pay_no, "one request", found, at)
            return
        known.attempts[pay_no] = Attempt(fact["amount_fen"], fact["currency"], at)

    def _attempt(self, known: Payments, fact: Fact, at: At, state: str) -> Attempt:
        """Return the attempt that is said to be ``state``; one never requested is made up."""
        pay_no = fact["pay_no"]
        attempt = known.attempts.get(pay_no)
        if attempt is None:
            self._findings.broken(Law.PAYMENT_ATTEMPT, pay_no, "a request first", state, at)
            amount_fen, currency = fact.get("amount_fen", 0), fact.get("currency", "")
            attempt = known.attempts[pay_no] = Attempt(amount_fen, currency, at)
        return attempt

    def _become(self, known: Payments, fact: Fact, at: At, state: str) -> None:
        attempt = self._attempt(known, fact, at, state)
        if attempt.state not in _MAY_BECOME[state]:
            expected = f"{state} only after {' or '.join(_MAY_BECOME[state])}"
            found = f"{attempt.state} at {attempt.at}"
            self._findings.broken(Law.PAYMENT_ATTEMPT, fact["pay_no"], expected, found, at)
        attempt.state, attempt.at = state, at

    def _surplus(self, known: Payments, fact: Fact, at: At) -> None:
        attempt = self._attempt(known, fact, at, SURPLUS)
        if attempt.state in (REQUESTED, FAILED):
            attempt.state, attempt.at = SURPLUS, at
        self._came(attempt, fact, at)
        attempt.surplus_fen += fact["amount_fen"]

    def _came(self, attempt: Attempt, fact: Fact, at: At) -> None:
        came = (fact["amount_fen"], fact["currency"])
        if came != (attempt.amount_fen, attempt.currency):
            expected, found = f"{attempt.amount_fen} {attempt.currency}", f"{came[0]} {came[1]}"
            self._findings.broken(Law.PAYMENT_AMOUNT, fact["pay_no"], expected, found, at)
        self._booked(fact, at)

    def _booked(self, fact: Fact, at: At) -> None:
        gateway, number = fact.get("gateway", "refund"), fact["gateway_txn_no"]
        first = self._movements.setdefault((gateway, number), at)
        if first is not at:
            expected, found = f"booked once, at {first}", f"again by {fact['order_no']}"
            self._findings.broken(Law.PAYMENT_ONCE, f"{gateway} {number}", expected, found, at)

    def _succeeded(self, known: Payments, fact: Fact, at: At) -> None:
        pay_no = fact["pay_no"]
        for other, attempt in known.attempts.items():
            if other != pay_no and attempt.kept_fen:
                left_fen = attempt.left_fen(known.promised_back_fen(other))
                if left_fen > 0:
                    expected = f"one kept payment, {other} of {attempt.at} with {left_fen}"
                    key, found = fact["order_no"], f"{pay_no} kept too"
                    self._findings.broken(Law.PAYMENT_KEPT_ONCE, key, expected, found, at)
        self._become(known, fact, at, KEPT)
        attempt = known.attempts[pay_no]
        self._came(attempt, fact, at)
        attempt.kept_fen += fact["amount_fen"]

    def _refund_requested(self, known: Payments, fact: Fact, at: At) -> None:
        refund_no, pay_no, amount_fen = fact["refund_no"], fact["pay_no"], fact["amount_fen"]
        earlier = known.refunds.get(refund_no)
        if earlier is not None and earlier.state != REFUSED:
            found = f"again, {earlier.state} at {earlier.at}"
            self._findings.broken(Law.REFUND_ANSWERED, refund_no, "one request", found, at)
        if fact["is_repeat"] is not (earlier is not None):
            expected, found = f"is_repeat {earlier is not None}", str(fact["is_repeat"])
            self._findings.broken(Law.REFUND_ANSWERED, refund_no, expected, found, at)
        attempt = known.attempts.get(pay_no)
        came_fen = attempt.money_fen if attempt is not None else 0
        known.refunds[refund_no] = Refund(pay_no, amount_fen, at, fact["is_surplus"])
        back_fen = known.promised_back_fen(pay_no)
        if back_fen > came_fen or amount_fen < 1:
            expected = f"between 1 and {came_fen} back of {pay_no}"
            found = f"{back_fen} ({amount_fen} now)"
            self._findings.broken(Law.REFUND_WITHIN_PAYMENT, refund_no, expected, found, at)

    def _refunded(self, known: Payments, fact: Fact, at: At, state: str) -> None:
        refund_no, pay_no = fact["refund_no"], fact["pay_no"]
        refund = known.refunds.get(refund_no)
        # A gateway may say failed first and then succeed; returned money never comes back.
        if refund is None or refund.state not in (
            (ASKED, REFUSED) if state == RETURNED else (ASKED,)
        ):
            found = "never asked" if refund is None else f"{refund.state} at {refund.at}"
            self._findings.broken(Law.REFUND_ANSWERED, refund_no, "an open request", found, at)
            if refund is None:
                refund = known.refunds[refund_no] = Refund(pay_no, fact.get("amount_fen", 0), at)
        amount_fen = fact.get("amount_fen", refund.amount_fen)
        if (refund.pay_no, refund.amount_fen) != (pay_no, amount_fen):
            expected = f"{refund.amount_fen} of {refund.pay_no}"
            found = f"{amount_fen} of {pay_no}"
            self._findings.broken(Law.REFUND_ANSWERED, refund_no, expected, found, at)
        refund.state, refund.amount_fen, refund.at = state, amount_fen, at
        if state == RETURNED:
            self._booked(fact, at)
            attempt = known.attempts.get(pay_no)
            came_fen = attempt.money_fen if attempt is not None else 0
            back_fen = known.returned_of_fen(pay_no)
            if back_fen > came_fen:
                expected, found = f"at most {came_fen} back of {pay_no}", str(back_fen)
                self._findings.broken(Law.REFUND_WITHIN_PAYMENT, refund_no, expected, found, at)

    def _overpaid(self, known: Payments, fact: Fact, at: At) -> None:
        refund = known.refunds.get(fact["refund_no"])
        if refund is None or refund.state != RETURNED:
            found = "never asked" if refund is None else f"{refund.state} at {refund.at}"
            key, expected = fact["refund_no"], "a refund that went back before"
            self._findings.broken(Law.REFUND_ANSWERED, key, expected, found, at)
        self._booked(fact, at)

    def _queried(self, known: Payments, fact: Fact, at: At) -> None:
        attempt = known.attempts.get(fact["pay_no"])
        wanted = CLOSED if fact["is_closed"] else REQUESTED
        if attempt is None or attempt.state != wanted or attempt.money_fen:
            found = "never asked" if attempt is None else f"{attempt.state}, {attempt.money_fen}"
            expected = f"{wanted}, without money"
            self._findings.broken(Law.QUERY, fact["pay_no"], expected, found, at)

    def _refund_queried(self, known: Payments, fact: Fact, at: At) -> None:
        refund = known.refunds.get(fact["refund_no"])
        if refund is None or refund.state != ASKED:
            found = "never asked" if refund is None else f"{refund.state} at {refund.at}"
            self._findings.broken(
                Law.QUERY, fact["refund_no"], "a refund without an end", found, at
            )

    def owed_surplus_fen(self) -> dict[str, int]:
        """Return, by order, the surplus money that a human has yet to give back."""
        owed: Counter[str] = Counter()
        for ticket in self.tickets.about("REFUND_UNPAID"):
            known = self.orders.get(ticket["order_no"])
            refund = known.refunds.get(ticket["refund_no"]) if known is not None else None
            if refund is not None and refund.is_surplus and refund.state != RETURNED:
                owed[ticket["order_no"]] += refund.amount_fen
        return owed

    def settle(self, findings: Findings) -> None:
        """Judge what holds when everything is at rest: the books, surplus money, open refunds."""
        in_tickets = self.tickets.open_fen()
        self.books.settle(in_tickets, findings)
        for order_no, known in self.orders.items():
            kept = []
            for pay_no, attempt in known.attempts.items():
                back_fen = known.returned_of_fen(pay_no)
                if back_fen < attempt.surplus_fen and (order_no, REFUND) not in in_tickets:
                    expected, found = f"{attempt.surplus_fen} returned", f"{back_fen} returned"
                    findings.broken(Law.SURPLUS_REFUNDED, pay_no, expected, found, attempt.at)
                if attempt.left_fen(back_fen) > 0:
                    kept.append(pay_no)
            if len(kept) > 1:
                found = ", ".join(kept)
                findings.broken(
                    Law.PAYMENT_KEPT_ONCE, order_no, "one kept payment", found, known.at
                )
            for refund_no, refund in known.refunds.items():
                if refund.state != RETURNED and not self.tickets.is_open(
                    "REFUND_UNPAID", refund.pay_no, refund_no
                ):
                    found = f"{refund.state}, and no ticket"
                    findings.broken(Law.REFUND_ANSWERED, refund_no, "an end", found, refund.at)
