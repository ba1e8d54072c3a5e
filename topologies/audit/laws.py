"""The laws, each once, and what is kept of a law that was broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

KEPT_PER_LAW = 1_000
"""Violations kept of each law; all are counted. 40 laws x 1,000 x ~400 bytes: at worst 16 MB."""


class Law(StrEnum):
    """A law over the facts. Those marked *final* are judged only when everything is at rest."""

    CAUSE = "cause"  # a fact carries a well-formed cause
    KNOWN_FACT = "known-fact"  # every fact is of a kind that the auditor has laws for

    STOCK_VERSION = "stock-version"  # 1, 2, 3 ... per sku and warehouse
    STOCK_BALANCE = "stock-balance"  # amounts after a movement = amounts before + delta
    STOCK_BOUNDS = "stock-bounds"  # on_hand >= held >= 0
    STOCK_DELTA = "stock-delta"  # each kind of movement moves what its name says, by its qty
    STOCK_SUM = "stock-sum"  # the sum of all deltas is what is there; open holds are what is held
    TRANSFER_SUM = "transfer-sum"  # final: what one warehouse gives the other gets
    HOLD_BEGINS_ONCE = "hold-begins-once"
    HOLD_SHARES = "hold-shares"  # what warehouses hold and what is promised is what was asked for
    HOLD_ENDS_ONCE = "hold-ends-once"  # a hold that began is deducted or released, never both
    HOLD_RETURNED = "hold-returned"  # only sold units come back, and once
    HOLD_FENCED = "hold-fenced"  # a hold cancelled before its try never begins
    HOLD_OF_ORDER = "hold-of-order"  # final: whoever holds stock is an order that was placed
    HOLD_OPEN = "hold-open"  # final: an order at its end holds nothing
    HOLD_DEDUCTED = "hold-deducted"  # final: a paid order's goods are deducted, all and only they
    SOLD_UNITS = "sold-units"  # final: units sold or owed = units of confirmed orders, per sku
    BACKORDER_BALANCE = "backorder-balance"  # promised units after a fact = before + what it says
    BACKORDER_CAP = "backorder-cap"  # never more units are promised than the sku's cap
    BACKORDER_FIRST = "backorder-first"  # nobody takes stock while units are promised to others
    BUYER_LIMIT = (
        "buyer-limit"  # a buyer's units add up, and a hold never takes them past the limit
    )
    NO_OVERSELL = "no-oversell"  # sold <= received + adjusted, per sku

    RESOURCE_VERSION = "resource-version"  # 1, 2, 3 ... per coupon, budget, quota and limit
    RESOURCE_BALANCE = "resource-balance"  # amounts add up; open holds are what is held
    RESOURCE_BOUNDS = "resource-bounds"  # on_hand >= held >= 0; never more used than was granted
    USE_BEGINS_ONCE = "use-begins-once"  # and never after its fence
    USE_ENDS_ONCE = "use-ends-once"  # what began is used up or given back, never both
    USE_RETURNED = "use-returned"  # only what is used up comes back, and once
    USE_OF_OWNER = "use-of-owner"  # a coupon, and a limit, is used by its own user only
    COUPON_CLAIM = "coupon-claim"  # a coupon is claimed once, no user has more than the lot allows
    USE_OF_ORDER = "use-of-order"  # final: whoever holds a promotion is an order that was placed
    USE_OPEN = "use-open"  # final: an order at its end holds no promotion
    USE_SPENT = "use-spent"  # final: a confirmed order used up what it was placed with, no other

    ORDER_VERSION = "order-version"  # 1, 2, 3 ... per order; answers that change nothing repeat it
    ORDER_SEQUENCE = "order-sequence"  # each fact may follow the one before it
    ORDER_PLACED_ONCE = "order-placed-once"
    ORDER_PRICE = "order-price"  # lines and total add up; the holds are the lines' units
    ORDER_AMOUNT = "order-amount"  # an amount is the total the order was placed or amended with
    ORDER_SHIPPED = "order-shipped"  # parcels name a waybill, and together at most what was ordered
    ORDER_REFUND = "order-refund"  # given back as asked, at most what was paid; REFUNDED: all of it
    ORDER_OPERATED = "order-operated"  # an operator's action says who and why
    ORDER_REJECTION = "order-rejection"  # a rejected order names what was refused
    ORDER_SETTLED = "order-settled"  # final: terminal, waiting for delivery, or parked
    ORDER_LOST = "order-lost"  # final: every expected order was placed

    PAYMENT_VERSION = "payment-version"  # 1, 2, 3 ... per order
    PAYMENT_ATTEMPT = "payment-attempt"  # an attempt is opened once and ends as it may
    PAYMENT_AMOUNT = "payment-amount"  # what an attempt brings is what was asked for
    PAYMENT_ONCE = "payment-once"  # a gateway's movement of money is booked once
    PAYMENT_KEPT_ONCE = "payment-kept-once"  # at most one payment is kept per order
    PAYMENT_OF_ORDER = "payment-of-order"  # final: money belongs to an order that was placed
    SURPLUS_REFUNDED = "surplus-refunded"  # final: money that is not needed went back
    REFUND_WITHIN_PAYMENT = "refund-within-payment"  # refunds never exceed what came
    REFUND_ANSWERED = "refund-answered"  # a refund ends once, as asked
    QUERY = "query"  # only what was asked for and has no end is asked about
    TICKET = "ticket"  # opened once, closed once, by the gateway's answer or by an operator
    BOOKS = "books"  # debits = credits, no account on its wrong side, at every version
    BOOKS_SETTLED = "books-settled"  # final: what is owed is zero, or in an open ticket
    PAID_HAS_PAYMENT = "paid-has-payment"  # OrderPaid names a payment of that amount (lack: final)
    KEPT_MONEY = "kept-money"  # final: a paid order's kept money is its total
    ENDED_KEEPS_NOTHING = "ended-keeps-nothing"  # final: an order that ended unpaid keeps no money
    MONEY_BALANCE = "money-balance"  # final: paid - refunded = totals of the kept orders


class At(NamedTuple):
    """Where a fact is in the log; a ``topic`` of ``-`` stands for no single fact."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


NOWHERE = At("-", -1, -1)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken law: about which ``key``, what it demands, what was found, and the fact's place."""

    law: Law
    key: str
    expected: str
    found: str
    at: At

    def __str__(self) -> str:
        return f"{self.law} {self.key}: expected {self.expected}, found {self.found} at {self.at}"


class Findings:
    """Collects violations; of one law it keeps the first KEPT_PER_LAW and counts the rest."""

    def __init__(self) -> None:
        self.kept: list[Violation] = []
        self.count: Counter[Law] = Counter()

    def broken(self, law: Law, key: str, expected: str, found: str, at: At) -> None:
        """Note that ``law`` is broken by the fact ``at``."""
        self.count[law] += 1
        if self.count[law] <= KEPT_PER_LAW:
            self.kept.append(Violation(law, key, expected, found, at))

    def copy(self) -> Findings:
        """Return findings that can grow on their own."""
        twin = Findings()
        twin.kept = list(self.kept)
        twin.count = Counter(self.count)
        return twin
