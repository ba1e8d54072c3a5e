"""Facts that nobody outside payments hears of."""

from __future__ import annotations

from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record


class PaymentNoted(Record, frozen=True):
    """The gateway said that an attempt is PENDING or UNKNOWN; or that a closed one ended so."""

    order_no: str
    pay_no: str
    status: GatewayStatus


class RefundNoted(Record, frozen=True):
    """The gateway said that a refund is PENDING or UNKNOWN."""

    order_no: str
    refund_no: str
    status: GatewayStatus


class ReportRemembered(Record, frozen=True):
    """A gateway spoke of a payment or a refund that is not known yet."""

    order_no: str
    report: GatewayReport


class EarlyReportsDropped(Record, frozen=True):
    """Nobody asked for what the reports remembered until ``until_ms`` (epoch ms) speak of."""

    order_no: str
    until_ms: int


class PaymentsEnded(Record, frozen=True):
    """The order ended: it takes no more money."""

    order_no: str
    shop_id: int


class AttemptsVoided(Record, frozen=True):
    """The order was amended: money of the attempts so far is not wanted any more."""

    order_no: str


class PaymentsForgotten(Record, frozen=True):
    """Nothing has been open for the whole retention."""

    order_no: str


class AnsweredAgain(Record, frozen=True):
    """The order asked again and is told ``answer``, a public fact, again; nobody else hears it."""

    order_no: str
    answer: Record
