"""From what a gateway says to the report that the payments stage judges.

Our numbers travel in the gateway's messages: ``out_trade_no`` or the like is the ``pay_no``, and an
order's number is its first part.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.gateways.port import Reason, Rejected
from schemas.payment import GatewayReport, GatewayStatus

CNY: Final = "CNY"
"""The one currency of the domestic products of all three gateways."""

_TRACE_ID_CHARS = 32  # W3C Trace Context, section 3.2.2.3


def order_of(pay_no: str) -> str:
    """Return the order of a payment: ``<order_no>-<attempt>``; empty when it is none of ours."""
    return pay_no.rpartition("-")[0]


def payment_of(refund_no: str) -> str:
    """Return the payment of a refund: ``<pay_no>-R1``; empty when it is none of ours."""
    return refund_no.rpartition("-")[0]


def trace_of(passed_back: str) -> str:
    """Return the trace id that a payment's request gave the gateway to pass back, if it did."""
    is_trace = len(passed_back) == _TRACE_ID_CHARS and passed_back.isalnum()
    return passed_back if is_trace else ""


def epoch_ms(text: str) -> int:
    """Return RFC 3339 text as epoch milliseconds; raise ValueError when it is none."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return round(time.timestamp() * 1000)


def report_of(
    gateway: str,
    *,
    pay_no: str,
    refund_no: str = "",
    txn_no: str,
    status: GatewayStatus,
    amount_fen: int,
    currency: str = CNY,
    occurred_at_ms: int,
    trace_id: str = "",
) -> GatewayReport | Rejected:
    """Return the report of a genuine message, or why it cannot be one.

    Guards, in this order: a payment that is not numbered as ours are, no amount or another
    currency, money that moved without the gateway's number of it.
    """
    if not order_of(pay_no):
        return Rejected(Reason.NOT_OURS, "the number of the payment")
    if amount_fen <= 0 or currency != CNY:
        return Rejected(Reason.BAD_AMOUNT, f"{amount_fen} {currency}"[:40])
    is_moved = status is GatewayStatus.SUCCEEDED
    if is_moved and not txn_no:
        return Rejected(Reason.MALFORMED, "money moved, and the gateway's number is missing")
    return GatewayReport(
        order_no=order_of(pay_no),
        pay_no=pay_no,
        refund_no=refund_no,
        gateway=gateway,
        gateway_txn_no=txn_no if is_moved else "",
        status=status,
        amount_fen=amount_fen,
        currency=currency,
        occurred_at_ms=occurred_at_ms,
        trace_id=trace_id,
    )
