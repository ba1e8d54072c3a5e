"""What an operator's word on a ticket does.

===============  ================  ============================  ==================================
ticket           RETRY             SETTLED                       WRITTEN_OFF
===============  ================  ============================  ==================================
PAYMENT_UNKNOWN  asked again       (refused)                     the attempt failed
REFUND_UNPAID    asked again       the refund has succeeded,     (refused: a debt to a buyer is not
                                   over the gateway ``manual``   written off)
REFUND_OVERPAID  (refused)         the shop has its money back   the shop has lost it
MONEY_MISMATCH   (refused)         nothing: the money is not in the books of payments
===============  ================  ============================  ==================================

"Asked again" begins at the first wait and ends in a new ticket. Nothing here overrules the gateway:
money that it reports afterwards still counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.payment import (
    PaymentFailed,
    PaymentReason,
    PaymentRefused,
    ResolveTicket,
    TicketReason,
    TicketResolution,
)
from schemas.record import Record
from streams.payments.janitor import payment_queried, refund_asked_again
from streams.payments.machine import OPEN
from streams.payments.reports import refund_succeeded
from streams.payments.state import MANUAL, OrderPayments, Ticket
from streams.payments.tickets import ticket_closed

_RETRY, _SETTLED = TicketResolution.RETRY, TicketResolution.SETTLED
_WRITTEN_OFF = TicketResolution.WRITTEN_OFF

FITTING: Mapping[TicketReason, frozenset[TicketResolution]] = {
    TicketReason.PAYMENT_UNKNOWN: frozenset({_RETRY, _WRITTEN_OFF}),
    TicketReason.REFUND_UNPAID: frozenset({_RETRY, _SETTLED}),
    TicketReason.REFUND_OVERPAID: frozenset({_SETTLED, _WRITTEN_OFF}),
    TicketReason.MONEY_MISMATCH: frozenset({_SETTLED, _WRITTEN_OFF}),
}


def resolve_ticket(
    known: OrderPayments | None, message: ResolveTicket, _now_ms: int
) -> Sequence[Record]:
    """Close a ticket and do what follows; its guards, in this order, and then success.

    1. there is no such open ticket: TICKET_NOT_OPEN; 2. another shop's order: CONFLICT; 3. the
    resolution does not fit the ticket: WRONG_RESOLUTION.
    """
    ticket = _open_ticket(known, message.ticket_no)
    if known is None or ticket is None:
        return (_refused(known, message, PaymentReason.TICKET_NOT_OPEN),)
    if message.shop_id != known.shop_id:
        return (_refused(known, message, PaymentReason.CONFLICT),)
    if message.resolution not in FITTING[ticket.reason]:
        return (_refused(known, message, PaymentReason.WRONG_RESOLUTION),)
    closed = ticket_closed(
        known, ticket, message.resolution, known.version + 1, message.operator, message.note
    )
    if ticket.reason == TicketReason.PAYMENT_UNKNOWN:
        return (closed, *_payment_decided(known, ticket, message.resolution))
    if ticket.reason == TicketReason.REFUND_UNPAID:
        return (closed, *_refund_decided(known, ticket, message.resolution))
    return (closed,)


def _payment_decided(
    known: OrderPayments, ticket: Ticket, resolution: TicketResolution
) -> Sequence[Record]:
    attempt = known.attempt(ticket.pay_no)
    if attempt is None:
        return ()
    if resolution == _RETRY:
        return (payment_queried(known, attempt, 1, known.version + 2),)
    if attempt.state not in OPEN:
        return ()
    return (
        PaymentFailed(
            order_no=known.order_no,
            version=known.version + 2,
            shop_id=known.shop_id,
            pay_no=attempt.pay_no,
            reason=resolution.value,
            trace_id=attempt.trace_id,
        ),
    )


def _refund_decided(
    known: OrderPayments, ticket: Ticket, resolution: TicketResolution
) -> Sequence[Record]:
    refund = known.refund(ticket.refund_no)
    if refund is None:
        return ()
    if resolution == _RETRY:
        return (refund_asked_again(known, refund, 1, known.version + 2),)
    return (refund_succeeded(known, refund, MANUAL, ticket.ticket_no, known.version + 2),)


def _open_ticket(known: OrderPayments | None, ticket_no: str) -> Ticket | None:
    for ticket in known.tickets if known is not None else ():
        if ticket.ticket_no == ticket_no:
            return ticket
    return None


def _refused(
    known: OrderPayments | None, message: ResolveTicket, reason: PaymentReason
) -> PaymentRefused:
    return PaymentRefused(
        order_no=message.order_no,
        version=known.version if known is not None else 0,
        shop_id=message.shop_id,
        pay_no="",
        refund_no="",
        message=type(message).__name__,
        reason=reason,
        trace_id=message.trace_id,
    )
