"""The open tickets, as an operator sees them: from the public facts alone."""

from __future__ import annotations

import msgspec

from schemas.payment import TicketReason
from schemas.record import Record
from tests.unit.payments.desk import (
    FEN,
    ORDER,
    RETRY,
    SETTLED,
    SHOP,
    START_MS,
    succeeded,
    ticket,
    ticket_closed,
)
from topologies.audit.reader import RawFact
from topologies.cli.tickets import Resolution
from topologies.tickets import Ticket, open_tickets


def told(*facts: Record) -> list[RawFact]:
    return [
        RawFact("payment.events", 0, n, None, type(fact).__name__, msgspec.to_builtins(fact))
        for n, fact in enumerate(facts)
    ]


def test_what_was_opened_and_not_closed_is_open_the_oldest_first() -> None:
    first = ticket(2, TicketReason.PAYMENT_UNKNOWN, since_ms=START_MS + 9)
    second = ticket(3, TicketReason.REFUND_UNPAID, "O1-1-R1", nth=2)
    third = ticket(4, TicketReason.REFUND_OVERPAID, "O1-1-R1", nth=3)
    closed = ticket_closed(third, 5, SETTLED, "mia")

    assert open_tickets(told(succeeded(1), first, second, third, closed)) == [
        Ticket("O1-T2", ORDER, SHOP, "REFUND_UNPAID", "O1-1-R1", FEN, "CNY", START_MS),
        Ticket("O1-T1", ORDER, SHOP, "PAYMENT_UNKNOWN", "O1-1", FEN, "CNY", START_MS + 9),
    ]


def test_a_ticket_that_is_asked_again_is_closed() -> None:
    opened = ticket(2, TicketReason.PAYMENT_UNKNOWN)
    assert open_tickets(told(opened, ticket_closed(opened, 3, RETRY, "mia"))) == []


def test_operators_may_say_all_but_what_only_the_gateway_can() -> None:
    names = {one.name for one in Resolution}
    assert names == {"RETRY", "SETTLED", "WRITTEN_OFF"}
