"""Open tickets of payments, from the public facts; and an operator's word on one, as an intent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import Codec
from schemas.payment import ResolveTicket, TicketResolution
from schemas.topics import PAYMENT_INTENTS
from topologies.audit.reader import RawFact

_FLUSH_S = 30.0


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
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # Java's default: same key, same partition
            "log_level": 2,
        }
    )
    value = codec.encode(word)
    producer.produce(PAYMENT_INTENTS.name, value, ticket.order_no.encode(), on_delivery=delivered)
    if producer.flush(_FLUSH_S) or failures:
        raise KafkaException(failures[0] if failures else KafkaError(KafkaError._MSG_TIMED_OUT))
