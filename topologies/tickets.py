"""Open tickets of payments, from the public facts; and an operator's word on one, as an intent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.codec import Codec
from schemas.payment import ResolveTicket, TicketResolution
from schemas.topics import PAYMENT_INTENTS
from topologies.appending import Appender
from topologies.audit.reader import RawFact


class Ticket(NamedTuple):
    """An open ticket, as PaymentTicketOpened says it."""

    ticket_no: str
    order_no: str
    shop_id: int
    reason: str
    about: str
    amount_fen: int
    currency: str
    since_ms: int


def open_tickets(facts: Iterable[RawFact]) -> list[Ticket]:
    """Return the tickets that were opened and not closed, the oldest first."""
    tickets: dict[str, Ticket] = {}
    for fact in facts:
        told = fact.fields
        if fact.name == "PaymentTicketOpened":
            tickets[told["ticket_no"]] = Ticket(
                ticket_no=told["ticket_no"],
                order_no=told["order_no"],
                shop_id=told["shop_id"],
                reason=told["reason"],
                about=told["refund_no"] or told["pay_no"],
                amount_fen=told["amount_fen"],
                currency=told["currency"],
                since_ms=told["since_ms"],
            )
        elif fact.name == "PaymentTicketClosed":
            tickets.pop(told["ticket_no"], None)
    return sorted(tickets.values(), key=lambda ticket: (ticket.since_ms, ticket.ticket_no))


def resolve(
    kafka: str,
    codec: Codec,
    ticket: Ticket,
    resolution: TicketResolution,
    operator: str,
    note: str,
) -> None:
    """Append the operator's word to payment.intents; raise KafkaException when it is not taken."""
    word = ResolveTicket(
        ticket.ticket_no, ticket.order_no, ticket.shop_id, operator, resolution, note
    )
    key = ticket.order_no.encode()
    Appender(kafka).append(PAYMENT_INTENTS.name, key, codec.encode(word))
