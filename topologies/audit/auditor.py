"""The auditor: facts in, verdict out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topologies.audit import crossing, orders, payments, promotions, stock
from topologies.audit.laws import At, Findings, Law, Violation
from topologies.audit.resends import Resends, cause_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the facts add up to.

    ``violations`` keeps the first thousand of each law, ``broken`` counts them all. ``counters``
    are for people: facts, re-sends, orders by their last fact, units, minor units of money.
    ``parked`` names the orders that wait for a human, with the reason.
    """

    final: bool
    violations: tuple[Violation, ...]
    broken: dict[str, int]
    counters: dict[str, int]
    orders: dict[str, int]
    parked: dict[str, str]

    @property
    def ok(self) -> bool:
        """Tell whether every law holds."""
        return not self.broken


class Auditor:
    """Judges facts as they come: in order within each partition, topics in any order."""

    def __init__(self) -> None:
        self._findings = Findings()
        self._resends = Resends()
        self._facts: Counter[str] = Counter()
        self._unknown: set[str] = set()
        self.stock = stock.StockBook(self._findings)
        self.orders = orders.OrderBook(self._findings)
        self.payments = payments.PaymentBook(self._findings)
        self.promotions = promotions.PromotionBook(self._findings)
        self._takers = {
            **dict.fromkeys(stock.FACTS, self.stock.take),
            **dict.fromkeys(orders.FACTS, self.orders.take),
            **dict.fromkeys(payments.FACTS, self.payments.take),
            **dict.fromkeys(promotions.FACTS, self.promotions.take),
        }

    def take(
        self,
        topic: str,
        partition: int,
        headers: Sequence[tuple[str, bytes | None]] | None,
        fact_name: str,
        fact: Mapping[str, Any],
        offset: int = -1,
    ) -> None:
        """Judge one fact: its Kafka headers, its Avro record name without namespace, its fields."""
        at = At(topic, partition, offset)
        cause = cause_of(headers)
        if cause is None:
            self._findings.broken(Law.CAUSE, fact_name, "a cause header", repr(headers), at)
        elif self._resends.is_resend(topic, partition, cause):
            return
        taker = self._takers.get(fact_name)
        if taker is None:
            if fact_name not in self._unknown:
                self._unknown.add(fact_name)
                expected, found = "a fact that the auditor knows", fact_name
                self._findings.broken(Law.KNOWN_FACT, fact_name, expected, found, at)
            return
        self._facts[fact_name] += 1
        try:
            taker(fact_name, fact, at)
        except KeyError as missing:
            found = f"no field {missing}"
            self._findings.broken(Law.KNOWN_FACT, fact_name, "every field it had", found, at)

    def verdict(
        self, final: bool = False, expected: Collection[str] | int | None = None
    ) -> Verdict:
        """Judge what was read so far; may be asked again after more facts.

        With ``final`` nothing may be on its way any more: also the laws are judged that facts yet
        to come could still satisfy. ``expected`` (with ``final``): numbers of the orders that must
        be there, or how many.
        """
        findings = self._findings.copy()
        self.stock.settle(findings)
        self.promotions.settle(findings)
        crossing.judge_now(self.orders, self.payments, findings)
        if final:
            self.stock.settle_at_rest(findings)
            self.orders.settle(findings, expected)
            self.payments.settle(findings)
            crossing.judge_at_rest(self.orders, self.stock, self.payments, findings)
            crossing.judge_promotions(self.orders, self.promotions, findings)
        found = self.orders.orders
        return Verdict(
            final=final,
            violations=tuple(findings.kept),
            broken={str(law): n for law, n in sorted(findings.count.items())},
            counters=self._counters(),
            orders=dict(sorted(Counter(order.last for order in found.values()).items())),
            parked={no: o.parked for no, o in sorted(found.items()) if o.last == "OrderParked"},
        )

    def _counters(self) -> dict[str, int]:
        money = self.payments.orders.values()
        paid_fen = sum(known.paid_fen for known in money)
        returned_fen = sum(known.returned_fen for known in money)
        return {
            "facts": self._facts.total(),
            "resent": self._resends.count,
            "orders": len(self.orders.orders),
            "holds": len(self.stock.holds),
            "movements": sum(self._facts[name] for name in stock.MOVEMENTS),
            "units_received": self.stock.received.total(),
            "units_adjusted": self.stock.adjusted.total(),
            "units_sold": self.stock.sold.total(),
            "units_held": sum(shelf.held for shelf in self.stock.shelves.values()),
            "promotions_used": sum(use.kept > 0 for use in self.promotions.uses.values()),
            "payments_kept": self._facts["PaymentSucceeded"],
            "payments_surplus": self._facts["PaymentSurplus"],
            "refunds": self._facts["RefundSucceeded"],
            "gateway_queries": self._facts["PaymentQueried"] + self._facts["RefundQueried"],
            "tickets": self._facts["PaymentTicketOpened"],
            "tickets_open": self.payments.tickets.open_count,
            "paid_fen": paid_fen,
            "returned_fen": returned_fen,
            "kept_fen": paid_fen - returned_fen,
            "refusals": self.orders.refused
            + self.payments.refused
            + sum(self._facts[name] for name in stock.REFUSALS | promotions.REFUSALS),
        }
