"""The books: every fact that moves money is one journal entry, a debit and a credit of its amount.

An entry follows from its fact alone, so whoever reads ``payment.events`` can keep the books of an
order or of a shop; ``docs/payments.md`` says it for readers in other languages. Since each entry is
balanced, all accounts together are zero after every fact.

==========================  ======  ================================================================
account                     normal  what its balance is
==========================  ======  ================================================================
``gateway:<name>``          debit   what a gateway holds for the shop; ``manual``: moved outside
``order:<order_no>``        credit  money kept for the order
``surplus:<order_no>``      credit  money that came and is not needed: owed to who paid it
``refund:<order_no>``       credit  money that was asked back and has not gone back yet
``overpaid:<order_no>``     debit   money that went back beyond what was asked for
``loss``                    debit   overpaid money that was written off
==========================  ======  ================================================================

``surplus`` is zero after the fact that follows, for the refund is asked for at once; ``refund`` and
``overpaid`` are zero when everything is settled: what is left of them is in open tickets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from schemas import payment
from schemas.payment import TicketReason, TicketResolution
from schemas.record import Record
from streams.payments.state import MANUAL

LOSS = "loss"


class Entry(NamedTuple):
    """``amount_fen`` of ``currency`` from the account ``credit`` to the account ``debit``."""

    debit: str
    credit: str
    amount_fen: int
    currency: str


Post: TypeAlias = Callable[[Any], tuple[str, str] | None]


def entry(fact: Record) -> Entry | None:
    """Return the journal entry that a public fact of payments is; None: it moves no money."""
    post = POSTS.get(type(fact))
    accounts = post(fact) if post is not None else None
    if accounts is None:
        return None
    money: Any = fact
    return Entry(*accounts, money.amount_fen, money.currency)


def _gateway(name: str) -> str:
    return f"gateway:{name}"


def _succeeded(fact: payment.PaymentSucceeded) -> tuple[str, str]:
    return _gateway(fact.gateway), f"order:{fact.order_no}"


def _surplus(fact: payment.PaymentSurplus) -> tuple[str, str]:
    return _gateway(fact.gateway), f"surplus:{fact.order_no}"


def _refund_requested(fact: payment.RefundRequested) -> tuple[str, str] | None:
    if fact.is_repeat:
        return None  # it was owed before
    source = "surplus" if fact.is_surplus else "order"
    return f"{source}:{fact.order_no}", f"refund:{fact.order_no}"


def _refund_succeeded(fact: payment.RefundSucceeded) -> tuple[str, str]:
    return f"refund:{fact.order_no}", _gateway(fact.gateway)


def _overpaid(fact: payment.RefundOverpaid) -> tuple[str, str]:
    return f"overpaid:{fact.order_no}", _gateway(fact.gateway)


def _ticket_closed(fact: payment.PaymentTicketClosed) -> tuple[str, str] | None:
    if fact.reason != TicketReason.REFUND_OVERPAID:
        return None
    is_lost = fact.resolution == TicketResolution.WRITTEN_OFF
    return LOSS if is_lost else _gateway(MANUAL), f"overpaid:{fact.order_no}"


POSTS: Mapping[type[Record], Post] = {
    payment.PaymentSucceeded: _succeeded,
    payment.PaymentSurplus: _surplus,
    payment.RefundRequested: _refund_requested,
    payment.RefundSucceeded: _refund_succeeded,
    payment.RefundOverpaid: _overpaid,
    payment.PaymentTicketClosed: _ticket_closed,
}
"""Fact -> (account to debit, account to credit), or None; other facts move no money."""
