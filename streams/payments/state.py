"""What is remembered of one order's payments.

Money is in minor units of ``currency`` (fen), times are epoch milliseconds UTC.
"""

from __future__ import annotations

from schemas.payment import GatewayReport, TicketReason
from schemas.record import Record
from streams.payments.machine import PayState

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS

FORGET_MS = 24 * HOUR_MS  # as long as a client may repeat a request
# A kept payment may still have to be given back: 15 days until an order completes by itself, 7 days
# to send the goods back, 8 days to spare.
FORGET_KEPT_MS = 30 * 24 * HOUR_MS
EARLY_REPORT_MS = 15 * MINUTE_MS  # far above the worst delay of a request in the inbox
MAX_EARLY_REPORTS = 16  # per order: 4 attempts with 4 different messages each
MAX_ATTEMPTS = 20  # per order: the record is rewritten as a whole, so it has to stay small

ASK_AGAIN_MS = 5_000
ASK_AGAIN_CAP_MS = 10 * MINUTE_MS
# 12 waits: 5 + 10 + 20 + 40 + 80 + 160 + 320 s, then 5 x 600 s: a human is needed after an hour.
MAX_TRIES = 12

MANUAL = "manual"  # the gateway of money that an operator says has moved outside
GAVE_UP = "GAVE_UP"  # why a refund failed whose last try is used up


class Attempt(Record, frozen=True):
    """One attempt to pay. ``answer_version`` is that of the answer to the order (0: none yet).

    The janitor's part begins when the gateway says that it has the payment but not how it ended
    (``since_ms``): at ``due_ms`` it is asked, ``queries`` times so far. What was never heard of has
    no timer: the effect worker repeats its call until the gateway has said something.
    """

    pay_no: str
    user_id: int
    channel: str
    amount_fen: int
    currency: str
    trace_id: str
    state: PayState
    reason: str = ""
    answer_version: int = 0
    queries: int = 0
    due_ms: int = 0
    since_ms: int = 0


class Movement(Record, frozen=True):
    """Money that came, unique by ``(gateway, gateway_txn_no)``. What is not kept is given back.

    ``paid_at_ms`` is the gateway's time of kept money, and the time of arrival of surplus money.
    """

    pay_no: str
    gateway: str
    gateway_txn_no: str
    paid_at_ms: int
    is_kept: bool


class Refund(Record, frozen=True):
    """Money on its way back. ``is_own``: it is surplus money, nobody asked and nobody waits.

    It is owed from the request (``since_ms``) until it has succeeded: its number is never given up
    for another one, since a gateway that did pay will not pay the same number twice. ``tries``
    counts how often the gateway was asked for it or about it. At ``due_ms`` it is asked again.
    ``failure`` GAVE_UP stays: the order was told so.
    ``extra_txn_nos``: the gateway's numbers of money that went back beyond what was asked for.
    """

    refund_no: str
    pay_no: str
    gateway: str
    paid_txn_no: str
    amount_fen: int
    currency: str
    reason: str
    trace_id: str
    is_own: bool
    state: PayState
    tries: int = 1
    failure: str = ""
    gateway_txn_no: str = ""
    answer_version: int = 0
    due_ms: int = 0
    since_ms: int = 0
    extra_txn_nos: tuple[str, ...] = ()


class Ticket(Record, frozen=True):
    """Something that a human has to decide. ``refund_no`` is empty for a payment."""

    ticket_no: str
    reason: TicketReason
    pay_no: str
    refund_no: str
    amount_fen: int
    currency: str
    trace_id: str


class EarlyReport(Record, frozen=True):
    """A gateway's message about something that nobody has asked for yet."""

    since_ms: int
    report: GatewayReport


class OrderPayments(Record, frozen=True):
    """All payments of one order. ``due_ms`` is the next moment at which it has something to do."""

    order_no: str
    shop_id: int
    version: int = 0
    attempts: tuple[Attempt, ...] = ()
    movements: tuple[Movement, ...] = ()
    refunds: tuple[Refund, ...] = ()
    early: tuple[EarlyReport, ...] = ()
    kept_pay_no: str = ""
    is_closed: bool = False
    due_ms: int = 0
    void_attempts: int = 0  # the first so many asked for a total that is not the order's any more
    tickets: tuple[Ticket, ...] = ()
    tickets_opened: int = 0

    def is_void(self, pay_no: str) -> bool:
        """Tell whether money of that attempt is not wanted any more."""
        return any(attempt.pay_no == pay_no for attempt in self.attempts[: self.void_attempts])

    def attempt(self, pay_no: str) -> Attempt | None:
        """Return the attempt of that number, or None."""
        for attempt in self.attempts:
            if attempt.pay_no == pay_no:
                return attempt
        return None

    def refund(self, refund_no: str) -> Refund | None:
        """Return the refund of that number, or None."""
        for refund in self.refunds:
            if refund.refund_no == refund_no:
                return refund
        return None

    def kept(self) -> tuple[Attempt, Movement] | None:
        """Return the attempt whose money is kept, and that movement of money, or None."""
        for movement in self.movements:
            attempt = self.attempt(movement.pay_no)
            if movement.is_kept and attempt is not None:
                return attempt, movement
        return None

    def ticket(self, reason: TicketReason, pay_no: str, refund_no: str) -> Ticket | None:
        """Return the open ticket about that payment or refund, or None."""
        for ticket in self.tickets:
            if (ticket.reason, ticket.pay_no, ticket.refund_no) == (reason, pay_no, refund_no):
                return ticket
        return None

    def has_money(self, pay_no: str) -> bool:
        """Tell whether that attempt brought money."""
        return any(movement.pay_no == pay_no for movement in self.movements)

    def refundable_fen(self) -> int:
        """Return how much of the kept money was not asked back yet."""
        kept = self.kept()
        if kept is None:
            return 0
        return kept[0].amount_fen - sum(r.amount_fen for r in self.refunds if not r.is_own)


def ask_again_ms(tries: int) -> int:
    """Return the wait after the gateway was asked ``tries`` times: doubled each time, capped."""
    return min(ASK_AGAIN_MS << min(max(tries - 1, 0), 20), ASK_AGAIN_CAP_MS)
