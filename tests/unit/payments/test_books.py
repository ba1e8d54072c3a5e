"""The books balance at every version, and follow from the public facts alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.payment import PaymentTicketClosed, TicketReason
from schemas.record import Record
from streams.payments.books import LOSS, POSTS, Entry, entry
from tests.unit.payments.desk import (
    FAILED,
    ORDER,
    RETRY,
    SETTLED,
    SUCCEEDED,
    WRITTEN_OFF,
    Desk,
    but,
    close,
    closed,
    failed,
    overpaid,
    pay,
    queried,
    refund,
    refund_failed,
    refund_queried,
    refund_requested,
    refund_succeeded,
    refused,
    requested,
    resolve,
    says,
    succeeded,
    surplus,
    ticket,
    ticket_closed,
)
from tests.unit.payments.test_laws import ANYTHING

FEN = 12_500
_OVERPAID = ticket(7, TicketReason.REFUND_OVERPAID, "O1-1-R1")
_UNPAID = ticket(7, TicketReason.REFUND_UNPAID, "O1-1-R1")

ENTRIES: list[tuple[Record, tuple[str, str]]] = [
    (succeeded(2), ("gateway:sim", "order:O1")),
    (surplus(3, "DUPLICATE"), ("gateway:sim", "surplus:O1")),
    (refund_requested(3), ("order:O1", "refund:O1")),
    (refund_requested(4, "O1-1-S1"), ("surplus:O1", "refund:O1")),
    (refund_succeeded(4), ("refund:O1", "gateway:sim")),
    (refund_succeeded(4, gateway="manual"), ("refund:O1", "gateway:manual")),
    (overpaid(6), ("overpaid:O1", "gateway:sim")),
    (ticket_closed(_OVERPAID, 8, SETTLED), ("gateway:manual", "overpaid:O1")),
    (ticket_closed(_OVERPAID, 8, WRITTEN_OFF), ("loss", "overpaid:O1")),
]
NO_MONEY: list[Record] = [
    requested(1),
    failed(2),
    closed(2),
    refund_requested(5, is_repeat=True),
    refund_failed(4),
    queried(2),
    refund_queried(4),
    _OVERPAID,
    ticket_closed(_UNPAID, 8, SETTLED),
    refused(1, pay(), "CONFLICT"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("fact", "accounts"), ENTRIES)
def test_a_fact_of_money_is_an_entry(fact: Record, accounts: tuple[str, str]) -> None:
    assert entry(fact) == Entry(*accounts, FEN, "CNY")


@pytest.mark.parametrize("fact", NO_MONEY)
def test_any_other_fact_is_none(fact: Record) -> None:
    assert entry(fact) is None


def test_the_documented_chart_is_the_chart() -> None:
    text = (Path(__file__).parents[3] / "docs" / "payments.md").read_text()
    rows = re.findall(r"^\| `(\w+)`.*\| `([\w:<>]+)` \| `([\w:<>]+)` \|$", text, re.MULTILINE)
    documented = Counter((fact, _bare(debit), _bare(credit)) for fact, debit, credit in rows)
    booked = {(type(fact).__name__, *map(_bare, accounts)) for fact, accounts in ENTRIES}
    assert set(documented) == booked - {("RefundSucceeded", "refund", "gateway:manual")}
    assert {fact for fact, _, _ in rows} == {kind.__name__ for kind in POSTS}


def _bare(account: str) -> str:
    kind, _, name = account.partition(":")
    return f"{kind}:{name}" if name == "manual" else kind


def _balances(facts: list[Any]) -> list[Counter[str]]:
    """Return the debit balances after each fact of money."""
    balances: Counter[str] = Counter()
    after = []
    for fact in facts:
        booked = entry(fact)
        if booked is not None:
            balances[booked.debit] += booked.amount_fen
            balances[booked.credit] -= booked.amount_fen
            after.append(Counter(balances))
    return after


@given(messages=st.lists(st.tuples(ANYTHING, st.integers(0, 700_000)), max_size=40))
def test_the_books_balance_at_every_version(messages: list[tuple[Record, int]]) -> None:
    desk = Desk()
    for message, wait_ms in messages:
        desk.take(message)
        desk.pass_time(wait_ms)
        for open_ticket in desk.known().tickets[:1] if not desk.is_forgotten() else ():
            desk.take(but(resolve(SETTLED), ticket_no=open_ticket.ticket_no))
            desk.take(but(resolve(RETRY), ticket_no=open_ticket.ticket_no))
    after = _balances(desk.public())
    for balances in after:
        assert sum(balances.values()) == 0
        for account, balance in balances.items():
            if account == LOSS or account.startswith("overpaid:"):
                assert balance >= 0
            elif not account.startswith("gateway:"):
                assert balance <= 0
    if after and not desk.is_forgotten():
        known = desk.known()
        assert after[-1][f"order:{ORDER}"] == -known.refundable_fen()
        owed_fen = sum(r.amount_fen for r in known.refunds if r.state.value != "SUCCEEDED")
        assert after[-1][f"refund:{ORDER}"] == -owed_fen
        assert after[-1][f"surplus:{ORDER}"] == 0


def test_what_is_owed_is_zero_when_everything_is_settled() -> None:
    """Paid over two channels, refunded in two parts, one of them twice, and that came back."""
    desk = Desk()
    desk.take(pay(), pay("O1-2"), says(SUCCEEDED), says(SUCCEEDED, "O1-2", txn="T2"))
    desk.take(says(FAILED, "O1-2", refund_no="O1-2-S1"))
    desk.take(says(SUCCEEDED, "O1-2", refund_no="O1-2-S1", txn="B1"))
    desk.take(refund(amount_fen=500), refund("O1-1-R2", amount_fen=700))
    desk.take(says(SUCCEEDED, refund_no="O1-1-R1", txn="B2", amount_fen=500))
    desk.take(says(SUCCEEDED, refund_no="O1-1-R2", txn="B3", amount_fen=700))
    desk.take(says(SUCCEEDED, refund_no="O1-1-R2", txn="B4", amount_fen=700))
    assert _balances(desk.public())[-1]["overpaid:O1"] == 700
    facts: list[Any] = desk.take(resolve(SETTLED))
    assert isinstance(facts[0], PaymentTicketClosed)
    settled = {account: fen for account, fen in _balances(desk.public())[-1].items() if fen}
    assert settled == {
        "gateway:sim": FEN - 500 - 700 - 700,
        "gateway:manual": 700,
        "order:O1": -(FEN - 500 - 700),
    }


def test_money_after_the_end_leaves_nothing_in_the_books() -> None:
    desk = Desk()
    desk.take(pay(), close(), says(SUCCEEDED), says(SUCCEEDED, refund_no="O1-1-S1", txn="B1"))
    assert set(_balances(desk.public())[-1].values()) == {0}
